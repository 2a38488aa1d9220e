//! Idle connections: closed after a while, or at once if others need the room.

use std::time::Duration;

use backstop::simulator::{Fault, Script, Simulator};
use tokio::time::{Instant, sleep, timeout};

use crate::frames::{Frames, GOAWAY, HEADERS, PING, data, post};
use crate::harness::{TestGateway, chat, chat_text, within};
use crate::raw::Raw;

const CHAT: &str = "/v1/chat/completions";
const IDLE: Duration = Duration::from_millis(600);

async fn gateway(more: &str) -> (TestGateway, Simulator) {
    let upstream = Simulator::start("only", Script::healthy()).await.unwrap();
    let yaml = format!(
        "upstreams: {{only: {{provider: openai-compatible, base_url: \"{}\"}}}}\n\
         routes: [{{models: [\"*\"], candidates: [{{upstream: only}}]}}]\n{more}",
        upstream.base_url()
    );
    (TestGateway::start(&yaml).await, upstream)
}

#[tokio::test]
async fn an_idle_http2_connection_is_told_to_go_and_closed() {
    let limits = "limits: {idle_connection: 600ms}\nclients: [{name: a, key: known-key-of-a}]\n";
    let (gateway, upstream) = gateway(limits).await;
    let mut client = Frames::open(gateway.gateway.address(), &[]).await;
    client.ask(1, CHAT, &chat().to_string()).await;
    let refused = client.until_end_of(1).await;
    let answer = String::from_utf8(data(&refused, 1)).unwrap();
    assert!(answer.contains("invalid_api_key"), "{answer}");
    let since = Instant::now();
    // A client that answers pings, and sends its own.
    client.send(PING, 0, 0, *b"are-you?").await;
    let frames = client.until_closed().await;
    assert!(
        frames.iter().any(|frame| frame.kind == GOAWAY),
        "{frames:?}"
    );
    assert!(since.elapsed() >= IDLE / 2, "{:?}", since.elapsed());
    assert_eq!(upstream.received_count(), 0);
}

#[tokio::test]
async fn an_idle_http2_client_that_answers_nothing_is_closed_too() {
    let (gateway, _upstream) = gateway("limits: {idle_connection: 200ms, write: 200ms}\n").await;
    let mut client = Frames::open(gateway.gateway.address(), &[]).await;
    client.ask(1, CHAT, &chat().to_string()).await;
    let frames = client.until_end_of(1).await;
    assert!(!data(&frames, 1).is_empty());
    assert!(client.is_closed_without_answers().await);
    // An endless request head does not keep it open either.
    let mut client = Frames::open(gateway.gateway.address(), &[]).await;
    client.send(HEADERS, 0, 1, post(CHAT)).await;
    assert!(client.is_closed_without_answers().await);
}

#[tokio::test]
async fn a_connection_with_an_open_request_is_not_idle() {
    let (gateway, upstream) = gateway("limits: {idle_connection: 200ms, write: 200ms}\n").await;
    upstream
        .play(Script::healthy().with_answer_delay(Duration::from_millis(1200)))
        .await;
    let mut two = Frames::open(gateway.gateway.address(), &[]).await;
    two.ask(1, CHAT, &chat().to_string()).await;
    let mut one = Raw::open(gateway.gateway.address()).await;
    one.ask(CHAT, &chat().to_string()).await;
    let frames = two.until_end_of(1).await;
    let answer = String::from_utf8(data(&frames, 1)).unwrap();
    assert!(answer.contains("Hello from only."), "{answer}");
    let answer = one.until("Hello from only.").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn idle_connections_make_room_for_those_that_come() {
    let (gateway, upstream) = gateway("limits: {connections: 3}\n").await;
    upstream
        .play(Script::fault(Fault::Hang).with_only_model("endless"))
        .await;
    let mut busy = Frames::open(gateway.gateway.address(), &[]).await;
    let endless = chat().to_string().replace("gpt-4o", "endless");
    busy.ask(1, CHAT, &endless).await;
    upstream.wait_received(1).await;
    let mut first = Raw::open(gateway.gateway.address()).await;
    first.ask(CHAT, &chat().to_string()).await;
    first.until("Hello from only.").await;
    let mut second = Frames::open(gateway.gateway.address(), &[]).await;
    second.ask(1, CHAT, &chat().to_string()).await;
    second.until_end_of(1).await;
    let answered = within(gateway.post(CHAT, &chat())).await;
    assert_eq!(chat_text(&answered), "Hello from only.");
    // The connection that had been idle for the longest time.
    first.until_closed().await;
    second.ask(3, CHAT, &chat().to_string()).await;
    let frames = second.until_end_of(3).await;
    assert!(!data(&frames, 3).is_empty());
    while let Ok(frame) = timeout(Duration::from_millis(100), busy.next()).await {
        let is_closing = frame.is_none_or(|frame| frame.kind == GOAWAY);
        assert!(!is_closing, "the busy one stays");
    }
}

#[tokio::test]
async fn a_head_that_trickles_is_not_waited_for() {
    let (gateway, upstream) = gateway("limits: {idle_connection: 500ms}\n").await;
    let mut slow = Raw::open(gateway.gateway.address()).await;
    let head = format!("POST {CHAT} HTTP/1.1\r\nx: {}", "x".repeat(200));
    let trickle = async {
        for byte in head.as_bytes() {
            slow.say(&[*byte]).await;
            sleep(Duration::from_millis(50)).await;
            if slow.is_closed() {
                return true;
            }
        }
        false
    };
    assert!(within(trickle).await, "closed before the head was whole");
    assert_eq!(upstream.received_count(), 0);
}
