//! Connections of HTTP/1.1 that are kept between requests: only whole ones, and only as long as they are good.

use std::time::Duration;

use backstop::simulator::Simulator;
use http_body_util::BodyExt;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::http1::{ANSWER, answer, read_request};
use super::{CHAT, nobody_is_blamed, second};
use crate::harness::{Setup, TestGateway, chat, chat_stream, chat_text, pass, stream_text, within};
use crate::raw::Raw;

const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// An upstream that the test plays itself, connection by connection.
struct Played(TcpListener);

impl Played {
    /// With a gateway before it, and a second upstream that must not be needed.
    async fn start() -> (Self, TestGateway, Simulator) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        // Little of a long body fits into it.
        let buffer = SockRef::from(&listener).set_recv_buffer_size(64 << 10);
        buffer.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let setup = Setup::new().upstream_at("first", &url, "provider: openai-compatible");
        let second = second().await;
        let gateway = setup.upstream(&second).start().await;
        (Self(listener), gateway, second)
    }

    /// The next connection.
    async fn next(&self) -> TcpStream {
        within(self.0.accept()).await.unwrap().0
    }
}

/// The first bytes of a request have come.
async fn is_asked(tcp: &TcpStream) {
    within(tcp.peek(&mut [0; 1])).await.unwrap();
}

/// A request is answered over this connection.
async fn asked_over(tcp: &mut TcpStream, gateway: &TestGateway) {
    let body = chat();
    let (answered, ()) = tokio::join!(gateway.post(CHAT, &body), async {
        within(read_request(tcp)).await.unwrap();
        answer(tcp, "200 OK").await.unwrap();
    });
    assert_eq!(answered.trail(), ["first:ok"]);
    assert_eq!(chat_text(&answered), "Hello from bytes.");
}

/// A request is answered over a new connection.
async fn asked_anew(played: &Played, gateway: &TestGateway) -> TcpStream {
    let body = chat();
    let (answered, tcp) = tokio::join!(gateway.post(CHAT, &body), async {
        let mut tcp = played.next().await;
        within(read_request(&mut tcp)).await.unwrap();
        answer(&mut tcp, "200 OK").await.unwrap();
        tcp
    });
    assert_eq!(answered.trail(), ["first:ok"]);
    assert_eq!(chat_text(&answered), "Hello from bytes.");
    tcp
}

/// The gateway has hung up, or does so soon; nothing more comes.
async fn is_left(tcp: &mut TcpStream) {
    // A reset is an end as well.
    let read = within(tcp.read(&mut [0; 1])).await;
    assert_eq!(read.unwrap_or(0), 0);
}

