//! What a simulator does on the wire, seen from a raw TCP connection.

use std::{future::Future, io, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{Fault, Script, Simulator};

mod answers;
mod port;
mod single;
mod streams;
mod tls;

/// How a connection looked after its last byte.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
    Silent,
}

/// Everything that came back on one connection.
#[derive(Debug)]
struct Exchange {
    text: String,
    end: End,
}

impl Exchange {
    fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |parts| parts.1)
    }

    fn json(&self) -> Value {
        serde_json::from_str(self.body()).unwrap_or_default()
    }

    fn is_status(&self, code: u16) -> bool {
        self.text.starts_with(&format!("HTTP/1.1 {code} "))
    }

    fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// Whether a chunked body came to its proper end.
    fn is_whole(&self) -> bool {
        self.body().ends_with("0\r\n\r\n")
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), future).await.unwrap()
}

async fn simulator(script: Script) -> Simulator {
    Simulator::start("a", script).await.unwrap()
}

async fn failing(fault: Fault) -> Simulator {
    simulator(Script::fault(fault)).await
}

/// Sends a request and leaves the answer on the connection.
async fn send(simulator: &Simulator, path: &str, body: &str) -> io::Result<TcpStream> {
    let mut tcp = TcpStream::connect(simulator.address()).await?;
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    tcp.write_all((head + body).as_bytes()).await?;
    Ok(tcp)
}

/// Sends a request and reads until the connection ends or falls silent.
async fn exchange(simulator: &Simulator, path: &str, body: &str) -> Exchange {
    let mut tcp = within(send(simulator, path, body)).await.unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        match timeout(SILENCE, tcp.read(&mut buffer)).await {
            Ok(Ok(0)) => break End::Closed,
            Ok(Ok(count)) => bytes.extend_from_slice(&buffer[..count]),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => break End::Reset,
            Ok(Err(error)) => panic!("unexpected {error}"),
            Err(_) => break End::Silent,
        }
    };
    let text = String::from_utf8(bytes).unwrap();
    Exchange { text, end }
}

async fn chat(simulator: &Simulator) -> Exchange {
    exchange(simulator, "/v1/chat/completions", r#"{"model":"m"}"#).await
}

async fn chat_stream(simulator: &Simulator) -> Exchange {
    exchange(simulator, "/v1/chat/completions", STREAM).await
}

const STREAM: &str = r#"{"model":"m","stream":true}"#;
/// What has not come by then does not come, even on a busy machine.
const SILENCE: Duration = Duration::from_secs(2);
