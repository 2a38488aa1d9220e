//! Optional fields that a strict upstream refuses by their names.

use backstop::simulator::{Fault, Script, Simulator};
use serde_json::{Value, json};

use crate::harness::{Setup, TestGateway, chat, simulators};

const CHAT: &str = "/v1/chat/completions";

/// An upstream that refuses a field by its name where a request has it.
fn refusing(field: &str) -> Script {
    let message = format!("Unrecognized request argument supplied: {field}");
    let error = json!({"error": {"message": message, "type": "invalid_request_error"}});
    Script::fault(Fault::Status {
        code: 400,
        headers: Vec::new(),
        body: Some(error.to_string()),
    })
    .with_only_body(format!("\"{field}\""))
}

/// The first one fails, and the second is strict.
async fn behind_one_that_fails(field: &str, second_as: &str) -> (TestGateway, [Simulator; 2]) {
    let (first, second) = simulators().await;
    first.play(Script::status(503)).await;
    second.play(refusing(field)).await;
    let gateway = Setup::new()
        .upstream(&first)
        .upstream_as(&second, "provider: openai-compatible, api_key: k")
        .route(&["*"], &["first", second_as])
        .start()
        .await;
    (gateway, [first, second])
}

fn with(field: &str, value: Value) -> Value {
    let mut body = chat();
    body[field] = value;
    body
}

#[tokio::test]
async fn a_fallback_answers_without_a_field_that_it_does_not_know_and_is_spared_it_from_then_on() {
    for second_as in ["second", "second, model: house"] {
        let (gateway, [_, second]) = behind_one_that_fails("reasoning_effort", second_as).await;
        for calls in [2, 3] {
            let answered = gateway
                .post(CHAT, &with("reasoning_effort", "low".into()))
                .await;
            assert_eq!((answered.status, answered.upstream()), (200, "second"));
            assert_eq!(answered.header("x-backstop-dropped"), "reasoning_effort");
            let received = second.received();
            assert_eq!(received.len(), calls, "{second_as}");
            assert_eq!(received[calls - 1].json()["reasoning_effort"], Value::Null);
        }
    }
}

#[tokio::test]
async fn the_limit_is_said_under_the_name_that_the_fallback_knows() {
    let (gateway, [_, second]) =
        behind_one_that_fails("max_completion_tokens", "second, model: house").await;
    let answered = gateway
        .post(CHAT, &with("max_completion_tokens", 9.into()))
        .await;
    assert_eq!(
        answered.status,
        200,
        "{}",
        answered.header("x-backstop-attempts")
    );
    assert_eq!(second.received()[1].json()["max_tokens"], 9);
}

#[tokio::test]
async fn a_field_that_means_something_is_never_left_out() {
    for (field, value) in [
        ("stop", json!(["."])),
        ("response_format", json!({"type": "json_object"})),
        ("logit_bias", json!({"50256": -100})),
    ] {
        let (gateway, [_, second]) = behind_one_that_fails(field, "second, model: house").await;
        let answered = gateway.post(CHAT, &with(field, value)).await;
        assert_ne!(answered.status, 200, "{field}");
        assert_eq!(second.received_count(), 1, "{field}");
    }
}

#[tokio::test]
async fn a_client_reads_what_the_upstream_refuses_that_it_wrote_for() {
    let (first, second) = simulators().await;
    first.play(refusing("reasoning_effort")).await;
    let body = with("reasoning_effort", "low".into());
    let alone = Setup::new().upstream(&first).start().await;
    let refused = alone.post(CHAT, &body).await;
    assert_eq!((refused.status, first.received_count()), (400, 1));
    let both = TestGateway::before(&first, &second, "").await;
    let answered = both.post(CHAT, &body).await;
    assert_eq!(answered.trail(), ["first:unsupported", "second:ok"]);
    assert_eq!(second.received()[0].json()["reasoning_effort"], "low");
}

#[tokio::test]
async fn what_a_translated_request_does_without_stays_in_what_a_client_wrote_for_the_upstream() {
    let (first, _) = simulators().await;
    first.play(refusing("temperature")).await;
    let gateway = Setup::new()
        .upstream_as(&first, "provider: openai-compatible, api_key: k")
        .start()
        .await;
    let body = json!({"model": "gpt-4o", "max_tokens": 9, "temperature": 0.5,
        "messages": [{"role": "user", "content": "Hi"}]});
    let translated = gateway.post("/v1/messages", &body).await;
    assert_eq!((translated.status, first.received_count()), (200, 2));
    let refused = gateway.post(CHAT, &with("temperature", 0.5.into())).await;
    assert_eq!((refused.status, first.received_count()), (400, 3));
}
