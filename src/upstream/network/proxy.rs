//! Ways through forward proxies: HTTP CONNECT and SOCKS5.

use std::error::Error;
use std::future::{Ready, ready};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::uri::Scheme;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::{TcpStream, lookup_host};
use tower_service::Service;

use super::line::{ConnectError, Duplex};
use super::secure::{bare_host, secured};
use crate::config::{ForwardProxy, ProxyScheme};

/// A forward proxy did not let us through.
#[derive(Debug, thiserror::Error)]
pub(in crate::upstream) enum ProxyError {
    /// It cannot be connected to.
    #[error("the proxy {proxy} cannot be reached: {reason}")]
    Unreachable {
        /// The proxy, without its password.
        proxy: String,
        /// Why.
        reason: String,
    },
    /// It does not accept our user and password, or wants some.
    #[error("the proxy {proxy} wants another user and password: 407")]
    Login {
        /// The proxy, without its password.
        proxy: String,
    },
    /// It refuses to connect us, or fails to.
    #[error("the proxy {proxy} made no connection to {destination}: {reason}")]
    Refused {
        /// The proxy, without its password.
        proxy: String,
        /// Where to.
        destination: String,
        /// What it answered.
        reason: String,
        /// It says that the destination cannot be reached from there either.
        is_destination_down: bool,
    },
}

impl ProxyError {
    /// Whether the proxy says that the destination cannot be reached from there either.
    pub(in crate::upstream) fn is_destination_down(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Login { .. } => false,
            Self::Refused {
                is_destination_down,
                ..
            } => *is_destination_down,
        }
    }
}

/// A stream on which the destination, or the proxy, can be spoken to.
pub(super) enum Link {
    Tcp(TcpStream),
    Tunnel(Box<dyn Duplex>),
}

/// The way through one proxy.
pub(super) struct Way<'a> {
    pub(super) proxy: &'a ForwardProxy,
    pub(super) tcp: &'a HttpConnector,
    /// For a proxy that is itself spoken to over TLS.
    pub(super) tls: &'a Arc<ClientConfig>,
}

