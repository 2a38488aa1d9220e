//! A connection's bytes, and what is known of it: its age, its load, and whether anything has come over it.

use std::error::Error;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::{Handle, Id};
use tokio::task::coop::poll_proceed;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use crate::wire::bell::Bell;
use crate::wire::socket::limit_unacknowledged;

/// After this age a connection takes no more requests, so that a host whose DNS name has moved, or a load balancer with
/// new members, is found also while nothing fails. It varies by a fifth, so that connections do not end all at once.
const GREATEST_AGE: Duration = Duration::from_secs(300);
/// A body up to this size fits into the receive window that systems start with (64 KiB), so that the upstream's system
/// acknowledges it even while the upstream reads nothing.
const SMALL_BODY: usize = 32 << 10;
/// Reading so much takes one of the turns after which a task lets others run. A read may bring many times as much, in thousands of
/// heads of replies to come (1xx), and the next one follows at once.
const ONE_TURN: usize = 8 << 10;

/// Why no connection was made.
pub(super) type ConnectError = Box<dyn Error + Send + Sync>;

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Line {
    /// The pool's generation when it was opened.
    pub(super) generation: u64,
    /// The runtime in which it was opened, whose thread sees what comes over it.
    pub(super) home: Id,
    pub(super) opened: Instant,
    expires: Instant,
    /// Bytes have come since the last request began.
    received: AtomicBool,
    /// It has carried a reply.
    answered: AtomicBool,
    /// The body that is being sent may meet a closed window.
    sends_much: AtomicBool,
    /// Requests in flight.
    load: AtomicUsize,
}

impl Line {
    pub(super) fn new(generation: u64) -> Self {
        let opened = Instant::now();
        Self {
            generation,
            home: Handle::current().id(),
            opened,
            expires: opened + GREATEST_AGE.mul_f32(0.8 + 0.4 * fastrand::f32()),
            received: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            sends_much: AtomicBool::new(false),
            load: AtomicUsize::new(0),
        }
    }

    pub(super) fn is_young(&self, now: Instant) -> bool {
        now < self.expires
    }

    /// Whether it has carried a reply before.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Whether bytes have come since the oldest request in flight began.
    pub(super) fn has_spoken(&self) -> bool {
        self.received.load(Ordering::Relaxed)
    }

    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// A reply has come.
    pub(super) fn answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// A request with a body of this size begins.
    pub(super) fn begin(self: &Arc<Self>, body: usize) -> Place {
        if self.load.fetch_add(1, Ordering::Relaxed) == 0 {
            self.received.store(false, Ordering::Relaxed);
            self.sends_much.store(false, Ordering::Relaxed);
        }
        if body > SMALL_BODY {
            self.sends_much.store(true, Ordering::Relaxed);
        }
        Place(Arc::clone(self))
    }
}

/// The place of a request in flight on a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Place(pub(super) Arc<Line>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.load.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes both ways.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What the bytes go through.
pub(super) enum Transport {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Through an HTTP proxy.
    Tunnel(Box<dyn Duplex>),
}

/// A connection that notes when bytes come, and lets a large body wait for an upstream that is busy.
///
/// If the network is lost, a request on a pooled connection is not acknowledged, and the system would retransmit for a
/// quarter of an hour. `TCP_USER_TIMEOUT` limits that. But it also limits how long the receive window of the upstream may
/// stay closed: an upstream that is busy and reads nothing would lose the body, although its system acknowledges every
/// probe of the window. So the limit does not hold for bodies that may close the window. Those have the timeouts of the
/// attempt, and HTTP/2 has its pings.
pub(super) struct Wire {
    transport: Transport,
    line: Arc<Line>,
    /// How long sent bytes may go without acknowledgement.
    unacknowledged: Duration,
    /// Whether the limit is lifted now.
    is_lifted: bool,
    /// What the system wakes in place of the task that reads or writes.
    bell: Option<Waker>,
}

impl Transport {
    fn stream(&mut self) -> Pin<&mut dyn Duplex> {
        match self {
            Self::Tcp(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream.as_mut()),
            Self::Tunnel(stream) => Pin::new(stream.as_mut()),
        }
    }
}

impl Wire {
    /// The limit has been set on the socket already.
    pub(super) fn new(transport: Transport, line: Arc<Line>, unacknowledged: Duration) -> Self {
        Self {
            transport,
            line,
            unacknowledged,
            is_lifted: false,
            bell: None,
        }
    }

    /// From now on the system rings this bell when it is ready again, whoever reads or writes.
    pub(super) fn rings(&mut self, bell: &Arc<Bell>) {
        self.bell = Some(Arc::clone(bell).into());
    }

    /// The bytes, and who is woken.
    fn parts<'a>(&'a mut self, context: &'a Context<'_>) -> (Pin<&'a mut dyn Duplex>, Context<'a>) {
        let waker = self.bell.as_ref().unwrap_or_else(|| context.waker());
        (self.transport.stream(), Context::from_waker(waker))
    }

    fn adapt_limit(&mut self) {
        let is_lifted = self.line.sends_much.load(Ordering::Relaxed);
        if is_lifted == self.is_lifted {
            return;
        }
        self.is_lifted = is_lifted;
        let tcp = match &self.transport {
            Transport::Tcp(tcp) => tcp,
            Transport::Tls(tls) => tls.get_ref().0,
            Transport::Tunnel(_) => return,
        };
        let limit = (!is_lifted).then_some(self.unacknowledged);
        if let Err(error) = limit_unacknowledged(tcp, limit) {
            tracing::debug!("TCP_USER_TIMEOUT cannot be changed: {error}");
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let (stream, mut woken) = self.parts(context);
        let polled = stream.poll_read(&mut woken, buffer);
        let came = buffer.filled().len() - before;
        for _ in 0..came / ONE_TURN {
            if let Poll::Ready(turn) = poll_proceed(&mut woken) {
                turn.made_progress();
            }
        }
        if came > 0 {
            self.line.received.store(true, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.adapt_limit();
        let (stream, mut context) = self.parts(context);
        stream.poll_write(&mut context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.adapt_limit();
        let (stream, mut context) = self.parts(context);
        stream.poll_write_vectored(&mut context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Tcp(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
            Transport::Tunnel(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (stream, mut context) = self.parts(context);
        stream.poll_flush(&mut context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (stream, mut context) = self.parts(context);
        stream.poll_shutdown(&mut context)
    }
}
