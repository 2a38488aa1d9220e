//! One HTTP/1.1 connection, which carries one request at a time and is driven by whoever waits for the reply.
//!
//! It has no task of its own. That saves two changes of tasks for each piece of a reply, and several pieces that come
//! together can go out together. It is entered only when there is something to do: when its socket has rung, or when a
//! piece has been taken, behind which there may be another.
//!
//! What goes between its two ends within one task still costs hyper's locks and wakers: of the time that an event of a burst
//! takes, most goes into some forty atomic operations. So neither end is asked in vain, or woken when nobody waits.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::task::unconstrained;

use super::line::Wire;
use crate::wire::bell::{Bell, Listener};
use crate::wire::upload::Upload;

/// How much is read or written at once; also the longest head of a reply.
const BUFFER: usize = 128 << 10;
/// How often it goes on at once, before others have their turn.
const MOST_TURNS: usize = 8;

/// A connection that carries one request at a time.
pub(super) struct Single {
    sender: http1::SendRequest<Upload>,
    /// `None` once it has ended.
    connection: Option<http1::Connection<TokioIo<Wire>, Upload>>,
    /// Rings when the socket is ready for what was tried on it.
    socket: Listener,
    /// There is more to do whatever the socket says.
    more: Arc<More>,
    /// Says that there is more to do.
    waker: Waker,
}

/// Whether it has been woken. Nobody waits for that, so there is nobody to wake.
#[derive(Default)]
struct More(AtomicBool);

impl More {
    /// Whether it has been woken since this was last asked.
    fn take(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::AcqRel)
    }
}

impl Wake for More {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Single {
    pub(super) async fn open(mut wire: Wire) -> hyper::Result<Box<Self>> {
        let (socket, more) = (Bell::new(), Arc::<More>::default());
        wire.rings(&socket);
        let io = TokioIo::new(wire);
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(io)
            .await?;
        Ok(Box::new(Self {
            sender,
            connection: Some(connection),
            socket: Listener::to(socket),
            waker: Arc::clone(&more).into(),
            more,
        }))
    }

    /// Sends a request, and waits for the head of the reply.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Upload>>> {
        // What comes by a turn is there even if that has used up all that a task may do at a time.
        let mut response = pin!(unconstrained(self.sender.try_send_request(request)));
        self.more.wake_by_ref();
        poll_fn(|context| self.drive(context, |context| response.as_mut().poll(context))).await
    }

    /// The next frame of the reply's body. Meanwhile the request's own body is sent, if the reply came before its end.
    pub(super) fn poll_body(
        &mut self,
        body: &mut Incoming,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        self.drive(context, |context| Pin::new(&mut *body).poll_frame(context))
    }

    /// Whether it can carry another request: the last one and its reply are complete, and nothing has come since.
    pub(super) fn is_idle(&mut self) -> bool {
        if self.socket.take() {
            self.turn();
        }
        self.connection.is_some() && self.sender.is_ready()
    }

    /// From now on this one is woken when something happens on it.
    pub(super) fn wakes(&mut self, waker: &Waker) {
        self.socket.wakes(waker);
    }

    /// Says goodbye, where the system takes it at once.
    pub(super) fn close(self) {
        let Self {
            sender,
            connection,
            waker,
            ..
        } = self;
        drop(sender);
        if let Some(connection) = connection {
            let mut context = Context::from_waker(&waker);
            let _ = pin!(connection).poll(&mut context);
        }
    }

    /// Waits for what comes out of the connection: that comes by a turn alone, so it needs no waker of its own.
    fn drive<T>(
        &mut self,
        context: &mut Context<'_>,
        mut result: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.wakes(context.waker());
        let mut is_due = self.is_due();
        for _ in 0..MOST_TURNS {
            if is_due {
                self.turn();
            }
            if let Poll::Ready(result) = result(&mut Context::from_waker(Waker::noop())) {
                return Poll::Ready(result);
            }
            is_due = self.is_due();
            if !is_due {
                return Poll::Pending;
            }
        }
        self.more.wake_by_ref();
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_due(&self) -> bool {
        self.more.take() | self.socket.take()
    }

    fn turn(&mut self) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let mut context = Context::from_waker(&self.waker);
        if Pin::new(connection).poll(&mut context).is_ready() {
            // Its errors are those of its request, whose result is there now.
            self.connection = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::Poll;
    use std::time::Duration;

    use bytes::Bytes;
    use http::Request;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::coop::poll_proceed;

    use super::Single;
    use crate::upstream::network::line::{Line, Transport, Wire};

    /// So many steps may a task make before others have their turn.
    const STEPS: usize = 128;

    #[tokio::test]
    async fn a_reply_is_seen_however_little_its_task_may_still_do_when_it_comes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for spent in STEPS - 8..=STEPS {
            let tcp = TcpStream::connect(listener.local_addr().unwrap());
            let (ours, (mut server, _)) = tokio::try_join!(tcp, listener.accept()).unwrap();
            let line = Arc::new(Line::new(0));
            let wire = Wire::new(Transport::Tcp(ours), line, Duration::MAX);
            let mut single = Single::open(wire).await.unwrap();
            let request = Request::get("/").body(Bytes::new().into()).unwrap();
            let mut exchange = pin!(single.exchange(request));
            let mut looks = 0;
            let asking = poll_fn(|context| {
                looks += 1;
                if looks == 2 {
                    for _ in 0..spent {
                        if let Poll::Ready(step) = poll_proceed(context) {
                            step.made_progress();
                        }
                    }
                }
                exchange.as_mut().poll(context)
            });
            let serving = async move {
                let _ = server.read(&mut [0; 1 << 10]).await.unwrap();
                let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbegun";
                server.write_all(begun).await.unwrap();
            };
            let serving = tokio::spawn(serving);
            assert!(asking.await.is_ok(), "after {spent} steps");
            serving.await.unwrap();
        }
    }
}
