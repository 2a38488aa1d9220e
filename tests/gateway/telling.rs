//! What clients are told when nobody answers: when to come back, or that somebody has to act first.

use backstop::simulator::{Fault, Script, Simulator};
use serde_json::json;

use crate::harness::{
    Answered, Setup, TestGateway, chat, chat_stream, chat_text, refusal, simulators,
};

const CHAT: &str = "/v1/chat/completions";

async fn gateway(first: Script, second: Script) -> (TestGateway, [Simulator; 2]) {
    let (one, two) = simulators().await;
    one.play(first).await;
    two.play(second).await;
    (TestGateway::before(&one, &two, "").await, [one, two])
}

fn is_in_vain(answered: &Answered) -> bool {
    answered.header("x-should-retry") == "false" && answered.header("retry-after").is_empty()
}

#[tokio::test]
async fn what_only_somebody_can_mend_is_told_by_what_is_most_urgent() {
    let (key, quota, model) = (
        (401, 403, "upstream_key_refused"),
        (402, 402, "upstream_quota_exhausted"),
        (404, 404, "model_not_found"),
    );
    for ((first, status, code), (second, ..)) in
        [(key, key), (key, quota), (quota, model), (model, model)]
    {
        for request in [chat(), chat_stream()] {
            let (gateway, _upstreams) =
                gateway(Script::status(first), Script::status(second)).await;
            // The second time, cooldowns keep them from being asked.
            for _ in 0..2 {
                let answered = gateway.post(CHAT, &request).await;
                let error = refusal(&answered, status, code);
                assert!(is_in_vain(&answered), "{error}");
                let message = error["message"].as_str().unwrap();
                assert!(message.contains("`gpt-4o`"), "{message}");
            }
        }
    }
}

#[tokio::test]
async fn where_a_retry_may_help_the_client_is_asked_to_make_one() {
    for other in [500, 503, 529] {
        for (first, second) in [(401, other), (other, 402), (other, 404)] {
            let (gateway, _upstreams) =
                gateway(Script::status(first), Script::status(second)).await;
            for _ in 0..3 {
                let answered = gateway.post(CHAT, &chat()).await;
                refusal(&answered, 503, "all_upstreams_failed");
                assert_eq!(answered.header("retry-after"), "1");
                assert_eq!(answered.header("x-should-retry"), "");
            }
        }
    }
}

#[tokio::test]
async fn clients_of_anthropics_api_are_told_in_its_words() {
    let body =
        json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    for (script, status, kind, code) in [
        (401, 403, "permission_error", "upstream_key_refused"),
        (402, 402, "billing_error", "upstream_quota_exhausted"),
        (404, 404, "not_found_error", "model_not_found"),
    ] {
        let (gateway, _upstreams) = gateway(Script::status(script), Script::status(script)).await;
        let answered = gateway.post("/v1/messages", &body).await;
        assert_eq!(answered.status, status);
        let error = answered.json()["error"].take();
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!(kind), &json!(code))
        );
        assert!(is_in_vain(&answered));
    }
}

/// A health check finds it again within seconds, and the end of a pause that nobody waits for is no promise.
#[tokio::test]
async fn a_restart_is_survived_by_clients_that_come_back_when_they_are_told_to() {
    let (only, _) = simulators().await;
    let gateway = Setup::new().upstream(&only).start().await;
    only.play(Script::fault(Fault::Refuse)).await;
    for _ in 0..12 {
        let answered = gateway.post(CHAT, &chat()).await;
        let error = refusal(&answered, 503, "all_upstreams_failed");
        assert_eq!(answered.header("retry-after"), "1", "{error}");
        assert_eq!(answered.header("x-should-retry"), "", "{error}");
        // It is on this machine, so its address says which one it is.
        let address = only.base_url();
        let address = address.split('/').nth(2).unwrap();
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("{address} refuses connections")),
            "{message}"
        );
    }
    only.play(Script::answer("back")).await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(chat_text(&answered), "back");
}

/// The same inside a stream whose head has been sent already.
#[tokio::test]
async fn a_stream_that_waits_ends_with_the_code_that_says_what_to_do() {
    let (only, _) = simulators().await;
    let gateway = Setup::new()
        .upstream(&only)
        .lines("timeouts: {keepalive: 50ms}")
        .start()
        .await;
    let slow = Script::status(401).with_answer_delay(std::time::Duration::from_millis(300));
    only.play(slow).await;
    let answered = gateway.post(CHAT, &chat_stream()).await;
    let text = answered.text();
    assert_eq!(answered.status, 200);
    assert!(text.contains(": keepalive"), "{text}");
    assert!(text.contains("\"code\":\"upstream_key_refused\""), "{text}");
}
