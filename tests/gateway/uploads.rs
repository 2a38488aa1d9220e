//! Large requests on slow ways: to send them is no waiting for an answer, unless nobody takes them.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::harness::{Setup, TestGateway, chat_text, simulators};

const CHAT: &str = "/v1/chat/completions";
const ANSWER: &str = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Read."},"finish_reason":"stop"}]}"#;
/// Larger than what the system keeps between two programs.
const LARGE: usize = 20 << 20;

/// An upstream that reads a megabyte, and then rests for so long, until it has read so many bytes; it answers when it
/// has read them all.
async fn slow_reader(rest: Duration, most: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    SockRef::from(&listener)
        .set_recv_buffer_size(64 << 10)
        .unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(read_slowly(stream, rest, most));
        }
    });
    address
}

async fn read_slowly(mut stream: TcpStream, rest: Duration, most: usize) {
    let mut buffer = vec![0; 1 << 20];
    let mut read = 0;
    while read < LARGE {
        if read >= most {
            // It keeps the connection, and reads no further.
            return std::future::pending().await;
        }
        match stream
            .read_exact(&mut buffer[..(LARGE - read).min(1 << 20)])
            .await
        {
            Ok(count) => read += count,
            Err(_) => return,
        }
        sleep(rest).await;
    }
    let length = ANSWER.len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let answer = format!("{head}content-length: {length}\r\n\r\n{ANSWER}");
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.read(&mut buffer).await;
}

fn large(streaming: bool) -> Value {
    let text = "x".repeat(LARGE);
    json!({"model": "gpt-4o", "stream": streaming, "messages": [{"role": "user", "content": text}]})
}

async fn before(slow: SocketAddr, timeouts: &str) -> (TestGateway, backstop::simulator::Simulator) {
    let (_, second) = simulators().await;
    let gateway = Setup::new()
        .upstream_at(
            "slow",
            &format!("http://{slow}/v1"),
            "provider: openai-compatible, api_key: slow-key",
        )
        .upstream(&second)
        .lines(timeouts)
        .start()
        .await;
    (gateway, second)
}

#[tokio::test]
async fn a_long_upload_is_no_wait_for_the_answer() {
    // To read it takes several times as long as an answer may take, and so does what systems keep for a slow reader.
    let slow = slow_reader(Duration::from_millis(300), usize::MAX).await;
    let timeouts = "timeouts: {first_token: 1200ms, answer: 1200ms, idle: 2s}\n";
    let (gateway, second) = before(slow, timeouts).await;
    let answered = gateway.post(CHAT, &large(false)).await;
    assert_eq!(answered.trail(), ["slow:ok"]);
    assert_eq!(chat_text(&answered), "Read.");
    assert_eq!(second.received_count(), 0);
}

#[tokio::test]
async fn an_upload_that_stalls_fails_over() {
    let slow = slow_reader(Duration::ZERO, 1 << 20).await;
    let timeouts = "timeouts: {first_token: 10s, answer: 10s, idle: 1s}\n";
    let (gateway, second) = before(slow, timeouts).await;
    let answered = gateway.post(CHAT, &large(false)).await;
    assert_eq!(answered.trail(), ["slow:idle_timeout", "second:ok"]);
    assert_eq!(second.received_count(), 1);
}
