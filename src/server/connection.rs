//! One accepted connection from its first byte to its last, whatever protocol it changes to.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::Watcher;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsAcceptor;

use super::ConnectionLimits;
use crate::wire::body::Body;
use crate::wire::upgrade::UpgradeHandler;

/// Finds peers that are gone without a word.
const PING: Duration = Duration::from_secs(30);

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) limits: ConnectionLimits,
    pub(super) watcher: Watcher,
    /// Tells those that have left HTTP that it is time to go.
    pub(super) cut: Arc<watch::Sender<bool>>,
}

/// What follows on a connection once HTTP is over on it.
#[derive(Clone, Default)]
struct Next(Arc<Mutex<Option<(OnUpgrade, UpgradeHandler)>>>);

impl Next {
    fn put(&self, client: OnUpgrade, handler: UpgradeHandler) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((client, handler));
    }

    fn take(&self) -> Option<(OnUpgrade, UpgradeHandler)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Connection {
    /// Serves its requests. How a connection ends is the client's business, so errors are only traced.
    pub(super) async fn serve<H, F>(self, handler: H)
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        // Latency counts for more than the number of packets.
        let _ = self.stream.set_nodelay(true);
        // HTTP/1.1 and what it is upgraded to have no pings that we could send.
        let pings = TcpKeepalive::new().with_time(PING).with_interval(PING);
        let _ = SockRef::from(&self.stream).set_tcp_keepalive(&pings);
        let builder = builder(&self.limits);
        let idle = self.limits.idle;
        let next = Next::default();
        let cut = Arc::clone(&self.cut);
        self.serve_http(builder, idle, handler, next.clone()).await;
        if let Some((client, handler)) = next.take()
            && let Ok(client) = client.await
        {
            // Held to the end, because it is what the server waits for after the shutdown.
            let shutdown = cut.subscribe();
            handler.run(client, shutdown.clone()).await;
        }
    }

    async fn serve_http<H, F>(
        self,
        builder: auto::Builder<TokioExecutor>,
        idle: Duration,
        handler: H,
        next: Next,
    ) where
        H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let http = Http {
            builder,
            idle,
            watcher: self.watcher,
            next,
        };
        match self.tls {
            None => http.drive(self.stream, handler).await,
            Some(acceptor) => {
                let Ok(Ok(stream)) = timeout(idle, acceptor.accept(self.stream)).await else {
                    return;
                };
                http.drive(stream, handler).await;
            }
        }
    }
}

fn builder(limits: &ConnectionLimits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .max_buf_size(limits.headers.max(SMALLEST_BUFFER));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.headers).unwrap_or(u32::MAX))
        .keep_alive_interval(PING);
    builder
}

/// hyper's own lower bound.
const SMALLEST_BUFFER: usize = 8192;

/// How HTTP is spoken on a connection.
struct Http {
    builder: auto::Builder<TokioExecutor>,
    idle: Duration,
    watcher: Watcher,
    next: Next,
}

impl Http {
    async fn drive<S, H, F>(self, stream: S, handler: H)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let asked = Arc::new(Notify::new());
        let first = Arc::clone(&asked);
        let next = self.next;
        let service = service_fn(move |mut request| {
            asked.notify_one();
            let client = hyper::upgrade::on(&mut request);
            let answering = handler(request);
            let next = next.clone();
            async move {
                let mut response = answering.await;
                if let Some(handler) = UpgradeHandler::take_from(&mut response) {
                    next.put(client, handler);
                }
                Ok::<_, Infallible>(response)
            }
        });
        // Which version of HTTP it is shows in its first bytes, with and without TLS.
        let connection = self
            .builder
            .serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = Box::pin(self.watcher.watch(connection.into_owned()));
        // The HTTP library would wait for ever for the bytes that tell the protocol, and for HTTP/2's first request.
        let ended = tokio::select! {
            biased;
            ended = &mut connection => ended,
            in_time = timeout(self.idle, first.notified()) => match in_time {
                Ok(()) => connection.await,
                Err(_) => return,
            },
        };
        if let Err(error) = ended {
            tracing::trace!(error, "a connection ended early");
        }
    }
}
