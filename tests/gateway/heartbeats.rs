//! Signs of life for clients that wait for more of a stream.

use std::time::Duration;

use backstop::simulator::{Fault, Script, Simulator};
use http::Method;
use serde_json::json;

use crate::harness::{Setup, chat_stream, stream_text};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const RESPONSES: &str = "/v1/responses";
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// What clients count as life: some clients count events only.
const SIGNS: [(&str, &str); 3] = [
    (CHAT, ": keepalive\n\n"),
    (MESSAGES, "event: ping\ndata: {\"type\":\"ping\"}\n\n"),
    (RESPONSES, "\"type\":\"keepalive\""),
];

fn body(path: &str) -> String {
    let said = json!([{"role": "user", "content": "hi"}]);
    match path {
        RESPONSES => json!({"model": "m", "input": "hi", "stream": true}),
        _ => json!({"model": "m", "messages": said, "stream": true, "max_tokens": 100}),
    }
    .to_string()
}

/// What a client gets of an upstream with this fault.
async fn told(provider: &str, fault: Fault, path: &str, more: &[(&str, &str)]) -> String {
    let upstream = Simulator::start("upstream", Script::fault(fault))
        .await
        .unwrap();
    let gateway = Setup::new()
        .upstream_as(&upstream, &format!("provider: {provider}, api_key: k"))
        .lines("timeouts: {first_token: 600ms, idle: 600ms, reasoning: 600ms, keepalive: 100ms}")
        .start()
        .await;
    let headers: Vec<(&str, &str)> = JSON.iter().chain(more).copied().collect();
    let answered = gateway.send(Method::POST, path, &headers, body(path)).await;
    answered.text()
}

#[tokio::test]
async fn within_an_answer_they_come_in_the_clients_api() {
    for provider in ["openai", "anthropic", "ernie"] {
        for (path, sign) in SIGNS {
            let text = told(provider, Fault::StallAfter(2), path, &[]).await;
            let about = format!("{provider} {path}: {text}");
            let content = text.find("Hello").expect(&about);
            assert!(text[content..].matches(sign).count() >= 2, "{about}");
            assert!(!text[..content].contains("keepalive"), "{about}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_flows_needs_none() {
    let text = "word ".repeat(12);
    let upstream = Simulator::start("upstream", Script::answer(text.trim_end()))
        .await
        .unwrap();
    let gateway = Setup::new()
        .upstream(&upstream)
        .lines("timeouts: {keepalive: 15s}")
        .start()
        .await;
    let slow = Script::answer(text.trim_end()).with_token_delay(Duration::from_secs(10));
    upstream.play(slow).await;
    let answered = gateway
        .post_and_pass(CHAT, &chat_stream(), Duration::from_secs(125))
        .await;
    let (said, is_whole) = stream_text(&answered.text());
    assert!(is_whole && said == text.trim_end(), "{said}");
    assert!(
        !answered.text().contains("keepalive"),
        "{}",
        answered.text()
    );
}

#[tokio::test]
async fn before_an_answer_they_come_as_far_as_the_client_takes_them() {
    for (path, sign) in SIGNS {
        let text = told("openai", Fault::Hang, path, &[]).await;
        assert!(text.matches(sign).count() >= 2, "{path}: {text}");
    }
    // OpenAI's own SDKs take no event before the response was created.
    let sdk = [("x-stainless-lang", "python")];
    let text = told("openai", Fault::Hang, RESPONSES, &sdk).await;
    assert!(text.starts_with(": keepalive\n\n: keepalive\n\n"), "{text}");
}

#[tokio::test]
async fn an_answer_in_which_nothing_is_said_follows_them_as_it_came() {
    let nothing = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let nothing = format!("data: {nothing}\n\ndata: [DONE]\n\n");
    let result_of = json!({"role": "tool", "tool_call_id": "c", "content": "done"});
    let asks = json!({"role": "user", "content": "hi"});
    for (last, result) in [(result_of, "answered"), (asks, "failed")] {
        let first = Simulator::start("first", Script::fault(Fault::Hang))
            .await
            .unwrap();
        let second = Simulator::start("second", Script::fault(Fault::Raw(nothing.clone())))
            .await
            .unwrap();
        let gateway = Setup::new()
            .upstream(&first)
            .upstream(&second)
            .lines("timeouts: {first_token: 400ms, keepalive: 100ms, total: 2s}")
            .start()
            .await;
        let mut body = chat_stream();
        body["messages"] = json!([last]);
        let answered = gateway.post(CHAT, &body).await;
        let text = answered.text();
        assert!(text.starts_with(": keepalive\n\n"), "{text}");
        assert!(text.ends_with(&nothing), "{text}");
        assert!(!text.contains("error"), "{text}");
        let metrics = gateway.admin("/metrics").await.text();
        let mut counts = metrics.lines().filter(|line| {
            line.starts_with("backstop_requests_total")
                && line.contains(&format!("result=\"{result}\""))
        });
        assert!(counts.any(|line| line.ends_with(" 1")), "{metrics}");
    }
}

/// The reason of its end came before the call of the answer turned out to be none.
#[tokio::test]
async fn while_somebody_is_asked_to_continue_a_failed_answer_they_come() {
    let chunks = [
        json!({"delta": {"content": "Let me look."}}),
        json!({"delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"arguments": "{}"}}]}}),
        json!({"delta": {}, "finish_reason": "tool_calls"}),
    ];
    let chunks = chunks.map(|choice| format!("data: {}\n\n", json!({"choices": [choice]})));
    let failed = Fault::Raw(chunks.concat() + "data: [DONE]\n\n");
    let first = Simulator::start("first", Script::fault(failed))
        .await
        .unwrap();
    let second = Simulator::start("second", Script::fault(Fault::Hang))
        .await
        .unwrap();
    let gateway = Setup::new()
        .upstream_as(&first, "provider: openai-compatible")
        .upstream_as(&second, "provider: openai-compatible")
        .route_with(&["*"], &["first", "second"], "continuation: regenerate")
        .lines("timeouts: {first_token: 600ms, keepalive: 100ms}")
        .start()
        .await;
    let answered = gateway
        .send(Method::POST, MESSAGES, &JSON, body(MESSAGES))
        .await;
    let text = answered.text();
    assert!(text.matches(SIGNS[1].1).count() >= 2, "{text}");
    assert!(text.contains("Let me look.") && text.contains("event: error"));
}
