//! One accepted connection, from its first byte to its last, including an upgrade to another protocol.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::activity::Activity;
use super::client_stream::{ClientStream, PING};
use super::lifetime::Lifetime;
use super::limits::ConnectionLimits;
use super::stream_task::{ServedBody, StreamExecutor};
use crate::wire::body::{Body, full};
use crate::wire::caught;
use crate::wire::overload::Overloaded;
use crate::wire::upgrade::{Handled, Shutdown, UpgradeHandler};

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) limits: ConnectionLimits,
    pub(super) activity: Arc<Activity>,
    /// Becomes true when open requests are to be the last ones.
    pub(super) stop: watch::Receiver<bool>,
    /// Becomes true when the grace time is over and the rest has to end.
    pub(super) shutdown: Shutdown,
}

impl Connection {
    /// Serves the requests of the connection. How it ends is the client's business, so errors are only traced.
    pub(super) async fn serve<H, F>(self, handler: H)
    where
        H: Fn(Request<Incoming>, Shutdown) -> F + Clone + Send + 'static,
        F: Future<Output = Handled> + Send + 'static,
    {
        let slot = UpgradeSlot::default();
        let ConnectionLimits {
            idle, write, drain, ..
        } = self.limits;
        let http = Http {
            limits: self.limits,
            lifetime: Lifetime {
                activity: Arc::clone(&self.activity),
                idle,
                write,
                drain,
                stop: self.stop,
            },
            shutdown: self.shutdown.clone(),
            slot: Arc::clone(&slot),
        };
        let stream = ClientStream::new(self.stream, write);
        match self.tls {
            None => http.drive(stream, handler).await,
            Some(acceptor) => {
                // Boxed, because it takes a lot of room, and is over soon.
                let accepting = Box::pin(timeout(idle, acceptor.accept(stream)));
                let accepted = tokio::select! {
                    accepted = accepting => accepted,
                    () = self.activity.must_make_room() => return,
                };
                let Ok(Ok(stream)) = accepted else { return };
                http.drive(stream, handler).await;
            }
        }
        let _open = self.activity.begin();
        let upgrade = lock(&slot).take();
        if let Some((client, handler)) = upgrade
            && let Ok(client) = client.await
        {
            handler.run(client, self.shutdown).await;
        }
    }
}

/// The upgrade handler that takes over the connection after HTTP, once there is one.
type UpgradeSlot = Arc<Mutex<Option<(OnUpgrade, UpgradeHandler)>>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The HTTP layer of a connection.
struct Http {
    limits: ConnectionLimits,
    lifetime: Lifetime,
    shutdown: Shutdown,
    slot: UpgradeSlot,
}

impl Http {
    /// Drives the connection to its end. Everything that it is made of is in its box before the future begins, which would
    /// have room for each part otherwise.
    fn drive<S, H, F>(self, stream: S, handler: H) -> impl Future<Output = ()> + Send
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        H: Fn(Request<Incoming>, Shutdown) -> F + Clone + Send + 'static,
        F: Future<Output = Handled> + Send + 'static,
    {
        let builder = builder(&self.limits);
        let activity = Arc::clone(&self.lifetime.activity);
        let stop = self.lifetime.stop.clone();
        let service = service_fn(move |mut request| {
            if !activity.admits() {
                request.extensions_mut().insert(Overloaded);
            }
            let open = activity.begin();
            let is_old = request.version() < Version::HTTP_2;
            let is_last = is_old && (*stop.borrow() || is_chunked(&request));
            let client = hyper::upgrade::on(&mut request);
            // Boxed, so that it is not moved with what the connection keeps of its request.
            let answering = Box::pin(handler(request, self.shutdown.clone()));
            let slot = Arc::clone(&self.slot);
            async move {
                let handled = caught::run(answering).await;
                let mut handled = handled.unwrap_or_else(|| panicked().into());
                if let Some(upgrade) = handled.upgrade {
                    *lock(&slot) = Some((client, upgrade));
                } else if is_last {
                    let headers = handled.response.headers_mut();
                    headers.insert(CONNECTION, HeaderValue::from_static("close"));
                }
                let response = handled.response.map(|body| ServedBody::new(body, open));
                Ok::<_, Infallible>(response)
            }
        });
        // The first bytes show the HTTP version, with and without TLS.
        let connection = Box::pin(
            builder
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .into_owned(),
        );
        let lifetime = self.lifetime;
        async move {
            if let Err(error) = lifetime.of(connection).await {
                tracing::trace!("a connection ended early: {error}");
            }
        }
    }
}

/// The response if not even an error could be made of what happened.
fn panicked() -> Response<Body> {
    let mut response = Response::new(full("a bug of the proxy has ended the request\n"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

fn builder(limits: &ConnectionLimits) -> auto::Builder<StreamExecutor> {
    let mut builder = auto::Builder::new(StreamExecutor {
        limit: limits.write,
    });
    builder
        .http1()
        // A connection on which a head trickles is idle: `Lifetime` ends it, without a timer for each request.
        .header_read_timeout(None)
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

/// Whether the connection must close after this request. The HTTP library takes what follows a malformed last chunk
/// (`0\r\n\n`) for trailers, and with it a next request; a proxy between us and the client may see the end of the
/// request elsewhere (request smuggling).
fn is_chunked(request: &Request<Incoming>) -> bool {
    request.headers().contains_key(TRANSFER_ENCODING)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use http::Response;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::watch;

    use super::{Activity, Connection, ConnectionLimits};
    use crate::wire::body::full;

    const SECOND: Duration = Duration::from_secs(1);

    /// Thousands of connections may be open for a long time, each in a task of its own.
    #[tokio::test]
    async fn the_task_of_a_connection_is_small() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap());
        let connection = Connection {
            stream: stream.await.unwrap(),
            tls: None,
            limits: ConnectionLimits {
                connections: 1,
                headers: 8192,
                idle: SECOND,
                queueing: SECOND,
                write: SECOND,
                drain: SECOND,
            },
            activity: Activity::new(Arc::default()),
            stop: watch::channel(false).1,
            shutdown: watch::channel(false).1,
        };
        let serving = connection.serve(|_, _| async { Response::new(full("")).into() });
        let size = size_of_val(&serving);
        assert!(size <= 3 << 10, "{size} bytes");
    }
}
