//! Upstreams that are too slow in one way or another, and clients that must not wait in silence.

use std::time::Duration;

use backstop::event::{Event, RequestResult};
use backstop::simulator::{Fault, Script, Simulator};
use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{
    Answered, Setup, TestGateway, chat, chat_stream, chat_text, simulators, stream_text, within,
};
use crate::streamed::read;

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";

fn for_model(mut body: Value, model: &str) -> Value {
    body["model"] = json!(model);
    body
}

/// How the first attempt that has ended ended.
async fn first_outcome(gateway: &TestGateway) -> &'static str {
    let ended = |event: &Event| match event {
        Event::AttemptFinished { report, .. } => Some(report.outcome.label()),
        _ => None,
    };
    gateway.events.wait_for(ended).await
}

fn is_from_second(answered: &Answered) {
    let whole = ("Hello from second.".to_owned(), true);
    assert_eq!(stream_text(&answered.text()), whole);
}

#[tokio::test]
async fn the_head_of_a_stream_has_a_timer_of_its_own() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::Hang)).await;
    let timeouts = "timeouts: {headers: 200ms, first_token: 10s}\n";
    let gateway = TestGateway::before(&first, &second, timeouts).await;
    let answered = gateway.post(CHAT, &chat_stream()).await;
    assert_eq!(answered.trail(), ["first:headers_timeout", "second:ok"]);
    is_from_second(&answered);

    // It never lengthens the wait for the first content.
    let timeouts = "timeouts: {headers: 15s, first_token: 200ms}\n";
    let gateway = TestGateway::before(&first, &second, timeouts).await;
    let answered = gateway.post(CHAT, &chat_stream()).await;
    assert_eq!(answered.trail(), ["first:first_token_timeout", "second:ok"]);
}

#[tokio::test]
async fn models_that_think_are_given_more_time() {
    let (first, second) = simulators().await;
    let slow = Script::healthy().with_first_token_delay(Duration::from_millis(700));
    first.play(slow).await;
    let timeouts = "timeouts: {first_token: 200ms, answer: 10s, reasoning: 10s}\n";
    let gateway = TestGateway::before(&first, &second, timeouts).await;
    let mut effort = chat_stream();
    effort["reasoning_effort"] = json!("low");
    for body in [for_model(chat_stream(), "o3-mini"), effort] {
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!(answered.trail(), ["first:ok"], "{body}");
    }
    let answered = gateway.post(CHAT, &chat_stream()).await;
    assert_eq!(answered.trail(), ["first:first_token_timeout", "second:ok"]);
}

#[tokio::test]
async fn comments_count_as_activity_but_not_as_content() {
    for (path, body) in [
        (CHAT, chat_stream()),
        (
            RESPONSES,
            json!({"model": "gpt-4o", "input": "hi", "stream": true}),
        ),
    ] {
        let (first, second) = simulators().await;
        first.play(Script::fault(Fault::CommentsAfter(2))).await;
        let timeouts = "timeouts: {idle: 300ms, content: 900ms}\n";
        let gateway = TestGateway::before(&first, &second, timeouts).await;
        let start = Instant::now();
        let answered = gateway.post(path, &body).await;
        assert!(start.elapsed() >= Duration::from_millis(900));
        let streamed = read(&answered.text());
        assert_eq!(streamed.text, "Hello from");
        assert!(!streamed.claims_end && streamed.ends_with_failure);
        assert_eq!(first_outcome(&gateway).await, "content_timeout");
    }
}

#[tokio::test]
async fn a_stall_is_noticed_when_the_gap_is_over() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::StallAfter(2))).await;
    let gateway = TestGateway::before(&first, &second, "timeouts: {idle: 500ms}\n").await;
    let start = Instant::now();
    let answered = gateway.post(CHAT, &chat_stream()).await;
    let took = start.elapsed();
    assert!(read(&answered.text()).ends_with_failure);
    let gap = Duration::from_millis(500);
    assert!((gap..gap * 2).contains(&took), "{took:?}");
}

#[tokio::test]
async fn an_answer_that_trickles_fails_over() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::Trickle)).await;
    let timeouts = "timeouts: {idle: 5s, content: 500ms}\n";
    let gateway = TestGateway::before(&first, &second, timeouts).await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.trail(), ["first:content_timeout", "second:ok"]);
    assert_eq!(chat_text(&answered), "Hello from second.");
}

