//! The first bytes of a connection, which show the version of HTTP that the client speaks, with and without TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// How HTTP/2 begins (RFC 9113, section 3.4).
const HTTP_2: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose first bytes have been looked at. Whoever reads from it gets them together with what follows: for a head
/// that comes in two pieces, the HTTP library would take twice the memory, and keep it as long as the connection.
#[derive(Debug)]
pub(super) struct Begun<S> {
    stream: S,
    first: [u8; HTTP_2.len()],
    /// How many of them have come, and have not been read.
    count: usize,
}

impl<S: AsyncRead + Unpin> Begun<S> {
    /// Waits for as many bytes as show the version.
    pub(super) async fn wait(mut stream: S) -> io::Result<Self> {
        let mut first = [0; _];
        let mut count = 0;
        while count < HTTP_2.len() && HTTP_2.starts_with(&first[..count]) {
            match stream.read(&mut first[count..]).await? {
                0 => break,
                more => count += more,
            }
        }
        Ok(Self {
            stream,
            first,
            count,
        })
    }

    /// Whether the client speaks HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.first == HTTP_2
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let fitting = self.count.min(buffer.remaining());
        buffer.put_slice(&self.first[..fitting]);
        self.first.rotate_left(fitting % HTTP_2.len());
        self.count -= fitting;
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Pending if fitting > 0 => Poll::Ready(Ok(())),
            polled => polled,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Begun<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::{Begun, HTTP_2};

    /// What comes in the first piece, whether that is the beginning of HTTP/2, and what is read at once.
    async fn read(bytes: &[u8]) -> (bool, Vec<u8>) {
        let mut begun = Begun::wait(bytes).await.unwrap();
        let is_http2 = begun.is_http2();
        let mut first = vec![0; 64];
        let count = begun.read(&mut first).await.unwrap();
        first.truncate(count);
        (is_http2, first)
    }

    #[tokio::test]
    async fn the_version_is_known_and_the_first_bytes_come_with_the_rest() {
        let head = b"POST /v1/chat/completions HTTP/1.1\r\n\r\n";
        assert_eq!(read(head).await, (false, head.to_vec()));
        let more = [&HTTP_2[..], b"\0\0\0\x04\0\0\0\0\0"].concat();
        assert_eq!(read(&more).await, (true, more.clone()));
        for cut in ["", "P", "PRI * HTTP/2.0\r\n"] {
            assert_eq!(read(cut.as_bytes()).await, (false, cut.into()), "{cut:?}");
        }
        assert!(!read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX").await.0);
    }

    #[tokio::test]
    async fn whoever_reads_little_at_a_time_gets_all_of_it() {
        for said in ["PROPFIND / HTTP/1.1", "PRI * HTTP/2.0 and more"] {
            let mut begun = Begun::wait(said.as_bytes()).await.unwrap();
            let mut all = Vec::new();
            for _ in 0..said.len() {
                all.push(begun.read_u8().await.unwrap());
            }
            assert_eq!(all, said.as_bytes());
        }
    }
}
