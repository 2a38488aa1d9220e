//! One accepted connection from its first byte to its last.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsAcceptor;

use super::Limits;
use crate::wire::body::Body;

/// Finds peers that are gone without a word.
const PING: Duration = Duration::from_secs(30);

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) limits: Limits,
    pub(super) watcher: Watcher,
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
        let builder = builder(&self.limits);
        let idle = self.limits.idle;
        match self.tls {
            None => drive(builder, self.stream, idle, self.watcher, handler).await,
            Some(acceptor) => {
                let Ok(Ok(stream)) = timeout(idle, acceptor.accept(self.stream)).await else {
                    return;
                };
                let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let builder = if is_h2 {
                    builder.http2_only()
                } else {
                    builder.http1_only()
                };
                drive(builder, stream, idle, self.watcher, handler).await;
            }
        }
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
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

async fn drive<S, H, F>(
    builder: auto::Builder<TokioExecutor>,
    stream: S,
    idle: Duration,
    watcher: Watcher,
    handler: H,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let asked = Arc::new(Notify::new());
    let first = Arc::clone(&asked);
    let service = service_fn(move |request| {
        asked.notify_one();
        let answering = handler(request);
        async move { Ok::<_, Infallible>(answering.await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = Box::pin(watcher.watch(connection.into_owned()));
    // The HTTP library would wait for ever for the bytes that tell the protocol, and for HTTP/2's first request.
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        in_time = timeout(idle, first.notified()) => match in_time {
            Ok(()) => connection.await,
            Err(_) => return,
        },
    };
    if let Err(error) = ended {
        tracing::trace!(error, "a connection ended early");
    }
}
