//! Models that think for minutes, streams that last for longer than any timeout, and answers that begin with blank lines:
//! nothing that makes progress is given up. Time passes in moments here.

use std::time::Duration;

use backstop::simulator::{Fault, Script};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{
    Answered, Setup, TestGateway, chat, chat_stream, chat_text, pass, simulators, stream_text,
    within,
};
use crate::streamed::read;

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const SECOND: Duration = Duration::from_secs(1);

fn for_model(mut body: Value, model: &str) -> Value {
    body["model"] = json!(model);
    body
}

/// A stream of these events, with a wait before each one but the first.
fn stream(events: &[&str], wait: Duration) -> Script {
    let text: String = events
        .iter()
        .map(|data| format!("data: {data}\n\n"))
        .collect();
    Script::fault(Fault::Raw(text)).with_token_delay(wait)
}

fn is_from(answered: &Answered, upstream: &str) {
    let expected = (format!("Hello from {upstream}."), true);
    assert_eq!(stream_text(&answered.text()), expected, "{answered:?}");
}

#[tokio::test]
async fn a_model_whose_first_token_always_takes_95_seconds_serves_all_of_its_traffic() {
    let (first, second) = simulators().await;
    let thinking = Script::healthy().with_first_token_delay(SECOND * 95);
    first.play(thinking).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    for _ in 0..10 {
        let body = for_model(chat_stream(), "o3");
        let answered = gateway.post_and_pass(CHAT, &body, SECOND * 96).await;
        is_from(&answered, "first");
    }
    assert_eq!((first.received_count(), second.received_count()), (10, 0));
}

#[tokio::test]
async fn a_stream_may_last_for_twenty_minutes() {
    let (first, second) = simulators().await;
    let text = "word ".repeat(121).trim_end().to_owned();
    let slow = Script::answer(text.clone()).with_token_delay(SECOND * 10);
    first.play(slow).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let answered = gateway
        .post_and_pass(CHAT, &chat_stream(), SECOND * 1205)
        .await;
    assert_eq!(stream_text(&answered.text()), (text, true));
    assert_eq!((first.received_count(), second.received_count()), (1, 0));
}

