//! Faults in upstreams' streams, and what clients receive.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use backstop::event::{Event, RequestResult};
use backstop::simulator::{Fault, Framing, Script};
use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::harness::{Setup, TestGateway, chat_stream, simulators, stream_text, within};
use crate::streamed::read;

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";

fn apis() -> [(&'static str, Value); 2] {
    let response = json!({"model": "gpt-4o", "input": "hi", "stream": true});
    [(CHAT, chat_stream()), (RESPONSES, response)]
}

#[tokio::test]
async fn after_the_terminal_event_nothing_spoils_the_answer() {
    for fault in [
        Fault::StallAtEnd,
        Fault::ErrorAtEnd,
        Fault::ResetAtEnd,
        Fault::NoDone,
    ] {
        for (path, body) in apis() {
            let (first, second) = simulators().await;
            first.play(Script::fault(fault.clone())).await;
            let gateway = TestGateway::before(&first, &second, "").await;
            let start = Instant::now();
            let answered = gateway.post(path, &body).await;
            let about = format!("{path} {fault:?} {}", answered.text());
            let streamed = read(&answered.text());
            assert_eq!(streamed.text, "Hello from first.", "{about}");
            assert!(streamed.claims_end, "{about}");
            assert!(
                streamed.errors.is_empty() && !streamed.ends_with_failure,
                "{about}"
            );
            let dones = answered.text().matches("[DONE]").count();
            assert_eq!(dones, usize::from(path == CHAT), "{about}");
            // The test does not wait for the stall to end.
            assert!(start.elapsed() < Duration::from_secs(10), "{about}");
            assert_eq!(
                gateway.events.finished(0).await.result,
                RequestResult::Answered,
                "{about}"
            );
            let attempts = gateway
                .events
                .all()
                .into_iter()
                .filter_map(|event| match event {
                    Event::AttemptFinished { report, .. } => Some(report.outcome.label()),
                    _ => None,
                });
            assert_eq!(attempts.collect::<Vec<_>>(), ["ok"], "{about}");
        }
    }
}

/// The chunks of a small answer, with this in front of the last one.
fn with(odd: &str) -> String {
    let chunk = |delta: Value, finish: Value| {
        json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
               "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    };
    let (text, end) = (
        chunk(json!({"content": "Hello."}), Value::Null),
        chunk(json!({}), json!("stop")),
    );
    format!("data: {text}\n\n{odd}data: {end}\n\ndata: [DONE]\n\n")
}

/// Events that official clients were seen to fail on.
#[tokio::test]
async fn what_clients_trip_over_is_left_out_and_all_else_passes_as_it_is() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let ask = async |stream: String| {
        first.play(Script::fault(Fault::Raw(stream))).await;
        gateway.post(CHAT, &chat_stream()).await.text()
    };
    for odd in [
        "id: 0\n\n",
        "event: ping\n\n",
        "event: ping\ndata: {}\n\n",
        "retry: 1000\n\n",
        "data:\n\n",
        "data: null\n\n",
    ] {
        assert_eq!(ask(with(odd)).await, with(""), "{odd:?}");
    }
    assert_eq!(ask(format!("\u{feff}{}", with(""))).await, with(""));
    assert_eq!(ask(with("").replace("[DONE]", "[DONE] ")).await, with(""));
    let numbered = with("").replace("data: {", "id: 7\nevent: message\ndata: {");
    let named = with("").replace("data: {", "event: message\ndata: {");
    assert_eq!(ask(numbered).await, named);
    for fine in [": comment\n\n", ":\n\n", "data: {\"choices\":[]}\n\n"] {
        assert_eq!(ask(with(fine)).await, with(fine), "{fine:?}");
    }
    assert_eq!(second.received_count(), 0);
}

#[tokio::test]
async fn large_events_pass_unharmed() {
    let text = "word ".repeat(250_000);
    let large = with("").replace("Hello.", &text);
    for framing in [Framing::Usual, Framing::CrLf] {
        let (first, second) = simulators().await;
        let script = Script::fault(Fault::Raw(large.clone())).with_framing(framing);
        first.play(script).await;
        let gateway = TestGateway::before(&first, &second, "").await;
        let answered = gateway.post(CHAT, &chat_stream()).await;
        assert!(stream_text(&answered.text().replace('\r', "")) == (text.clone(), true));
        assert_eq!(second.received_count(), 0);
    }
}

#[tokio::test]
async fn the_error_that_ends_a_stream_lists_every_attempt() {
    let (first, second) = simulators().await;
    first.play(Script::status(503)).await;
    second.play(Script::fault(Fault::CutAfter(2))).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    for (path, body) in apis() {
        let answered = gateway.post(path, &body).await;
        let text = answered.text();
        let mut data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let error: Value = data
            .find_map(|data| {
                serde_json::from_str::<Value>(data)
                    .ok()?
                    .get("error")
                    .cloned()
            })
            .unwrap();
        let attempts = error["attempts"].as_array().unwrap();
        let told: Vec<&str> = attempts
            .iter()
            .map(|attempt| attempt["outcome"].as_str().unwrap())
            .collect();
        assert!(
            told == ["overloaded", "stream_broken"] || told == ["stream_broken"],
            "{told:?}"
        );
        assert_eq!(error["code"], "stream_interrupted");
        assert_eq!(error["type"], "server_error");
    }
}

/// An upstream that sends chunks for as long as they are read; counts the bytes.
async fn endless() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let delta = "word ".repeat(1000);
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": delta}}]});
        let event = format!("data: {chunk}\n\n");
        while stream.write_all(event.as_bytes()).await.is_ok() {
            count.fetch_add(event.len(), Ordering::Relaxed);
        }
    });
    (address, sent)
}

#[tokio::test]
async fn an_upstream_sends_no_faster_than_its_client_reads() {
    let (address, sent) = endless().await;
    let base_url = format!("http://{address}/v1");
    let gateway = Setup::new()
        .upstream_at("endless", &base_url, "provider: openai-compatible")
        .start()
        .await;
    let headers = [("content-type", "application/json")];
    let body = chat_stream().to_string();
    let mut answer = gateway.open(Method::POST, CHAT, &headers, body).await;
    // Until everything between the two is full, and the upstream can send no more.
    let mut before = 0;
    let blocked = async {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = sent.load(Ordering::Relaxed);
            if now > 0 && now == before {
                return now;
            }
            before = now;
        }
    };
    let blocked = within(blocked).await;
    assert!(
        blocked < 32 << 20,
        "{blocked} bytes for a client that reads nothing"
    );
    // As soon as the client reads, it goes on.
    let mut read = 0;
    while sent.load(Ordering::Relaxed) == blocked {
        let frame = within(answer.body_mut().frame()).await.unwrap().unwrap();
        read += frame.into_data().unwrap().len();
    }
    assert!(read > 0);
}