impl Way<'_> {
    /// A connection to the proxy itself, for one that takes whole requests.
    pub(super) async fn to_proxy(&self) -> Result<Link, ConnectError> {
        let unreachable = |reason: ConnectError| ProxyError::Unreachable {
            proxy: self.proxy.to_string(),
            reason: innermost(reason.as_ref()),
        };
        let connecting = self.tcp.clone().call(self.proxy.uri());
        let tcp = connecting
            .await
            .map_err(|error| unreachable(error.into()))?;
        let tcp = tcp.into_inner();
        if self.proxy.scheme() != ProxyScheme::Https {
            return Ok(Link::Tcp(tcp));
        }
        let stream = secured(self.tls, &self.proxy.uri(), tcp).await;
        Ok(Link::Tunnel(Box::new(stream.map_err(unreachable)?)))
    }

    /// A connection to the destination through the proxy.
    pub(super) async fn through(&self, destination: &Uri) -> Result<Link, ConnectError> {
        match self.proxy.scheme() {
            ProxyScheme::Http | ProxyScheme::Https => self.by_connect(destination).await,
            ProxyScheme::Socks5 => {
                let resolved = resolved(destination).await?;
                self.by_socks(destination, resolved).await
            }
            ProxyScheme::Socks5h => {
                let named = destination_at(&with_port(destination))?;
                self.by_socks(destination, named).await
            }
        }
    }

    async fn by_connect(&self, destination: &Uri) -> Result<Link, ConnectError> {
        match self.to_proxy().await? {
            Link::Tcp(tcp) => self.tunnel(tcp, destination).await,
            Link::Tunnel(stream) => self.tunnel(stream, destination).await,
        }
    }

    /// HTTP CONNECT (RFC 9110, section 9.3.6).
    async fn tunnel<S: Duplex + 'static>(
        &self,
        stream: S,
        destination: &Uri,
    ) -> Result<Link, ConnectError> {
        let authority = with_port(destination);
        let broken = |error: hyper::Error| self.refused(&authority, innermost(&error), false);
        let io = TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
            .await
            .map_err(broken)?;
        tokio::spawn(connection.with_upgrades());
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = authority.parse()?;
        request.headers_mut().insert(HOST, authority.parse()?);
        if let Some(login) = self.proxy.basic_auth() {
            request
                .headers_mut()
                .insert(PROXY_AUTHORIZATION, login.clone());
        }
        let mut response = sender.send_request(request).await.map_err(broken)?;
        match response.status() {
            status if status.is_success() => {
                let upgraded = hyper::upgrade::on(&mut response).await.map_err(broken)?;
                Ok(Link::Tunnel(Box::new(TokioIo::new(upgraded))))
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(self.login_wanted().into()),
            status => {
                let is_down = matches!(status.as_u16(), 502..=504);
                Err(self.refused(&authority, status.to_string(), is_down).into())
            }
        }
    }

    /// SOCKS5 (RFC 1928 and 1929).
    async fn by_socks(&self, asked: &Uri, destination: Uri) -> Result<Link, ConnectError> {
        let Link::Tcp(tcp) = self.to_proxy().await? else {
            return Err("SOCKS is spoken over TCP".into());
        };
        let mut socks = SocksV5::new(self.proxy.uri(), Once(Some(tcp)));
        if let Some((user, password)) = self.proxy.login() {
            socks = socks.with_auth(user.to_owned(), password.to_owned());
        }
        let tcp = socks.call(destination).await.map_err(|error| {
            let reason = error.to_string();
            // The library shows what the proxy answered only in words.
            let is_down = ["unreachable", "connection refused", "ttl expired"];
            let is_down = is_down.iter().any(|words| reason.ends_with(words));
            self.refused(&with_port(asked), reason, is_down)
        })?;
        Ok(Link::Tcp(tcp.into_inner()))
    }

    fn login_wanted(&self) -> ProxyError {
        ProxyError::Login {
            proxy: self.proxy.to_string(),
        }
    }

    fn refused(&self, destination: &str, reason: String, is_down: bool) -> ProxyError {
        ProxyError::Refused {
            proxy: self.proxy.to_string(),
            destination: destination.to_owned(),
            reason,
            is_destination_down: is_down,
        }
    }
}

/// Gives a connection that is there already.
struct Once(Option<TcpStream>);

impl Service<Uri> for Once {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _destination: Uri) -> Self::Future {
        let stream = self.0.take().map(TokioIo::new);
        ready(stream.ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}

/// `socks5` means that the name is resolved here, `socks5h` that the proxy does it.
async fn resolved(destination: &Uri) -> Result<Uri, ConnectError> {
    let host = bare_host(destination);
    if host.parse::<IpAddr>().is_ok() {
        return destination_at(&with_port(destination));
    }
    let mut addresses = lookup_host((host, port_of(destination)))
        .await
        .map_err(|error| {
            // In the words of the client library, by which failures to resolve are told from others.
            io::Error::other(format!("dns error: {error}"))
        })?;
    let first = addresses
        .next()
        .ok_or("dns error: the name has no address")?;
    destination_at(&first.to_string())
}

fn destination_at(authority: &str) -> Result<Uri, ConnectError> {
    Ok(Uri::builder()
        .scheme("http")
        .authority(authority)
        .path_and_query("/")
        .build()?)
}

/// Host and port, as CONNECT names them.
fn with_port(url: &Uri) -> String {
    format!("{}:{}", url.host().unwrap_or_default(), port_of(url))
}

fn port_of(url: &Uri) -> u16 {
    let usual = if url.scheme() == Some(&Scheme::HTTPS) {
        443
    } else {
        80
    };
    url.port_u16().unwrap_or(usual)
}

/// The innermost cause of an error; the outer ones say only that connecting failed.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&cause| cause.source());
    causes.last().unwrap_or(error).to_string()
}
