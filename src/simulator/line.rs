//! One accepted connection, and the switch by which an answer can cut it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
};

/// Cuts the connection it belongs to.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    reset: AtomicBool,
    cut: Notify,
}

impl Breaker {
    /// Closes the connection without another byte.
    pub(super) fn close(&self) {
        self.cut.notify_one();
    }

    /// Resets the connection, so that the caller sees RST instead of FIN.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
        self.close();
    }

    /// Returns once the connection has to be cut.
    pub(super) async fn thrown(&self) {
        self.cut.notified().await;
    }
}

/// The TCP stream below HTTP and TLS; resets instead of closing when its switch says so.
#[derive(Debug)]
pub(super) struct Line {
    tcp: TcpStream,
    breaker: Arc<Breaker>,
}

impl Line {
    pub(super) fn new(tcp: TcpStream, breaker: &Arc<Breaker>) -> Self {
        // Without it the kernel would merge the events of a stream; failing here changes only that.
        let _ = tcp.set_nodelay(true);
        Self {
            tcp,
            breaker: Arc::clone(breaker),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // HTTP owns the socket until it drops it, so this is the only moment to ask for RST.
        if self.breaker.reset.load(Ordering::Acquire) {
            let _ = self.tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
