//! An upstream of HTTP/1.1 that ends connections when a test wants it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &str = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello from bytes."},"finish_reason":"stop"}]}"#;

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
}

/// A running upstream.
pub(crate) struct Bytes {
    pub(crate) address: SocketAddr,
    /// For each request, the number of its connection.
    requests: Arc<Mutex<Vec<usize>>>,
}

impl Bytes {
    /// Requests are treated in these ways one after the other, and answered after that.
    pub(crate) async fn start(turns: &[Turn]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (theirs, turns) = (Arc::clone(&requests), turns.to_vec());
        tokio::spawn(async move {
            let mut connections = 0;
            while let Ok((tcp, _)) = listener.accept().await {
                connections += 1;
                let (requests, turns) = (Arc::clone(&theirs), turns.clone());
                // The gateway may hang up at any time.
                tokio::spawn(async move { serve(tcp, connections, &requests, &turns).await.ok() });
            }
        });
        Self { address, requests }
    }

    /// For each request, the number of its connection, from 1.
    pub(crate) fn requests(&self) -> Vec<usize> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut tcp: TcpStream,
    connection: usize,
    requests: &Mutex<Vec<usize>>,
    turns: &[Turn],
) -> std::io::Result<()> {
    loop {
        read_request(&mut tcp).await?;
        let turn = {
            let mut requests = requests.lock().unwrap();
            requests.push(connection);
            turns.get(requests.len() - 1).copied()
        };
        match turn.unwrap_or(Turn::Answer) {
            Turn::HangUp => return Ok(()),
            Turn::BreakOff => return tcp.write_all(b"HTTP/1.1 200 OK\r\nconte").await,
            Turn::Answer => answer(&mut tcp, "200 OK").await?,
            Turn::Fail => answer(&mut tcp, "500 Internal Server Error").await?,
        }
    }
}

async fn answer(tcp: &mut TcpStream, status: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    tcp.write_all(head.as_bytes()).await
}

/// Reads a head, and the body of the length that it announces.
pub(crate) async fn read_request(tcp: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    tcp.read_exact(&mut body).await?;
    Ok(head)
}
