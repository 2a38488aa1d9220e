//! One accepted connection, from its first byte to its last, including an upgrade to another protocol.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::activity::Activity;
use super::beginning::Begun;
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
        let requests = Requests {
            activity: Arc::clone(&self.activity),
            stop: self.stop.clone(),
            shutdown: self.shutdown.clone(),
            slot: Arc::clone(&slot),
        };
        let http = Http {
            limits: self.limits,
            lifetime: Lifetime {
                activity: Arc::clone(&self.activity),
                idle,
                write,
                drain,
                stop: self.stop,
            },
            requests,
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
                http.drive(Box::new(stream), handler).await;
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
    requests: Requests,
}

/// What the requests of a connection need.
struct Requests {
    activity: Arc<Activity>,
    stop: watch::Receiver<bool>,
    shutdown: Shutdown,
    slot: UpgradeSlot,
}

impl Http {
    /// Drives the connection to its end.
    async fn drive<S, H, F>(mut self, stream: S, handler: H)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        H: Fn(Request<Incoming>, Shutdown) -> F + Clone + Send + 'static,
        F: Future<Output = Handled> + Send + 'static,
    {
        let Some(stream) = self.lifetime.beginning(Begun::wait(stream)).await else {
            return;
        };
        let is_http2 = stream.is_http2();
        let (stream, service) = (TokioIo::new(stream), self.requests.service(handler));
        // Boxed as they are made: they are large.
        let ended = match is_http2 {
            true => {
                let connection = http2(&self.limits).serve_connection(stream, service);
                let ask = http2::Connection::graceful_shutdown;
                self.lifetime.of(Box::pin(connection), ask).await
            }
            false => {
                let connection = http1(&self.limits).serve_connection(stream, service);
                let ask = http1::UpgradeableConnection::graceful_shutdown;
                let connection = Box::pin(connection.with_upgrades());
                self.lifetime.of(connection, ask).await
            }
        };
        if let Err(error) = ended {
            tracing::trace!("a connection ended early: {error}");
        }
    }
}

impl Requests {
    /// What answers them.
    fn service<H, F>(
        self,
        handler: H,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response<ServedBody>,
        Error = Infallible,
        Future = impl Future<Output = Result<Response<ServedBody>, Infallible>> + Send + 'static,
    > + Send
    where
        H: Fn(Request<Incoming>, Shutdown) -> F + Clone + Send + 'static,
        F: Future<Output = Handled> + Send + 'static,
    {
        service_fn(move |mut request| {
            if !self.activity.admits() {
                request.extensions_mut().insert(Overloaded);
            }
            let open = self.activity.begin();
            let is_old = request.version() < Version::HTTP_2;
            let is_last = is_old && (*self.stop.borrow() || is_chunked(&request));
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
        })
    }
}

/// The response if not even an error could be made of what happened.
fn panicked() -> Response<Body> {
    let mut response = Response::new(full("a bug of the proxy has ended the request\n"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

fn http1(limits: &ConnectionLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // A connection on which a head trickles is idle: `Lifetime` ends it, without a timer for each request.
        .header_read_timeout(None)
        .max_buf_size(limits.headers.max(SMALLEST_BUFFER));
    builder
}

fn http2(limits: &ConnectionLimits) -> http2::Builder<StreamExecutor> {
    let mut builder = http2::Builder::new(StreamExecutor {
        limit: limits.write,
    });
    builder
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
        println!("SIZE {size}");
        assert!(size <= 3 << 10, "{size} bytes");
    }
}
