//! HTTP clients with one timeout for establishing a connection: a pooled one for HTTP/1.1 and HTTP/2, and one for
//! connections that are upgraded to another protocol.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tower_service::Service;

use super::reply::{Place, ReplyBody};
use crate::wire::upload::Upload;

type Inner = legacy::Client<TimedConnector, Upload>;

/// An HTTP client with its connection pools, for one upstream.
///
/// An HTTP/2 server limits the concurrent requests on one connection: usually to 100, and hardly ever to fewer (RFC
/// 9113, section 6.5.2, recommends that). A pool keeps only one such connection, in which the excess waits unseen, as
/// if the upstream did not answer. So there are several pools; each is used only when those before it have enough
/// requests.
#[derive(Clone, Debug)]
pub struct Client {
    pools: Arc<[Pool]>,
    /// Upgrades need HTTP/1.1: over HTTP/2 they would be an extended CONNECT, which hardly any provider supports, and a
    /// pooled connection may have negotiated HTTP/2. So upgrades get connections of their own, which offer only
    /// HTTP/1.1 and are not shared.
    upgrading: Inner,
}

#[derive(Debug)]
struct Pool {
    client: Inner,
    in_flight: Arc<AtomicUsize>,
}

/// How many requests are enough for one HTTP/2 connection. The rest up to 100 is left for requests that have ended
/// here, but not yet at the server.
const ENOUGH: usize = 90;
/// Enough pools for the default limit of concurrent requests.
const POOLS: usize = 24;

impl Client {
    /// Sends a request and waits for the head of the reply.
    pub async fn request(
        &self,
        request: Request<Upload>,
    ) -> Result<Response<ReplyBody>, legacy::Error> {
        let pool = self.pool();
        let place = Place::taken_in(&pool.in_flight);
        let response = pool.client.request(request).await?;
        Ok(response.map(|body| ReplyBody::new(body, place)))
    }

    /// The same, over a connection that may be upgraded.
    pub(super) fn upgrade(&self, request: Request<Upload>) -> legacy::ResponseFuture {
        self.upgrading.request(request)
    }

    /// The first pool that does not have enough requests, or the one with the fewest.
    fn pool(&self) -> &Pool {
        let mut pools = self.pools.iter();
        let first = pools.find(|pool| pool.load() < ENOUGH);
        let least = || self.pools.iter().min_by_key(|pool| pool.load());
        first.or_else(least).unwrap_or(&self.pools[0])
    }
}

impl Pool {
    fn load(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// Idle connections are closed before providers and proxies usually close them, so that a request seldom gets a
/// connection that is closing.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// Detects dead peers behind connections that many requests share.
const PING: Duration = Duration::from_secs(20);

/// A client with these TLS settings that gives up on a connection after `timeout`: DNS, TCP and TLS together.
pub fn connect_with(tls: ClientConfig, timeout: Duration) -> Client {
    let timed = |connector| TimedConnector {
        connector: Arc::new(connector),
        timeout,
    };
    let tcp = tcp(timeout);
    let mut only_http1 = tls.clone();
    only_http1.alpn_protocols = vec![b"http/1.1".to_vec()];
    let upgrading = HttpsConnector::from((tcp.clone(), only_http1));
    let pooled = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(tcp);
    let pooled = timed(pooled);
    Client {
        pools: (0..POOLS).map(|_| pool(pooled.clone())).collect(),
        upgrading: legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(timed(upgrading)),
    }
}

fn pool(connector: TimedConnector) -> Pool {
    Pool {
        client: legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(PING)
            .http2_adaptive_window(true)
            .build(connector),
        in_flight: Arc::default(),
    }
}

fn tcp(timeout: Duration) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(PING));
    tcp.set_keepalive_interval(Some(PING));
    // If the network is lost, a request on a pooled connection is not acknowledged; without this limit the system would
    // retransmit for a quarter of an hour. An upstream that takes long to answer still acknowledges at once.
    tcp.set_tcp_user_timeout(Some(timeout * 2));
    tcp
}

/// A connector with a timeout.
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
        // The inner connector is always ready.
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

#[cfg(test)]
mod tests {
    use super::{Client, Duration, ENOUGH, POOLS, Place, Pool, connect_with};
    use crate::wire::tls;

    fn send(client: &Client, requests: usize) -> Vec<Place> {
        let take = |_| Place::taken_in(&client.pool().in_flight);
        (0..requests).map(take).collect()
    }

    fn loads(client: &Client) -> Vec<usize> {
        let mut loads: Vec<usize> = client.pools.iter().map(Pool::load).collect();
        loads.truncate(3);
        loads
    }

    #[tokio::test]
    async fn a_further_pool_is_used_only_while_those_before_it_have_enough() {
        let client = connect_with(tls::client(None).unwrap(), Duration::from_secs(1));
        let first = send(&client, ENOUGH);
        assert_eq!(loads(&client), [ENOUGH, 0, 0]);
        let second = send(&client, 40);
        assert_eq!(loads(&client), [ENOUGH, 40, 0]);
        drop(first);
        let third = send(&client, 1);
        assert_eq!(loads(&client), [1, 40, 0]);
        drop((second, third));
        assert_eq!(loads(&client), [0, 0, 0]);

        // When every pool has enough, they share further requests.
        let _all = send(&client, (ENOUGH + 1) * POOLS);
        assert_eq!(loads(&client), [ENOUGH + 1; 3]);
    }
}
