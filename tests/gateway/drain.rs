//! What clients receive if their requests are still open when the grace time of a drain is over.

use std::time::Duration;

use backstop::event::{Event, RequestResult};
use backstop::simulator::{Fault, Script, Simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::frames::{Frames, RST_STREAM, data};
use crate::harness::{EventLog, Setup, TestGateway, chat, chat_stream, within};
use crate::raw::Raw;
use crate::streamed::read;

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";

fn streams() -> [(&'static str, Value); 3] {
    let message = json!({"role": "user", "content": "hi"});
    [
        (CHAT, chat_stream()),
        (
            RESPONSES,
            json!({"model": "gpt-4o", "input": "hi", "stream": true}),
        ),
        (
            MESSAGES,
            json!({"model": "gpt-4o", "max_tokens": 9, "messages": [message], "stream": true}),
        ),
    ]
}

async fn gateway(fault: Fault, more: &str) -> (TestGateway, Simulator) {
    let upstream = Simulator::start("only", Script::fault(fault))
        .await
        .unwrap();
    let yaml = format!(
        "upstreams: {{only: {{provider: openai-compatible, base_url: \"{}\"}}}}\n\
         routes: [{{models: [\"*\"], continuation: regenerate, candidates: [{{upstream: only}}]}}]\n\
         limits: {{drain: 300ms}}\n{more}",
        upstream.base_url()
    );
    (TestGateway::start(&yaml).await, upstream)
}

/// How the only request, and its only attempt, ended.
async fn ended(events: &EventLog) -> (RequestResult, &'static str) {
    let result = |event: &Event| match event {
        Event::RequestFinished(report) => Some(report.result),
        _ => None,
    };
    let outcome = |event: &Event| match event {
        Event::AttemptFinished { report, .. } => Some(report.outcome.label()),
        _ => None,
    };
    (
        events.wait_for(result).await,
        events.wait_for(outcome).await,
    )
}

/// Drains; returns how the only request ended.
async fn drain(gateway: TestGateway) -> (RequestResult, &'static str) {
    let events = gateway.events.clone();
    within(gateway.gateway.drain()).await;
    let ended = ended(&events).await;
    let report = events.finished(0).await;
    assert!(report.failed_by.is_empty(), "{:?}", report.failed_by);
    assert_eq!(report.attempts, 1);
    ended
}

fn ends_with_notice(text: &str) {
    let streamed = read(text);
    let is_told = streamed.ends_with_failure || text.contains("event: error\n");
    assert!(is_told && !streamed.claims_end, "{text}");
    // Anthropic's errors have no code.
    let why = match text.contains("event: message_start") {
        true => "is being stopped",
        false => "\"code\":\"shutting_down\"",
    };
    assert!(text.contains(why), "{text}");
}

#[tokio::test]
async fn a_stream_ends_with_an_error_that_says_why() {
    for (path, body) in streams() {
        let (gateway, _upstream) = gateway(Fault::StallAfter(2), "").await;
        let mut client = Raw::open(gateway.gateway.address()).await;
        client.ask(path, &body.to_string()).await;
        client.until("from").await;
        let (ended, text) = tokio::join!(drain(gateway), client.until_closed());
        assert_eq!(ended, (RequestResult::Broken, "shutting_down"), "{path}");
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(body.ends_with("\r\n0\r\n\r\n"), "a proper end: {body}");
        let lines = body.lines().filter(|line| !line.is_empty());
        ends_with_notice(&lines.collect::<Vec<_>>().join("\n"));
    }
}

#[tokio::test]
async fn a_stream_over_http2_ends_so_too() {
    for (path, body) in streams() {
        let (gateway, _upstream) = gateway(Fault::StallAfter(2), "").await;
        let mut client = Frames::open(gateway.gateway.address(), &[]).await;
        client.ask(1, path, &body.to_string()).await;
        let mut frames = Vec::new();
        while !String::from_utf8_lossy(&data(&frames, 1)).contains("from") {
            frames.push(client.next().await.unwrap());
        }
        let (ended, rest) = tokio::join!(drain(gateway), client.until_closed());
        assert_eq!(ended, (RequestResult::Broken, "shutting_down"), "{path}");
        frames.extend(rest);
        assert!(
            frames
                .iter()
                .any(|frame| frame.ends(1) && frame.kind != RST_STREAM)
        );
        ends_with_notice(&String::from_utf8(data(&frames, 1)).unwrap());
    }
}

#[tokio::test]
async fn a_stream_that_never_pauses_ends_so_too() {
    let text = format!("word{} ", "-".repeat(2000)).repeat(5000);
    let (gateway, upstream) = gateway(Fault::None, "").await;
    upstream.play(Script::answer(text)).await;
    let mut client = Raw::open(gateway.gateway.address()).await;
    client.ask(CHAT, &chat_stream().to_string()).await;
    client.until("word").await;
    let (ended, text) = tokio::join!(drain(gateway), client.until_closed());
    // On a fast machine it may be complete before the grace time is over.
    match ended.0 {
        RequestResult::Answered => assert!(text.contains("[DONE]")),
        _ => assert!(text.contains("shutting_down") && text.ends_with("\r\n0\r\n\r\n")),
    }
}

#[tokio::test]
async fn a_stream_that_has_not_started_ends_so_too() {
    for (path, body) in streams() {
        let (gateway, _upstream) = gateway(Fault::Hang, "timeouts: {keepalive: 50ms}\n").await;
        let mut client = Raw::open(gateway.gateway.address()).await;
        client.ask(path, &body.to_string()).await;
        let sign = if path == MESSAGES {
            "event: ping"
        } else {
            "keepalive"
        };
        client.until(sign).await;
        let (ended, text) = tokio::join!(drain(gateway), client.until_closed());
        assert_eq!(ended, (RequestResult::Broken, "shutting_down"), "{path}");
        assert!(text.ends_with("\r\n0\r\n\r\n"), "{text}");
        assert!(text.contains("shutting_down"), "{text}");
    }
}

#[tokio::test]
async fn a_request_without_an_answer_is_asked_to_retry() {
    let message = json!({"model": "gpt-4o", "max_tokens": 9, "messages": []});
    for (path, body, shape) in [
        (CHAT, chat(), "{\"error\":{"),
        (MESSAGES, message, "{\"type\":\"error\",\"error\":{"),
    ] {
        let (gateway, upstream) = gateway(Fault::Hang, "").await;
        let mut client = Raw::open(gateway.gateway.address()).await;
        client.ask(path, &body.to_string()).await;
        upstream.wait_received(1).await;
        let (ended, text) = tokio::join!(drain(gateway), client.until_closed());
        assert_eq!(ended, (RequestResult::Failed, "shutting_down"), "{path}");
        assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
        assert!(text.contains("\r\nretry-after: 1\r\n"), "{text}");
        assert!(
            text.contains(shape) && text.contains("shutting_down"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_opaque_body_ends_with_its_connection() {
    let (gateway, _upstream) = gateway(Fault::StallAfter(2), "").await;
    let mut client = Raw::open(gateway.gateway.address()).await;
    // Where things are stored, no answer is held back.
    client.ask("/v1/files", "{}").await;
    client.until("\r\n\r\n").await;
    let (ended, text) = tokio::join!(drain(gateway), client.until_closed());
    assert_eq!(ended, (RequestResult::Broken, "shutting_down"));
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let promised = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    match promised {
        Some(length) => assert!(body.len() < length.parse().unwrap(), "{text}"),
        None => assert!(!body.ends_with("0\r\n\r\n"), "{text}"),
    }
}

#[tokio::test]
async fn an_answer_that_ends_within_the_grace_time_is_whole() {
    let (gateway, upstream) = gateway(Fault::None, "").await;
    let slow = Script::healthy().with_answer_delay(Duration::from_millis(100));
    upstream.play(slow).await;
    let mut client = Raw::open(gateway.gateway.address()).await;
    client.ask(CHAT, &chat().to_string()).await;
    upstream.wait_received(1).await;
    let (ended, text) = tokio::join!(drain(gateway), client.until_closed());
    assert_eq!(ended, (RequestResult::Answered, "ok"));
    assert!(text.contains("Hello from only."), "{text}");
}

#[tokio::test]
async fn while_it_leaves_it_serves_whoever_has_not_heard_of_it() {
    let (gateway, upstream) = gateway(Fault::None, "").await;
    drop(gateway);
    let yaml = format!(
        "upstreams: {{only: {{provider: openai-compatible, base_url: \"{}\"}}}}\n\
         routes: [{{models: [\"*\"], candidates: [{{upstream: only}}]}}]\n\
         limits: {{shutdown_delay: 10s}}\n",
        upstream.base_url()
    );
    let gateway = TestGateway::start(&yaml).await;
    let (address, admin) = (gateway.gateway.address(), gateway.gateway.admin_address());
    let draining = tokio::spawn(gateway.gateway.drain());
    let ready = async {
        loop {
            let mut operators = Raw::open(admin).await;
            operators
                .say(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .await;
            if operators.until_closed().await.starts_with("HTTP/1.1 503") {
                return;
            }
        }
    };
    within(ready).await;
    let mut client = Raw::open(address).await;
    client.ask(CHAT, &chat().to_string()).await;
    let answer = client.until("Hello from only.").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    within(draining).await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

/// Between two of them is room for the reason.
#[tokio::test]
async fn forwarded_events_end_with_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let _upstream = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let event = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"hi\"}\n\n";
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked";
        let sent = format!("{head}\r\n\r\n{:x}\r\n{event}\r\n", event.len());
        connection.write_all(sent.as_bytes()).await.unwrap();
        // Until it is left.
        let _ = connection.read_to_end(&mut Vec::new()).await;
    });
    let gateway = Setup::new()
        .upstream_at("only", &url, "provider: openai-compatible")
        .lines("limits: {drain: 300ms}")
        .start()
        .await;
    let mut client = Raw::open(gateway.gateway.address()).await;
    client.ask("/v1/audio/transcriptions", "{}").await;
    client.until("delta").await;
    let (ended, text) = tokio::join!(drain(gateway), client.until_closed());
    assert_eq!(ended, (RequestResult::Broken, "shutting_down"));
    assert!(text.contains("event: error\ndata: "), "{text}");
    assert!(text.contains("\"code\":\"shutting_down\""), "{text}");
}
