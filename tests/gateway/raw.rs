//! An HTTP/1 connection on which the test controls every byte.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::within;

/// The connection, and what has come on it.
pub(crate) struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self {
            stream: within(TcpStream::connect(address)).await.unwrap(),
            read: Vec::new(),
        }
    }

    /// Sends bytes, unless the other side has closed.
    pub(crate) async fn say(&mut self, bytes: &[u8]) {
        let _ = within(self.stream.write_all(bytes)).await;
    }

    /// Posts a JSON body.
    pub(crate) async fn ask(&mut self, path: &str, body: &str) {
        let length = body.len();
        self.say(
            format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"
            )
            .as_bytes(),
        )
        .await;
    }

    /// Everything that has arrived, once it contains this, or the connection is closed.
    pub(crate) async fn until(&mut self, needle: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.read).into_owned();
            if text.contains(needle) || !self.read_more().await {
                return text;
            }
        }
    }

    /// All that has come until the other side has closed, and whether that was a proper end.
    pub(crate) async fn until_closed(mut self) -> String {
        while self.read_more().await {}
        String::from_utf8_lossy(&self.read).into_owned()
    }

    /// Whether the other side has closed by now.
    pub(crate) fn is_closed(&self) -> bool {
        let mut buffer = [0; 1024];
        match self.stream.try_read(&mut buffer) {
            Ok(count) => count == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }

    async fn read_more(&mut self) -> bool {
        self.read.reserve(16 << 10);
        // Closing while we send may reset the connection; closed is closed.
        let read = within(self.stream.read_buf(&mut self.read)).await;
        read.is_ok_and(|count| count > 0)
    }
}
