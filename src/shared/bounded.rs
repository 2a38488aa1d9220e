//! A stream that gives up when the server sends more than we want to read at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So many bytes may come without making a whole message or reply.
const MOST: usize = 256 << 10;

/// How many bytes have come since the last message or reply was whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Unread(Arc<AtomicUsize>);

impl Unread {
    /// A message or a reply is whole.
    pub(super) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A stream that fails when too much is unread.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    stream: S,
    unread: Unread,
}

impl<S> Bounded<S> {
    pub(super) fn new(stream: S, unread: Unread) -> Self {
        Self { stream, unread }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        let unread = self.unread.0.fetch_add(read, Ordering::Relaxed) + read;
        Poll::Ready(match unread > MOST {
            true => Err(io::Error::other("it sends more than any message of ours")),
            false => Ok(()),
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::{Bounded, MOST, Unread};

    #[tokio::test]
    async fn what_makes_no_message_is_read_up_to_a_limit() {
        let endless = tokio::io::repeat(b'x');
        let unread = Unread::default();
        let mut stream = Bounded::new(endless, unread.clone());
        let mut buffer = vec![0; MOST];
        stream.read_exact(&mut buffer).await.unwrap();
        unread.clear();
        stream.read_exact(&mut buffer).await.unwrap();
        assert!(stream.read_u8().await.is_err());
    }
}
