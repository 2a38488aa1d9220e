//! A client's TCP connection, which fails once the client has read nothing for too long.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::arrival::Arrival;

/// Detects peers that disappeared without closing the connection.
pub(super) const PING: Duration = Duration::from_secs(30);

/// Progress counts, not the total: one byte that the client reads restarts the timeout.
#[derive(Debug)]
pub(super) struct ClientStream {
    stream: TcpStream,
    arrival: Option<(Arc<Arrival>, Waker)>,
    limit: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
    is_blocked: bool,
}

impl ClientStream {
    /// `arrival`: what notes how long reading has to wait. `limit`: how long the client may read nothing.
    pub(super) fn new(stream: TcpStream, arrival: Option<Arc<Arrival>>, limit: Duration) -> Self {
        // Latency matters more than the number of packets.
        let _ = stream.set_nodelay(true);
        // HTTP/1.1 and the protocols it is upgraded to have no pings that we could send.
        let pings = TcpKeepalive::new().with_time(PING).with_interval(PING);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&pings);
        Self {
            stream,
            arrival: arrival.map(|arrival| (Arc::clone(&arrival), arrival.into())),
            limit,
            alarm: None,
            is_blocked: false,
        }
    }

    /// Restarts or checks the timeout after an attempt to write.
    fn watched<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.is_blocked = false;
            return written;
        }
        let limit = self.limit;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !self.is_blocked {
            self.is_blocked = true;
            alarm.as_mut().reset(Instant::now() + limit);
        }
        if alarm.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        // Otherwise the system would keep the unread data and wait.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client takes nothing",
        )))
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self {
            stream, arrival, ..
        } = &mut *self;
        let Some((arrival, waker)) = arrival else {
            return Pin::new(stream).poll_read(context, buffer);
        };
        arrival.reads(context);
        Pin::new(stream).poll_read(&mut Context::from_waker(waker), buffer)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watched(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watched(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// There is no buffer to flush.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
