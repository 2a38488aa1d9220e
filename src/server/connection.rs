//! One accepted connection, from its first byte to its last, including an upgrade to another protocol.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::activity::Activity;
use super::arrival::Arrival;
use super::beginning::Begun;
use super::client_stream::{ClientStream, PING};
use super::common::Common;
use super::lifetime::Lifetime;
use super::limits::ConnectionLimits;
use super::plain;
use super::slots::Slot;
use super::stream_task::{ServedBody, StreamExecutor};
use super::transport::Transport;
use crate::wire::bell::{Bell, Doorkeeper, only_when_woken};
use crate::wire::body::{Body, full};
use crate::wire::caught;
use crate::wire::offload;
use crate::wire::overload::Overloaded;
use crate::wire::request_body::RequestBody;
use crate::wire::upgrade::UpgradeHandler;

pub(super) struct Connection {
    /// How long its requests wait for the processor, where that decides on them.
    pub(super) arrival: Option<Arc<Arrival>>,
    pub(super) stream: TcpStream,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) activity: Arc<Activity>,
    pub(super) common: Arc<Common>,
}

/// The upgrade handler that takes over the connection after HTTP, once there is one.
type UpgradeSlot = Arc<Mutex<Option<(OnUpgrade, UpgradeHandler)>>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    /// Serves the requests of the connection, which holds its place meanwhile. How it ends is the client's business, so errors
    /// are only traced.
    pub(super) async fn serve(self, place: Slot) {
        let slot = UpgradeSlot::default();
        let (activity, common) = (Arc::clone(&self.activity), Arc::clone(&self.common));
        self.converse(Arc::clone(&slot)).await;
        let _open = activity.begin();
        let upgrade = lock(&slot).take();
        if let Some((client, handler)) = upgrade
            && let Ok(client) = client.await
        {
            handler.run(client, common.shutdown.clone()).await;
        }
        drop(place);
    }

    /// Serves them by HTTP. What takes a lot of room and is over soon is boxed, and so is what HTTP is made of.
    async fn converse(self, slot: UpgradeSlot) {
        let lifetime = Lifetime {
            activity: Arc::clone(&self.activity),
            common: Arc::clone(&self.common),
        };
        let beginning = begin(
            self.stream,
            self.arrival.clone(),
            self.tls,
            self.common.limits.write,
        );
        let Some(stream) = Box::pin(lifetime.beginning(beginning)).await else {
            return;
        };
        let limits = &lifetime.common.limits;
        let requests = Requests {
            arrival: self.arrival,
            activity: self.activity,
            common: self.common,
            slot,
        };
        let is_http2 = stream.is_http2();
        let (stream, service) = (TokioIo::new(stream), requests.service());
        let ended = match is_http2 {
            true => {
                let connection = http2(limits).serve_connection(stream, service);
                let ask = http2::Connection::graceful_shutdown;
                lifetime.of(Box::pin(connection), ask).await
            }
            false => {
                let connection = http1(limits).serve_connection(stream, service);
                let ask = http1::UpgradeableConnection::graceful_shutdown;
                let connection = Box::pin(connection.with_upgrades());
                lifetime.of(connection, ask).await
            }
        };
        if let Err(error) = ended {
            tracing::trace!("a connection ended early: {error}");
        }
    }
}

/// The beginning of a connection: the TLS handshake, where there is one, and the first bytes of HTTP.
async fn begin(
    stream: TcpStream,
    arrival: Option<Arc<Arrival>>,
    tls: Option<TlsAcceptor>,
    write: Duration,
) -> io::Result<Begun<Transport>> {
    if tls.is_some() && plain::is_spoken(&stream).await? {
        plain::refuse(stream).await?;
        return Err(io::Error::other("the client speaks no TLS"));
    }
    let stream = ClientStream::new(stream, arrival, write);
    let transport = match tls {
        None => Transport::Tcp(stream),
        Some(acceptor) => {
            let stream = acceptor.accept(stream).await?;
            Transport::Tls(Box::new(stream))
        }
    };
    Begun::wait(transport).await
}

/// What the requests of a connection need.
struct Requests {
    arrival: Option<Arc<Arrival>>,
    activity: Arc<Activity>,
    common: Arc<Common>,
    slot: UpgradeSlot,
}

impl Requests {
    /// Whether there is time for a request that has just been read.
    fn has_time_for(&self, request: &Request<Incoming>) -> bool {
        let (Some(arrival), Some(pressure)) = (&self.arrival, &self.common.pressure) else {
            return true;
        };
        let length = request.body().size_hint().exact().unwrap_or_default();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        pressure.admits(arrival.waited(), offload::queue(length))
    }

    /// What answers them.
    fn service(
        self,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response<ServedBody>,
        Error = Infallible,
        Future = impl Future<Output = Result<Response<ServedBody>, Infallible>> + Send + 'static,
    > + Send {
        let bell = Bell::new();
        service_fn(move |mut request| {
            if !self.has_time_for(&request) {
                request.extensions_mut().insert(Overloaded);
            }
            let open = self.activity.begin();
            let is_old = request.version() < Version::HTTP_2;
            let is_last = is_old && (*self.common.stop.borrow() || is_chunked(&request));
            let client = hyper::upgrade::on(&mut request);
            let request = RequestBody::of(request);
            let answering = (self.common.handler)(request, self.common.shutdown.clone());
            let slot = Arc::clone(&self.slot);
            let bell = Arc::clone(&bell);
            async move {
                let answering = pin!(caught::run(answering));
                let handled = match is_old {
                    // One request after the other is answered in the task of the connection, which is woken for more.
                    true => only_when_woken(Arc::clone(&bell), answering).await,
                    false => answering.await,
                };
                let mut handled = handled.unwrap_or_else(|| panicked().into());
                if let Some(upgrade) = handled.upgrade {
                    *lock(&slot) = Some((client, upgrade));
                } else if is_last {
                    let headers = handled.response.headers_mut();
                    headers.insert(CONNECTION, HeaderValue::from_static("close"));
                }
                let doorkeeper = is_old.then(|| Doorkeeper::new(&bell));
                let response = handled.response;
                let response = response.map(|body| ServedBody::new(body, open, doorkeeper));
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

    use super::{Activity, Arrival, Common, Connection, ConnectionLimits};
    use crate::server::pressure::Pressure;
    use crate::server::slots::Slots;
    use crate::wire::body::full;

    const SECOND: Duration = Duration::from_secs(1);

    /// Thousands of connections may be open for a long time, each in a task of its own.
    #[tokio::test]
    async fn the_task_of_a_connection_is_small() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap());
        let common = Common {
            limits: ConnectionLimits {
                connections: 1,
                headers: 8192,
                idle: SECOND,
                queueing: SECOND,
                write: SECOND,
                drain: SECOND,
            },
            stop: watch::channel(false).1,
            shutdown: watch::channel(false).1,
            handler: Arc::new(|_, _| Box::pin(async { Response::new(full("")).into() })),
            pressure: Pressure::bounded(SECOND, &Arc::default()),
        };
        let activity = Activity::new();
        let slots = Slots::new(1);
        let slot = slots.enter(slots.acquire().await, Arc::clone(&activity));
        let connection = Connection {
            arrival: Some(Arrival::new()),
            stream: stream.await.unwrap(),
            tls: None,
            activity,
            common: Arc::new(common),
        };
        let size = size_of_val(&connection.serve(slot));
        assert!(size <= 1536, "{size} bytes");
    }
}