fn chunk(event: &str) -> Vec<u8> {
    let event = format!("data: {event}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

fn content(text: &str) -> Vec<u8> {
    chunk(&format!(
        r#"{{"id":"c","object":"chat.completion.chunk","choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#
    ))
}

/// The end of a stream, as an upstream sends it.
fn last_words() -> Vec<u8> {
    let finish = r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    [chunk(finish), chunk("[DONE]"), b"0\r\n\r\n".to_vec()].concat()
}

#[tokio::test]
async fn a_connection_is_used_again_until_it_has_been_idle_for_too_long() {
    let (played, gateway, _second) = Played::start().await;
    let mut first = asked_anew(&played, &gateway).await;
    for _ in 0..3 {
        asked_over(&mut first, &gateway).await;
    }
    pass(Duration::from_secs(20)).await;
    asked_over(&mut first, &gateway).await;
    // It counts from the last use. Nobody need ask for it to be closed.
    pass(Duration::from_secs(45)).await;
    is_left(&mut first).await;
    asked_anew(&played, &gateway).await;
}

#[tokio::test]
async fn an_idle_connection_that_the_upstream_closes_is_closed_here_at_once() {
    let (played, gateway, second) = Played::start().await;
    let mut first = asked_anew(&played, &gateway).await;
    let since = Instant::now();
    first.shutdown().await.unwrap();
    is_left(&mut first).await;
    // Long before anybody looks for connections that are too old.
    assert!(since.elapsed() < Duration::from_secs(8));
    let mut next = asked_anew(&played, &gateway).await;
    asked_over(&mut next, &gateway).await;
    assert_eq!(second.received_count(), 0);
    nobody_is_blamed(&gateway).await;
}

/// Whoever is asked next must not take it for its answer.
#[tokio::test]
async fn what_comes_unasked_over_an_idle_connection_ends_it() {
    let stray = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray";
    let (played, gateway, _second) = Played::start().await;
    let mut first = asked_anew(&played, &gateway).await;
    first.write_all(stray).await.unwrap();
    is_left(&mut first).await;
    // The same, together with the answer before it.
    let body = chat();
    let (answered, mut next) = tokio::join!(gateway.post(CHAT, &body), async {
        let mut tcp = played.next().await;
        within(read_request(&mut tcp)).await.unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
        let whole = format!("{head}: {}\r\n\r\n{ANSWER}", ANSWER.len()).into_bytes();
        tcp.write_all(&[&whole[..], stray].concat()).await.unwrap();
        tcp
    });
    assert_eq!(chat_text(&answered), "Hello from bytes.");
    is_left(&mut next).await;
    asked_anew(&played, &gateway).await;
    nobody_is_blamed(&gateway).await;
}

#[tokio::test]
async fn a_connection_whose_client_has_gone_is_closed_and_not_used_again() {
    let partial = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{{\"choices\":",
        ANSWER.len()
    );
    let stream = [STREAM, &content("Hel")].concat();
    // Before an answer, within one, and within a stream.
    for (body, said, is_streamed) in [
        (chat(), Vec::new(), false),
        (chat(), partial.into_bytes(), false),
        (chat_stream(), stream, true),
    ] {
        let (played, gateway, second) = Played::start().await;
        let mut client = Raw::open(gateway.gateway.address()).await;
        client.ask(CHAT, &body.to_string()).await;
        let mut first = played.next().await;
        within(read_request(&mut first)).await.unwrap();
        first.write_all(&said).await.unwrap();
        if is_streamed {
            client.until("Hel").await;
        }
        drop(client);
        is_left(&mut first).await;
        asked_anew(&played, &gateway).await;
        assert_eq!(second.received_count(), 0);
    }
}

/// The body is much longer than what fits into the system's buffers.
fn long() -> serde_json::Value {
    let mut body = chat_stream();
    body["messages"][0]["content"] = "x".repeat(16 << 20).into();
    body
}

#[tokio::test]
async fn an_answer_may_begin_before_the_request_has_been_sent() {
    let (played, gateway, second) = Played::start().await;
    let body = long();
    let (answered, mut first) = tokio::join!(gateway.post(CHAT, &body), async {
        let mut tcp = played.next().await;
        is_asked(&tcp).await;
        let early = [STREAM, &content("Ear"), &content("ly.")].concat();
        tcp.write_all(&early).await.unwrap();
        within(read_request(&mut tcp)).await.unwrap();
        tcp.write_all(&last_words()).await.unwrap();
        tcp
    });
    assert_eq!(answered.trail(), ["first:ok"]);
    assert_eq!(stream_text(&answered.text()), ("Early.".to_owned(), true));
    asked_over(&mut first, &gateway).await;
    assert_eq!(second.received_count(), 0);
}

#[tokio::test]
async fn a_connection_whose_request_was_not_sent_to_its_end_is_not_used_again() {
    let (played, gateway, second) = Played::start().await;
    let body = long();
    let (answered, first) = tokio::join!(gateway.post(CHAT, &body), async {
        let mut tcp = played.next().await;
        is_asked(&tcp).await;
        let early = [STREAM, &content("Enough."), &last_words()].concat();
        tcp.write_all(&early).await.unwrap();
        tcp
    });
    assert_eq!(answered.trail(), ["first:ok"]);
    assert_eq!(stream_text(&answered.text()), ("Enough.".to_owned(), true));
    asked_anew(&played, &gateway).await;
    drop(first);
    assert_eq!(second.received_count(), 0);
}

/// Events that have come together go out together: each piece of the answer costs a system call and more.
#[tokio::test]
async fn a_burst_of_events_goes_out_in_few_pieces() {
    let (played, gateway, _second) = Played::start().await;
    let mut tcp = None;
    let body = chat_stream();
    let headers = [("content-type", "application/json")];
    let (answer, ()) = tokio::join!(
        gateway.open(http::Method::POST, CHAT, &headers, body.to_string()),
        async {
            let tcp = tcp.insert(played.next().await);
            within(read_request(tcp)).await.unwrap();
            tcp.write_all(&[STREAM, &content("First")].concat())
                .await
                .unwrap();
        }
    );
    let mut body = answer.into_body();
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains("First") {
        let frame = within(body.frame()).await.unwrap().unwrap();
        text.extend_from_slice(&frame.into_data().unwrap());
    }
    let burst: Vec<u8> = (0..40).flat_map(|_| content(".")).collect();
    let whole = [burst, last_words()].concat();
    tcp.as_mut().unwrap().write_all(&whole).await.unwrap();
    let mut pieces = 0;
    while let Some(frame) = within(body.frame()).await {
        text.extend_from_slice(&frame.unwrap().into_data().unwrap());
        pieces += 1;
    }
    let (text, is_whole) = stream_text(&String::from_utf8(text).unwrap());
    assert_eq!((text, is_whole), (format!("First{}", ".".repeat(40)), true));
    assert!(pieces <= 8, "{pieces}");
    // The whole stream came, so the connection serves the next one.
    asked_over(&mut tcp.unwrap(), &gateway).await;
}
