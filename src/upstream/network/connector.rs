//! Opens connections: name, TCP, perhaps a forward proxy, and TLS, together within one timeout.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::line::{ConnectError, Duplex, Line, Transport, Wire};
use super::proxy::{Link, Way};
use super::secure::secured;
use crate::config::{ForwardProxy, ProxyScheme};
use crate::wire::alarm::within;
use crate::wire::socket::{limit_new_unacknowledged, limit_unacknowledged, limit_unsent};

/// So many bytes may wait in the system to be sent. With more, a body would seem to have been sent while megabytes of it
/// wait for a slow line, and the answer would be waited for too soon.
const UNSENT: u32 = 128 << 10;
/// Detects dead peers behind connections on which nothing is sent.
pub(super) const PING: Duration = Duration::from_secs(20);
/// How long a WebSocket's bytes may go without acknowledgement. A receiver that takes nothing for a while is no dead one.
const UNACKNOWLEDGED_FRAMES: Duration = Duration::from_secs(30);

/// A server without TLS may wait for more of what it takes for a request.
const NO_HANDSHAKE: &str =
    "it takes the connection, but there is no TLS handshake in time; plain servers want http://";

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Requests, one after the other or at the same time.
    Requests,
    /// One request that turns the connection into something else. This needs HTTP/1.1: over HTTP/2 it would be an
    /// extended CONNECT, which hardly any provider supports.
    Upgrade,
}

/// How connections to one upstream are opened.
#[derive(Debug)]
pub struct Connector {
    pub(super) destination: Uri,
    tcp: HttpConnector,
    for_requests: Arc<ClientConfig>,
    for_upgrades: Arc<ClientConfig>,
    proxy: Option<ForwardProxy>,
    timeout: Duration,
    unacknowledged: Duration,
}

impl Connector {
    /// Connections to the host of a URL, which may take `timeout` to open.
    pub fn to(destination: Uri, tls: ClientConfig, timeout: Duration) -> Self {
        let speaking = |protocols: &[&[u8]]| {
            let mut tls = tls.clone();
            tls.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            Arc::new(tls)
        };
        // An upstream that takes long to answer still acknowledges at once.
        let unacknowledged = timeout * 2;
        Self {
            destination,
            tcp: tcp(timeout, unacknowledged),
            for_requests: speaking(&[b"h2", b"http/1.1"]),
            for_upgrades: speaking(&[b"http/1.1"]),
            proxy: None,
            timeout,
            unacknowledged,
        }
    }

    /// Whether a connection to this URL is encrypted, or one to the proxy that leads there.
    pub fn encrypts(destination: &Uri, proxy: Option<&ForwardProxy>) -> bool {
        let is_to_proxy = proxy.is_some_and(|proxy| proxy.scheme() == ProxyScheme::Https);
        is_to_proxy || destination.scheme() == Some(&Scheme::HTTPS)
    }

    /// The same, through a forward proxy.
    #[must_use]
    pub fn through(self, proxy: Option<ForwardProxy>) -> Self {
        Self { proxy, ..self }
    }

    pub(super) fn is_secure(&self) -> bool {
        self.destination.scheme() == Some(&Scheme::HTTPS)
    }

    /// The proxy that takes requests for plain `http` URLs as they are, instead of opening a tunnel for them.
    pub(super) fn relaying_proxy(&self) -> Option<&ForwardProxy> {
        let proxy = self.proxy.as_ref()?;
        (proxy.is_http() && !self.is_secure()).then_some(proxy)
    }

    /// When a connection has to be there that is wanted from now on.
    pub(super) fn until(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Opens a connection; also returns whether it speaks HTTP/2.
    pub(super) async fn open(
        &self,
        line: Arc<Line>,
        purpose: Purpose,
        until: Instant,
    ) -> Result<(Wire, bool), ConnectError> {
        let linking = within(until, self.link(purpose)).await;
        let link = linking.ok_or_else(too_late)??;
        let securing = within(until, self.transport(link, purpose)).await;
        let late = || io::Error::new(io::ErrorKind::TimedOut, NO_HANDSHAKE);
        let (transport, is_http2) = securing.ok_or_else(late)??;
        let wire = Wire::new(transport, line, self.unacknowledged);
        Ok((wire, is_http2))
    }

    /// With TLS, where the URL wants that.
    async fn transport(
        &self,
        link: Link,
        purpose: Purpose,
    ) -> Result<(Transport, bool), ConnectError> {
        match link {
            Link::Tcp(tcp) => {
                limit_unsent(&tcp, UNSENT)?;
                if purpose == Purpose::Upgrade {
                    limit_unacknowledged(&tcp, Some(UNACKNOWLEDGED_FRAMES))?;
                }
                if !self.is_secure() {
                    return Ok((Transport::Tcp(tcp), false));
                }
                let tls = self.secured(tcp, purpose).await?;
                let is_http2 = speaks_http2(&tls);
                Ok((Transport::Tls(Box::new(tls)), is_http2))
            }
            Link::Tunnel(tunnel) if self.is_secure() => {
                let tls = self.secured(tunnel, purpose).await?;
                let is_http2 = speaks_http2(&tls);
                Ok((Transport::Tunnel(Box::new(tls)), is_http2))
            }
            Link::Tunnel(tunnel) => Ok((Transport::Tunnel(tunnel), false)),
        }
    }

    /// A way to the destination, before TLS.
    async fn link(&self, purpose: Purpose) -> Result<Link, ConnectError> {
        let Some(proxy) = &self.proxy else {
            let tcp = self.tcp.clone().call(self.destination.clone()).await?;
            return Ok(Link::Tcp(tcp.into_inner()));
        };
        let way = Way {
            proxy,
            tcp: &self.tcp,
            tls: &self.for_upgrades,
        };
        match self.relaying_proxy() {
            Some(_) if purpose == Purpose::Requests => way.to_proxy().await,
            _ => way.through(&self.destination).await,
        }
    }

    async fn secured<S: Duplex>(
        &self,
        stream: S,
        purpose: Purpose,
    ) -> Result<TlsStream<S>, ConnectError> {
        let config = match purpose {
            Purpose::Requests => &self.for_requests,
            Purpose::Upgrade => &self.for_upgrades,
        };
        secured(config, &self.destination, stream).await
    }
}

/// Nothing is known of what it waited for.
pub(super) fn too_late() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

fn speaks_http2<S>(tls: &TlsStream<S>) -> bool {
    tls.get_ref().1.alpn_protocol() == Some(b"h2")
}

fn tcp(timeout: Duration, unacknowledged: Duration) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    // The addresses of a name share the time, so that one that does not answer leaves some to the others. The two
    // families are tried side by side (RFC 8305).
    tcp.set_connect_timeout(Some(timeout));
    tcp.set_keepalive(Some(PING));
    tcp.set_keepalive_interval(Some(PING));
    limit_new_unacknowledged(&mut tcp, unacknowledged);
    tcp
}
