//! An upstream of HTTP/1.1 that ends connections when a test wants it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinError;

pub(crate) const ANSWER: &str = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello from bytes."},"finish_reason":"stop"}]}"#;

/// What it does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It answers, and keeps the connection.
    Answer,
    /// It answers 500, and keeps the connection.
    Fail,
    /// It ends the connection without a byte.
    HangUp,
    /// It ends the connection within the head of its answer.
    BreakOff,
    /// It says this, and keeps the connection.
    Say(&'static [u8]),
    /// It reads nothing of the body for this long.
    Dawdle(Duration),
}

/// A running upstream.
pub(crate) struct Bytes {
    pub(crate) address: SocketAddr,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    /// For each request, the number of its connection.
    connections: Mutex<Vec<usize>>,
    heads: Mutex<Vec<String>>,
}

impl Bytes {
    /// Requests are treated in these ways one after the other, and answered after that.
    pub(crate) async fn start(turns: &[Turn]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Log::default());
        let (theirs, turns) = (Arc::clone(&log), turns.to_vec());
        tokio::spawn(async move {
            let mut connections = 0;
            while let Ok((tcp, _)) = listener.accept().await {
                connections += 1;
                let (log, turns) = (Arc::clone(&theirs), turns.clone());
                // The gateway may hang up at any time.
                tokio::spawn(async move { serve(tcp, connections, &log, &turns).await.ok() });
            }
        });
        Self { address, log }
    }

    /// For each request, the number of its connection, from 1.
    pub(crate) fn requests(&self) -> Vec<usize> {
        self.log.connections.lock().unwrap().clone()
    }

    /// The heads of the requests.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.log.heads.lock().unwrap().clone()
    }
}

async fn serve(
    mut tcp: TcpStream,
    connection: usize,
    log: &Log,
    turns: &[Turn],
) -> std::io::Result<()> {
    loop {
        let (head, length) = read_head(&mut tcp).await?;
        let turn = {
            let mut connections = log.connections.lock().unwrap();
            connections.push(connection);
            turns.get(connections.len() - 1).copied()
        };
        log.heads.lock().unwrap().push(head);
        if let Some(Turn::Dawdle(pause)) = turn {
            wait(pause).await?;
        }
        tcp.read_exact(&mut vec![0; length]).await?;
        match turn.unwrap_or(Turn::Answer) {
            Turn::HangUp => return Ok(()),
            Turn::BreakOff => return tcp.write_all(b"HTTP/1.1 200 OK\r\nconte").await,
            Turn::Answer | Turn::Dawdle(_) => answer(&mut tcp, "200 OK").await?,
            Turn::Fail => answer(&mut tcp, "500 Internal Server Error").await?,
            Turn::Say(reply) => tcp.write_all(reply).await?,
        }
    }
}

/// In real time, as the system counts it, and not by the clock of the test.
#[expect(
    clippy::disallowed_methods,
    reason = "on a thread that is there to be blocked"
)]
async fn wait(pause: Duration) -> Result<(), JoinError> {
    tokio::task::spawn_blocking(move || std::thread::sleep(pause)).await
}

pub(super) async fn answer(tcp: &mut TcpStream, status: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    tcp.write_all(head.as_bytes()).await
}

/// Reads a request; gives its head.
pub(super) async fn read_request(tcp: &mut TcpStream) -> std::io::Result<String> {
    let (head, length) = read_head(tcp).await?;
    tcp.read_exact(&mut vec![0; length]).await?;
    Ok(head)
}

/// Reads a head; also gives the length of the body that it announces.
async fn read_head(tcp: &mut TcpStream) -> std::io::Result<(String, usize)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let lengths = head.lines();
    let length = lengths
        .filter_map(|line| line.strip_prefix("content-length: "))
        .next();
    let length = length.map_or(0, |length| length.parse().unwrap());
    Ok((head, length))
}
