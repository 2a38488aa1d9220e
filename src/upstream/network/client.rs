//! Sends requests to one upstream over pooled connections, and again what was never processed.

use std::fmt;
use std::sync::Arc;

use http::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use http::uri::Scheme;
use http::{Request, Response, Uri};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::connector::{Connector, Purpose};
use super::line::{ConnectError, Line};
use super::pool::{Chosen, Pool, Sender};
use super::pooled_body::{Hold, PooledBody};
use super::resend::Loss;
use crate::wire::upload::Upload;

/// How often a request is sent again.
const MOST_RESENDS: usize = 2;

/// Why no reply came.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection was made, so nothing was sent.
    #[error("no connection could be made")]
    Connect(#[source] ConnectError),
    /// The connection ended before the head of the reply.
    #[error("the connection was lost")]
    Broken(#[source] hyper::Error),
}

/// A request that is on its way.
struct Sent {
    at: Instant,
    line: Arc<Line>,
    is_http2: bool,
    /// The connection had carried a reply before.
    was_used: bool,
    is_repeatable: bool,
    /// Whether it may be sent again.
    may_resend: bool,
}

/// An HTTP client for one upstream.
#[derive(Clone)]
pub struct Client {
    pool: Arc<Pool>,
    host: HeaderValue,
}

impl Client {
    /// A client with these connections.
    pub fn new(connector: Connector) -> Self {
        let host = host_header(&connector.destination);
        Self {
            host: HeaderValue::try_from(host).unwrap_or(HeaderValue::from_static("")),
            pool: Arc::new(Pool::new(connector)),
        }
    }

    /// From now on requests go over new connections, because something has failed over the others.
    pub fn renew_connections(&self) {
        self.pool.renew();
    }

    /// Sends a request, whose URI has the scheme and the host of the upstream, and waits for the head of the reply.
    /// `is_repeatable`: whether it does no harm if it should be processed twice.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async function keeps its large arguments twice"
    )]
    pub fn request(
        &self,
        mut request: Request<Upload>,
        is_repeatable: bool,
    ) -> impl Future<Output = Result<Response<PooledBody>, ClientError>> {
        async move {
            let mut resends = 0;
            let mut chosen = self.pool.choose().await.map_err(ClientError::Connect)?;
            loop {
                // What is sent cannot be had back.
                let is_risky = chosen.may_be_closing();
                let spare = is_risky.then(|| Box::new(request.clone()));
                let sent = Sent {
                    at: chosen.at,
                    is_http2: chosen.is_http2(),
                    was_used: chosen.line.has_answered(),
                    is_repeatable,
                    may_resend: resends < MOST_RESENDS,
                    line: Arc::clone(&chosen.line),
                };
                request = match self.send(chosen, request).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => self.unprocessed(error, spare, &sent)?,
                };
                resends += 1;
                chosen = self
                    .another(sent.is_http2 && resends < MOST_RESENDS)
                    .await?;
            }
        }
    }

    /// The request once more, if it has not been processed. `spare`: a copy of it.
    fn unprocessed(
        &self,
        mut error: TrySendError<Request<Upload>>,
        spare: Option<Box<Request<Upload>>>,
        sent: &Sent,
    ) -> Result<Request<Upload>, ClientError> {
        self.pool.retire(&sent.line);
        let returned = error.take_message();
        let loss = Loss {
            error: error.error(),
            came_back: returned.is_some(),
            is_repeatable: sent.is_repeatable,
            is_http2: sent.is_http2,
            was_used: sent.was_used,
            has_spoken: sent.line.has_spoken(),
            sent_at: sent.at,
        };
        let is_unprocessed = loss.is_unprocessed();
        match spare.map(|spare| *spare).or(returned) {
            Some(again) if sent.may_resend && is_unprocessed => Ok(again.map(Upload::again)),
            _ => Err(ClientError::Broken(error.into_error())),
        }
    }

    /// Another connection. The last one of a request is its own until it has been sent: as the first on a connection, it
    /// is not refused.
    async fn another(&self, may_share: bool) -> Result<Chosen, ClientError> {
        let chosen = match may_share {
            true => self.pool.choose().await,
            // Boxed, because it takes a lot of room and is seldom needed.
            false => Box::pin(self.pool.open(self.pool.connector.until())).await,
        };
        chosen.map_err(ClientError::Connect)
    }

    fn send(
        &self,
        chosen: Chosen,
        mut request: Request<Upload>,
    ) -> impl Future<Output = Result<Response<PooledBody>, TrySendError<Request<Upload>>>> {
        let size = request.body().size_hint().exact().unwrap_or(u64::MAX);
        let place = chosen
            .line
            .begin(usize::try_from(size).unwrap_or(usize::MAX));
        if !chosen.is_http2() {
            self.address(&mut request);
        }
        // A block, since an async function keeps its large arguments twice.
        async move {
            let (response, single) = match chosen.sender {
                Sender::Http1(mut single) => (single.exchange(request).await?, Some(single)),
                Sender::Http2(mut sender) => {
                    let response = sender.try_send_request(request);
                    // What is put on a connection just when that ends comes back once nobody has a sender of it.
                    drop(sender);
                    (response.await?, None)
                }
            };
            place.0.answered();
            let hold = Hold {
                pool: Arc::clone(&self.pool),
                place,
                single,
            };
            Ok(response.map(|body| PooledBody::new(body, hold)))
        }
    }

    /// Writes the target of a request as HTTP/1.1 does: the path alone, or the whole URL for a proxy.
    fn address(&self, request: &mut Request<Upload>) {
        request
            .headers_mut()
            .entry(HOST)
            .or_insert(self.host.clone());
        let Some(proxy) = self.pool.connector.relaying_proxy() else {
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
            return;
        };
        if let Some(login) = proxy.basic_auth() {
            request
                .headers_mut()
                .insert(PROXY_AUTHORIZATION, login.clone());
        }
    }

    /// Sends a request for an upgrade over a connection of its own, which speaks HTTP/1.1.
    pub async fn upgrade(
        &self,
        mut request: Request<Upload>,
    ) -> Result<Response<Incoming>, ClientError> {
        let line = Arc::new(Line::new(0));
        let connector = &self.pool.connector;
        let (wire, _) = connector
            .open(line, Purpose::Upgrade, connector.until())
            .await
            .map_err(ClientError::Connect)?;
        let io = TokioIo::new(wire);
        let (mut sender, connection) = http1::handshake(io).await.map_err(ClientError::Broken)?;
        tokio::spawn(connection.with_upgrades());
        request
            .headers_mut()
            .entry(HOST)
            .or_insert(self.host.clone());
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
        sender
            .send_request(request)
            .await
            .map_err(ClientError::Broken)
    }
}

/// A port that follows from the scheme is left out.
fn host_header(destination: &Uri) -> String {
    let host = destination.host().unwrap_or_default();
    let usual = if destination.scheme() == Some(&Scheme::HTTPS) {
        443
    } else {
        80
    };
    match destination.port_u16() {
        Some(port) if port != usual => format!("{host}:{port}"),
        _ => host.to_owned(),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