#[tokio::test]
async fn a_client_that_waits_long_gets_keep_alives_and_still_a_failover() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::Hang)).await;
    let timeouts = "timeouts: {first_token: 900ms, keepalive: 200ms}\n";
    let gateway = TestGateway::before(&first, &second, timeouts).await;
    let headers = [("content-type", "application/json")];
    let body = chat_stream().to_string();
    let start = Instant::now();
    let answer = gateway.open(Method::POST, CHAT, &headers, body).await;
    assert!(
        start.elapsed() < Duration::from_millis(900),
        "the head does not wait"
    );
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/event-stream"));
    let body = within(answer.into_body().collect())
        .await
        .unwrap()
        .to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.starts_with(": keepalive\n\n: keepalive\n\n"), "{text}");
    assert_eq!(stream_text(&text), ("Hello from second.".to_owned(), true));
    assert_eq!((first.received_count(), second.received_count()), (1, 1));
    let report = gateway.events.finished(0).await;
    assert_eq!(
        (report.result, report.attempts),
        (RequestResult::Answered, 2)
    );
    assert_eq!(report.served_by.unwrap().as_ref(), "second");
}

#[tokio::test]
async fn an_error_after_a_keep_alive_is_sent_in_the_stream() {
    let timeouts = "timeouts: {first_token: 500ms, keepalive: 100ms}\n";
    for (path, body) in [
        (CHAT, chat_stream()),
        (
            RESPONSES,
            json!({"model": "gpt-4o", "input": "hi", "stream": true}),
        ),
    ] {
        let (first, second) = simulators().await;
        first.play(Script::fault(Fault::Hang)).await;
        second.play(Script::fault(Fault::Hang)).await;
        let gateway = TestGateway::before(&first, &second, timeouts).await;
        let answered = gateway.post(path, &body).await;
        let streamed = read(&answered.text());
        assert_eq!(answered.status, 200);
        assert_eq!(
            streamed.errors[0],
            "all_upstreams_failed",
            "{}",
            answered.text()
        );
        assert!(streamed.ends_with_failure && !streamed.claims_end);
        assert_eq!(
            gateway.events.finished(0).await.result,
            RequestResult::Failed
        );

        let (first, second) = simulators().await;
        let late = Script::status(400).with_answer_delay(Duration::from_millis(300));
        first.play(late).await;
        let gateway = TestGateway::before(&first, &second, timeouts).await;
        let answered = gateway.post(path, &body).await;
        let streamed = read(&answered.text());
        assert!(streamed.ends_with_failure, "{}", answered.text());
        assert!(
            answered.text().contains("invalid_request_error"),
            "{}",
            answered.text()
        );
        assert_eq!(second.received_count(), 0);
        assert_eq!(
            gateway.events.finished(0).await.result,
            RequestResult::Rejected
        );
    }
}

#[tokio::test]
async fn a_stream_that_breaks_while_it_is_kept_back_is_replaced() {
    let keeping = |hold: &str, first: &Simulator, second: &Simulator| {
        let hold = format!("hold: {hold}");
        Setup::new()
            .upstream(first)
            .upstream(second)
            .route_with(&["*"], &["first", "second"], &hold)
            .lines("timeouts: {idle: 400ms}")
    };
    for (fault, hold, is_replaced) in [
        (Fault::CutAfter(2), "{tokens: 3}", true),
        (Fault::CutAfter(3), "{tokens: 3}", false),
        (Fault::EndAfter(2), "{tokens: 100}", true),
        (Fault::ErrorAfter(2), "{time: 5s}", true),
        (Fault::StallAfter(2), "{time: 5s}", true),
        (Fault::StallAfter(2), "{time: 100ms}", false),
        (Fault::CutAfter(2), "{tokens: 1, time: 5s}", false),
    ] {
        let (first, second) = simulators().await;
        first.play(Script::fault(fault.clone())).await;
        let gateway = keeping(hold, &first, &second).start().await;
        let answered = gateway.post(CHAT, &chat_stream()).await;
        let about = format!("{fault:?} {hold} {}", answered.text());
        assert_eq!(second.received_count(), usize::from(is_replaced), "{about}");
        assert_eq!(
            read(&answered.text()).ends_with_failure,
            !is_replaced,
            "{about}"
        );
        if is_replaced {
            is_from_second(&answered);
        }
    }
    // A complete answer is sent whole, and at once.
    let (first, second) = simulators().await;
    let gateway = keeping("{tokens: 100, time: 60s}", &first, &second)
        .start()
        .await;
    let answered = gateway.post(CHAT, &chat_stream()).await;
    assert_eq!(
        stream_text(&answered.text()),
        ("Hello from first.".to_owned(), true)
    );
}