#[tokio::test]
async fn silence_in_the_middle_of_thoughts_is_no_stall() {
    let responses = [
        r#"{"type":"response.output_item.added","item":{"type":"reasoning","summary":[]}}"#,
        r#"{"type":"response.output_text.delta","delta":"thought"}"#,
        r#"{"type":"response.completed","response":{"output":[1]}}"#,
    ];
    let chat = [
        r#"{"choices":[{"delta":{"role":"assistant","reasoning_content":"hm"}}]}"#,
        r#"{"choices":[{"delta":{"content":"thought"}}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        "[DONE]",
    ];
    let unknown = json!({"model": "house-model", "input": "hi", "stream": true});
    for (path, body, events) in [
        (RESPONSES, unknown, &responses[..]),
        (CHAT, for_model(chat_stream(), "house-model"), &chat[..]),
    ] {
        let (first, second) = simulators().await;
        // Longer than `idle` and `first_token`, shorter than `reasoning`.
        first.play(stream(events, SECOND * 100)).await;
        let gateway = TestGateway::before(&first, &second, "").await;
        let answered = gateway.post_and_pass(path, &body, SECOND * 320).await;
        let streamed = read(&answered.text());
        assert_eq!(streamed.text, "thought", "{path}");
        assert!(streamed.claims_end && streamed.errors.is_empty(), "{path}");
        assert_eq!((first.received_count(), second.received_count()), (1, 0));
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_before_a_readable_thought_is_replaced() {
    let (first, second) = simulators().await;
    let thoughts = [
        r#"{"type":"response.created","response":{"id":"r"}}"#,
        r#"{"type":"response.output_item.added","item":{"type":"reasoning","summary":[],"encrypted_content":"gAAA"}}"#,
        r#"{"type":"response.output_item.done","item":{"type":"reasoning","summary":[],"encrypted_content":"gAAA"}}"#,
    ];
    first.play(stream(&thoughts, Duration::ZERO)).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let body = json!({"model": "house-model", "input": "hi", "stream": true});
    let answered = gateway.post(RESPONSES, &body).await;
    let streamed = read(&answered.text());
    assert_eq!(streamed.text, "Hello from second.");
    assert!(streamed.claims_end && !answered.text().contains("gAAA"));
}

#[tokio::test]
async fn an_answer_in_one_piece_may_think_for_minutes_and_one_that_does_not_may_not() {
    let (first, second) = simulators().await;
    let slow = Script::healthy().with_first_token_delay(SECOND * 200);
    first.play(slow).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let body = for_model(chat(), "deepseek-ai/DeepSeek-R1");
    let answered = gateway.post_and_pass(CHAT, &body, SECOND * 201).await;
    assert_eq!(chat_text(&answered), "Hello from first.");
    let answered = gateway.post_and_pass(CHAT, &chat(), SECOND * 125).await;
    assert_eq!(answered.trail(), ["first:first_token_timeout", "second:ok"]);
}

#[tokio::test]
async fn a_fallback_that_thinks_takes_its_time_whatever_was_asked_for() {
    let (first, second) = simulators().await;
    first.play(Script::status(503)).await;
    let slow = Script::healthy().with_first_token_delay(SECOND * 200);
    second.play(slow).await;
    let thinker = "second, model: deepseek-ai/DeepSeek-R1";
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .route(&["*"], &["first", thinker])
        .start()
        .await;
    let answered = gateway.post_and_pass(CHAT, &chat(), SECOND * 201).await;
    assert_eq!(chat_text(&answered), "Hello from second.");
}

#[tokio::test]
async fn upstreams_routes_and_candidates_have_timeouts_of_their_own() {
    let (first, second) = simulators().await;
    let late = Script::healthy().with_first_token_delay(Duration::from_millis(700));
    first.play(late).await;
    let keys = |more: &str| format!("provider: openai-compatible, api_key: k, {more}");
    let candidate = |time: &str| format!("first, timeouts: {{first_token: {time}}}");
    let route = |time: &str| format!("timeouts: {{first_token: {time}}}");
    // Each model has another mixture: of upstream, route and candidate, the last one counts.
    let gateway = Setup::new()
        .upstream_as(&first, &keys("timeouts: {first_token: 10s}"))
        .upstream_as(&second, &keys(""))
        .route(&["upstream"], &["first", "second"])
        .route_with(&["route"], &["first", "second"], &route("300ms"))
        .route_with(
            &["candidate"],
            &[&candidate("10s"), "second"],
            &route("300ms"),
        )
        .route(&["both"], &[&candidate("300ms"), "second"])
        .lines("timeouts: {first_token: 300ms}\n")
        .start()
        .await;
    let (waited, gave_up): (&[&str], &[&str]) =
        (&["first:ok"], &["first:first_token_timeout", "second:ok"]);
    for (model, expected) in [
        ("upstream", waited),
        ("route", gave_up),
        ("candidate", waited),
        ("both", gave_up),
    ] {
        let answered = gateway.post(CHAT, &for_model(chat_stream(), model)).await;
        assert_eq!(answered.trail(), expected, "{model}");
    }
}

/// The error must reach the client before it leaves. A stream has its 200 by then.
#[tokio::test]
async fn nobody_waits_in_the_last_moments_of_its_patience_for_somebody_to_open() {
    for (opens_after, is_streamed, status) in [
        (97_000, false, 200),
        (99_500, false, 429),
        (99_500, true, 200),
    ] {
        let after = Duration::from_millis(opens_after);
        let (first, _) = simulators().await;
        first
            .play(Script::fault(Fault::RateLimited { after }))
            .await;
        let lines = "timeouts: {wait: 120s}";
        let gateway = Setup::new().upstream(&first).lines(lines).start().await;
        let headers = [
            ("content-type", "application/json"),
            ("x-backstop-timeout", "100"),
        ];
        let body = if is_streamed { chat_stream() } else { chat() };
        let heals = async {
            within(first.wait_received(1)).await;
            first.play(Script::healthy()).await;
            pass(SECOND * 101).await;
        };
        let answer = gateway.send(Method::POST, CHAT, &headers, body.to_string());
        let (answered, ()) = tokio::join!(answer, heals);
        let about = format!("{opens_after} ms, {is_streamed}: {answered:?}");
        assert_eq!(answered.status, status, "{about}");
        let calls = if status == 200 { 2 } else { 1 };
        assert_eq!(first.received_count(), calls, "{about}");
    }
}
