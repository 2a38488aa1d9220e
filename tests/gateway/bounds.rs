//! Limits on what an upstream may make us keep in memory: a stream without content, and an event without end.

use backstop::event::{Event, RequestResult};
use backstop::simulator::{Fault, Script, Simulator};
use serde_json::json;

use crate::harness::{Setup, TestGateway, chat_stream, simulators, stream_text};
use crate::streamed::read;

const CHAT: &str = "/v1/chat/completions";
const MIB: usize = 1 << 20;

fn chunk(text: &str) -> String {
    let choice = json!({"index": 0, "delta": {"content": text}, "finish_reason": null});
    format!("data: {}\n\n", json!({"id": "c", "choices": [choice]}))
}

fn end() -> String {
    let choice = json!({"index": 0, "delta": {}, "finish_reason": "stop"});
    let last = json!({"id": "c", "choices": [choice]});
    format!("data: {last}\n\ndata: [DONE]\n\n")
}

/// A gateway whose first upstream sends these events.
async fn before(stream: String) -> (TestGateway, Simulator, Simulator) {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::Raw(stream))).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    (gateway, first, second)
}

#[tokio::test]
async fn a_stream_without_content_is_kept_up_to_a_size_and_then_given_up() {
    // Many small events, or one that does not end.
    let comments = |size: usize| format!(": {}\n\n", "x".repeat(1021)).repeat(size / 1024);
    let comment = |size: usize| format!(": {}\n\n", "x".repeat(size));
    let forms: [&dyn Fn(usize) -> String; 2] = [&comments, &comment];
    for preamble in forms {
        let stream = |size| format!("{}{}{}", preamble(size), chunk("Hello."), end());
        let (gateway, _first, _second) = before(stream(3 * MIB)).await;
        let answered = gateway.post(CHAT, &chat_stream()).await;
        assert_eq!(answered.trail(), ["first:ok"]);
        assert_eq!(stream_text(&answered.text()), ("Hello.".to_owned(), true));

        let (gateway, _first, _second) = before(stream(5 * MIB)).await;
        let answered = gateway.post(CHAT, &chat_stream()).await;
        assert_eq!(answered.trail(), ["first:reply_too_large", "second:ok"]);
        let whole = ("Hello from second.".to_owned(), true);
        assert_eq!(stream_text(&answered.text()), whole);
    }
}

#[tokio::test]
async fn what_is_kept_back_on_purpose_is_let_go_at_a_size() {
    for (size, is_replaced) in [(200 << 10, true), (300 << 10, false)] {
        let (first, second) = simulators().await;
        let unfinished = chunk(&"x".repeat(1000)).repeat(size / 1000);
        first.play(Script::fault(Fault::Raw(unfinished))).await;
        let gateway = Setup::new()
            .upstream(&first)
            .upstream(&second)
            .route_with(&["*"], &["first", "second"], "hold: {tokens: 100000}")
            .start()
            .await;
        let answered = gateway.post(CHAT, &chat_stream()).await;
        let streamed = read(&answered.text());
        assert_eq!(streamed.claims_end, is_replaced, "{size}");
        assert_eq!(second.received_count(), usize::from(is_replaced), "{size}");
    }
}

#[tokio::test]
async fn an_event_amid_a_stream_may_be_large_but_not_without_end() {
    for (size, result, outcome) in [
        (15 * MIB, RequestResult::Answered, "ok"),
        (17 * MIB, RequestResult::Broken, "reply_too_large"),
    ] {
        let stream = format!("{}{}{}", chunk("Hello."), chunk(&"x".repeat(size)), end());
        let (gateway, _first, second) = before(stream).await;
        let answered = gateway.post(CHAT, &chat_stream()).await;
        let is_whole = result == RequestResult::Answered;
        let streamed = read(&answered.text());
        assert_eq!(streamed.claims_end, is_whole, "{size}");
        assert_eq!(streamed.ends_with_failure, !is_whole, "{size}");
        // No incomplete event is sent.
        let length = if is_whole { 6 + size } else { 6 };
        assert_eq!(streamed.text.len(), length);
        let finished = gateway.events.wait_for(|event| match event {
            Event::RequestFinished(report) => Some(report.result),
            _ => None,
        });
        assert_eq!(finished.await, result, "{size}");
        let attempt = gateway.events.wait_for(|event| match event {
            Event::AttemptFinished { report, .. } => Some(report.outcome.label()),
            _ => None,
        });
        assert_eq!(attempt.await, outcome, "{size}");
        assert_eq!(second.received_count(), 0);
    }
}
