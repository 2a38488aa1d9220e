//! Upstreams that speak two APIs: each client gets its own, byte for byte.

use backstop::simulator::{Received, Script, Simulator};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Setup, TestGateway, chat, chat_text};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const COUNT: &str = "/v1/messages/count_tokens";
const JSON: &[(&str, &str)] = &[
    ("content-type", "application/json"),
    ("anthropic-version", "2023-06-01"),
];
/// However unusual it is written, and with what only some models know.
const MESSAGE: &str = r#"{"model": "deepseek-flash",  "max_tokens":64000,"thinking":{"type":"adaptive"},"messages":[{"role":"user","content":"hi"}]}"#;

async fn simulator(name: &str) -> Simulator {
    Simulator::start(name, Script::healthy()).await.unwrap()
}

/// Where such an upstream has Anthropic's API.
fn messages_url(simulator: &Simulator) -> String {
    simulator.base_url().replace("/v1", "/anthropic/v1")
}

fn both(provider: &str, simulator: &Simulator) -> String {
    let url = messages_url(simulator);
    format!("provider: {provider}, api_key: its-key, messages_url: \"{url}\"")
}

async fn alone(provider: &str, simulator: &Simulator) -> TestGateway {
    let keys = both(provider, simulator);
    Setup::new().upstream_as(simulator, &keys).start().await
}

/// The only request that has arrived.
fn only(simulator: &Simulator) -> Received {
    let mut received = simulator.received();
    assert_eq!(received.len(), 1, "{received:#?}");
    received.remove(0)
}

#[tokio::test]
async fn messages_pass_byte_for_byte_with_the_key_in_either_header() {
    let upstream = simulator("deepseek").await;
    let gateway = alone("deepseek", &upstream).await;
    let answered = gateway.send(Method::POST, MESSAGES, JSON, MESSAGE).await;
    assert_eq!((answered.status, answered.upstream()), (200, "deepseek"));
    assert_eq!(answered.json()["type"], "message");
    assert_eq!(answered.header("x-backstop-dropped"), "");

    let received = only(&upstream);
    assert_eq!(received.path, "/anthropic/v1/messages");
    assert_eq!(received.body, MESSAGE);
    assert_eq!(received.header("authorization"), Some("Bearer its-key"));
    assert_eq!(received.header("x-api-key"), Some("its-key"));
    assert_eq!(received.header("anthropic-version"), Some("2023-06-01"));
}

#[tokio::test]
async fn chats_go_to_the_other_api_of_the_same_upstream() {
    let upstream = simulator("deepseek").await;
    let gateway = alone("deepseek", &upstream).await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(chat_text(&answered), "Hello from deepseek.");
    let received = only(&upstream);
    assert_eq!(received.path, "/v1/chat/completions");
    assert_eq!(received.json(), chat());
    assert_eq!(received.header("authorization"), Some("Bearer its-key"));
    assert_eq!(received.header("x-api-key"), None);
}

#[tokio::test]
async fn as_a_fallback_it_gets_its_own_model_and_nothing_else_changes() {
    let claude = simulator("claude").await;
    let deepseek = simulator("deepseek").await;
    claude.play(Script::status(529)).await;
    let gateway = Setup::new()
        .upstream_as(&claude, "provider: anthropic, api_key: k")
        .upstream_as(&deepseek, &both("deepseek", &deepseek))
        .route(&["*"], &["claude", "deepseek, model: deepseek-flash"])
        .start()
        .await;
    let body = MESSAGE.replace("deepseek-flash", "claude-opus-5");
    let answered = gateway.send(Method::POST, MESSAGES, JSON, body).await;
    assert_eq!((answered.status, answered.upstream()), (200, "deepseek"));
    assert_eq!(answered.header("x-backstop-dropped"), "");
    let received = only(&deepseek);
    assert_eq!(received.path, "/anthropic/v1/messages");
    assert_eq!(received.body, MESSAGE);
}

#[tokio::test]
async fn where_tokens_are_not_counted_they_are_estimated() {
    let upstream = simulator("deepseek").await;
    let gateway = alone("deepseek", &upstream).await;
    let answered = gateway.send(Method::POST, COUNT, JSON, MESSAGE).await;
    assert_eq!(answered.header("x-backstop-estimated"), "input_tokens");
    assert!(upstream.received().is_empty());
}

#[tokio::test]
async fn without_a_second_url_messages_are_translated() {
    let upstream = simulator("deepseek").await;
    for keys in [
        "provider: deepseek, api_key: k",
        "provider: openai-compatible, messages_url: none",
    ] {
        let gateway = Setup::new().upstream_as(&upstream, keys).start().await;
        let answered = gateway.send(Method::POST, MESSAGES, JSON, MESSAGE).await;
        assert_eq!(answered.json()["type"], "message", "{keys}");
        let received = upstream.received();
        assert_eq!(received[received.len() - 1].path, "/v1/chat/completions");
    }
}

#[tokio::test]
async fn mantle_serves_claude_by_anthropics_api_alone() {
    let upstream = simulator("mantle").await;
    let gateway = Setup::new()
        .upstream_as(&upstream, "provider: bedrock-mantle, api_key: its-key")
        .start()
        .await;
    for (model, path) in [
        ("anthropic.claude-opus-5-5", "/anthropic/v1/messages"),
        ("openai.gpt-oss-120b", "/v1/chat/completions"),
    ] {
        let mut body = chat();
        body["model"] = model.into();
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!(chat_text(&answered), "Hello from mantle.", "{model}");
        let message = json!({"model": model, "max_tokens": 9, "messages": body["messages"]});
        let answered = gateway.post(MESSAGES, &message).await;
        assert_eq!(answered.json()["type"], "message", "{model}");
        let received = upstream.received();
        for asked in &received[received.len() - 2..] {
            assert_eq!(
                (asked.path.as_str(), asked.model()),
                (path, Some(model.to_owned()))
            );
        }
    }
    assert_eq!(upstream.received()[0].json()["tools"], Value::Null);
}
