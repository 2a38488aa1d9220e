//! What is reported about every request and attempt, for metrics, the log and the page: who stood in for whom, how long the
//! first token took, and what it cost.

use std::time::Duration;

use backstop::event::{AttemptReport, Event, InPlaceOf, RequestResult, Tokens};
use backstop::simulator::{Fault, Script};
use serde_json::{Value, json};

use crate::harness::{Setup, TestGateway, chat, chat_stream, pass, simulators};
use crate::raw::Raw;

fn attempts(gateway: &TestGateway) -> Vec<AttemptReport> {
    let events = gateway.events.all().into_iter();
    let attempts = events.filter_map(|event| match event {
        Event::AttemptFinished { report, .. } => Some(report),
        _ => None,
    });
    attempts.collect()
}

#[tokio::test]
async fn what_an_answer_costs_is_told_in_every_api_streamed_and_whole() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let message = json!({"model": "gpt-4o", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let mut with_usage = chat_stream();
    with_usage["stream_options"] = json!({"include_usage": true});
    let streamed = |body: &Value| {
        let mut body = body.clone();
        body["stream"] = true.into();
        body
    };
    let response = json!({"model": "gpt-4o", "input": "hi"});
    let requests = [
        ("/v1/chat/completions", chat()),
        ("/v1/chat/completions", with_usage),
        ("/v1/responses", response.clone()),
        ("/v1/responses", streamed(&response)),
        ("/v1/messages", message.clone()),
        ("/v1/messages", streamed(&message)),
    ];
    for (number, (path, body)) in requests.into_iter().enumerate() {
        let answered = gateway.post(path, &body).await;
        assert_eq!(answered.status, 200, "{path}: {}", answered.text());
        let report = gateway.events.finished(number).await;
        let tokens = report.tokens.unwrap_or_default();
        assert!(tokens.input > 0 && tokens.output > 0, "{body}: {report:?}");
        assert!(report.first_token.is_some(), "{body}");
        assert_eq!(report.model.as_deref(), Some("*"), "{body}");
        assert_eq!(report.in_place_of, None, "{body}");
        let attempt = attempts(&gateway).pop().unwrap();
        assert_eq!(attempt.tokens, Some(tokens), "{body}");
        assert!(attempt.first_token.is_some(), "{body}");
    }
    assert_eq!(second.received_count(), 0);
}

#[tokio::test]
async fn a_request_begins_when_it_has_been_read() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let mut client = Raw::open(gateway.gateway.address()).await;
    let body = chat().to_string();
    let (start, end) = body.split_at(9);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    client.say(head.as_bytes()).await;
    for piece in [start, end] {
        pass(Duration::from_secs(20)).await;
        client.say(piece.as_bytes()).await;
    }
    client.until("chat.completion").await;
    let report = gateway.events.finished(0).await;
    assert!(report.total < Duration::from_secs(20), "{report:?}");
    assert_eq!(report.result, RequestResult::Answered);
}

#[tokio::test]
async fn an_error_that_is_passed_on_is_somebodys_failure_only_if_it_is_one() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    for (number, (status, failed_by)) in [(500, &["first"][..]), (404, &[]), (200, &[])]
        .into_iter()
        .enumerate()
    {
        let play = match status {
            200 => Script::healthy(),
            _ => Script::status(status),
        };
        first.play(play.clone()).await;
        // What the first lacks is asked elsewhere.
        second.play(play).await;
        let answered = gateway.get("/v1/files").await;
        assert_eq!(answered.status, status);
        let report = gateway.events.finished(number).await;
        let named: Vec<&str> = report.failed_by.iter().map(AsRef::as_ref).collect();
        assert_eq!(named, failed_by, "{status}");
    }
    first.play(Script::status(400)).await;
    let answered = gateway.post("/v1/chat/completions", &chat()).await;
    assert_eq!(answered.status, 400);
    let rejected = gateway.events.finished(3).await;
    assert_eq!(rejected.result, RequestResult::Rejected);
    assert_eq!(rejected.first_token, None, "it is no answer");
    assert!(rejected.failed_by.is_empty());
}

#[tokio::test]
async fn an_answer_that_does_not_say_what_it_costs_costs_nothing_known() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let answered = gateway.post("/v1/chat/completions", &chat_stream()).await;
    assert!(!answered.text().contains("usage"), "{}", answered.text());
    assert_eq!(gateway.events.finished(0).await.tokens, None::<Tokens>);
}

#[tokio::test]
async fn a_fallback_is_told_to_stand_in_for_the_preferred_upstream_also_where_that_was_passed_over()
{
    let (first, second) = simulators().await;
    first.play(Script::status(503)).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let count = gateway.ask_until_out(&chat()).await;
    let first_one = gateway.events.finished(0).await;
    let expected = InPlaceOf {
        upstream: "first".into(),
        model: Some("*".into()),
        reason: "overloaded",
        is_passed_over: false,
    };
    assert_eq!(first_one.in_place_of, Some(expected));
    let asked = first.received_count();
    gateway.post("/v1/chat/completions", &chat()).await;
    assert_eq!(first.received_count(), asked);
    let passed_over = gateway.events.finished(count).await;
    let expected = InPlaceOf {
        upstream: "first".into(),
        model: Some("*".into()),
        reason: "out_of_rotation",
        is_passed_over: true,
    };
    assert_eq!(passed_over.in_place_of, Some(expected));
    assert_eq!(passed_over.result, RequestResult::Answered);
    assert!(passed_over.failed_by.is_empty());
}

#[tokio::test]
async fn an_upstream_that_cannot_serve_a_request_is_not_stood_in_for() {
    let (first, second) = simulators().await;
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .route(&["*"], &["first, capabilities: {tools: false}", "second"])
        .start()
        .await;
    let mut body = chat();
    body["tools"] =
        json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let answered = gateway.post("/v1/chat/completions", &body).await;
    assert_eq!(answered.upstream(), "second", "{}", answered.text());
    assert_eq!(gateway.events.finished(0).await.in_place_of, None);
}

#[tokio::test]
async fn who_failed_a_request_is_told_where_nobody_answered_in_full() {
    let (first, second) = simulators().await;
    first.play(Script::status(500)).await;
    second.play(Script::fault(Fault::CutAfter(1))).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    gateway.post("/v1/chat/completions", &chat_stream()).await;
    let broken = gateway.events.finished(0).await;
    assert_eq!(broken.result, RequestResult::Broken);
    assert_eq!(broken.failed_by, ["first".into(), "second".into()]);

    second.play(Script::status(500)).await;
    gateway.post("/v1/chat/completions", &chat()).await;
    let failed = gateway.events.finished(1).await;
    assert_eq!(failed.result, RequestResult::Failed);
    assert_eq!(failed.first_token, None);
    assert_eq!(failed.failed_by, ["first".into(), "second".into()]);
    let mut places: Vec<String> = failed
        .failed_at
        .iter()
        .map(|at| at.scope.to_string())
        .collect();
    // Who is asked again fails last.
    places.sort();
    assert_eq!(places, ["* at first", "* at second"]);
}
