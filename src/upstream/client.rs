//! The HTTP clients, with one time limit for the whole way to a connection: a pooled one for HTTP/1.1 and HTTP/2, and one
//! for exchanges after which the connection speaks another protocol.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tower_service::Service;

type Inner = legacy::Client<TimedConnector, Full<Bytes>>;

/// A client with its pool of connections.
#[derive(Clone, Debug)]
pub struct Client {
    pooled: Inner,
    /// Upgrades are a matter of HTTP/1.1: over HTTP/2 they would be an extended CONNECT, which hardly any provider
    /// offers, and a pooled connection may well have agreed on HTTP/2. So they get connections of their own, which offer
    /// nothing else, and are not shared.
    switching: Inner,
}

impl Client {
    /// Sends a request and waits for the head of the reply.
    pub fn request(&self, request: Request<Full<Bytes>>) -> legacy::ResponseFuture {
        self.pooled.request(request)
    }

    /// The same over a connection that may be upgraded.
    pub(super) fn switch(&self, request: Request<Full<Bytes>>) -> legacy::ResponseFuture {
        self.switching.request(request)
    }
}

/// Idle connections are dropped before providers and the boxes between usually drop them, so that a request seldom
/// meets a connection that is closing.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// Finds dead peers behind connections that are shared by many requests.
const PING: Duration = Duration::from_secs(20);

/// A client with these TLS settings that gives up on a connection after `timeout`: name, TCP and TLS together.
pub fn connect_with(tls: ClientConfig, timeout: Duration) -> Client {
    let timed = |connector| TimedConnector {
        connector: Arc::new(connector),
        timeout,
    };
    let tcp = tcp(timeout);
    let mut only_http1 = tls.clone();
    only_http1.alpn_protocols = vec![b"http/1.1".to_vec()];
    let switching = HttpsConnector::from((tcp.clone(), only_http1));
    let pooled = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(tcp);
    Client {
        pooled: legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(PING)
            .http2_adaptive_window(true)
            .build(timed(pooled)),
        switching: legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(timed(switching)),
    }
}

fn tcp(timeout: Duration) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(PING));
    tcp.set_keepalive_interval(Some(PING));
    // A request on a pooled connection whose network has gone is not acknowledged; without this limit the system would
    // try for a quarter of an hour. An upstream that thinks acknowledges at once.
    tcp.set_tcp_user_timeout(Some(timeout * 2));
    tcp
}

/// A connector that gives up in time.
#[derive(Clone, Debug)]
struct TimedConnector {
    connector: Arc<HttpsConnector<HttpConnector>>,
    timeout: Duration,
}

type Connected = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;
type ConnectError = Box<dyn Error + Send + Sync>;

impl Service<Uri> for TimedConnector {
    type Response = Connected;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Connected, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        // The connector underneath is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = HttpsConnector::clone(&self.connector).call(uri);
        let timeout = self.timeout;
        Box::pin(async move {
            tokio::time::timeout(timeout, connecting)
                .await
                .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
        })
    }
}
