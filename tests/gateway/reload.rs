//! Another configuration while requests are served.

use backstop::config::Config;
use backstop::event::Event;
use backstop::simulator::{Fault, Script};
use serde_json::json;

use crate::harness::{
    Setup, TestGateway, chat, chat_stream, refusal, simulators, two_upstreams, within,
};

const CHAT: &str = "/v1/chat/completions";

fn parsed(yaml: &str) -> Result<Config, String> {
    Config::parse("test", yaml, &|_| None).map_err(|problems| problems.to_string())
}

fn state_of(upstreams: &serde_json::Value, upstream: &str) -> String {
    let scopes = upstreams["scopes"].as_array().unwrap();
    let states: Vec<&str> = scopes
        .iter()
        .filter(|scope| scope["upstream"] == upstream && scope["state"] != "closed")
        .filter_map(|scope| scope["state"].as_str())
        .collect();
    states.join(",")
}

#[tokio::test]
async fn another_configuration_serves_from_the_next_request_on() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    assert_eq!(gateway.post(CHAT, &chat()).await.upstream(), "first");
    let other = Setup::new()
        .upstream_at("other", &second.base_url(), "provider: openai-compatible")
        .route(&["gpt-4o"], &["other"]);
    gateway.gateway.reload(other.config()).await.unwrap();
    assert_eq!(gateway.post(CHAT, &chat()).await.upstream(), "other");
    let mut unknown = chat();
    unknown["model"] = json!("gpt-9");
    refusal(&gateway.post(CHAT, &unknown).await, 404, "model_not_found");
    // Removed upstreams are no longer shown.
    let shown = gateway.admin("/api/upstreams").await.text();
    assert!(!shown.contains("\"first\""), "{shown}");
    let metrics = gateway.admin("/metrics").await.text();
    assert!(metrics.contains("backstop_config_reloads_total{result=\"ok\"} 1"));
    assert!(!metrics.contains("backstop_upstream_state{model=\"\",upstream=\"first\"}"));
}

#[tokio::test]
async fn a_reload_during_an_outage_forgets_nothing_of_it() {
    let (first, second) = simulators().await;
    first.play(Script::status(500)).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    gateway.ask_until_out(&chat()).await;
    let calls = first.received().len();
    let before = gateway.admin("/api/upstreams").await.json();
    assert_eq!(state_of(&before, "first"), "open");

    let more = "timeouts: {total: 300s}\n";
    gateway
        .gateway
        .reload(parsed(&format!("{}{more}", two_upstreams(&first, &second))))
        .await
        .unwrap();
    let after = gateway.admin("/api/upstreams").await.json();
    assert_eq!(state_of(&after, "first"), "open");
    assert_eq!(gateway.post(CHAT, &chat()).await.trail(), ["second:ok"]);
    assert_eq!(first.received().len(), calls, "it is left alone");
}

#[tokio::test]
async fn with_another_key_an_upstream_is_another_account() {
    let (first, second) = simulators().await;
    first.play(Script::status(401)).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    assert_eq!(gateway.post(CHAT, &chat()).await.trail().len(), 2);
    assert_eq!(gateway.post(CHAT, &chat()).await.trail(), ["second:ok"]);

    first.play(Script::healthy()).await;
    let yaml = two_upstreams(&first, &second);
    let renewed = yaml.replacen("first-key", "renewed-key", 1);
    assert_ne!(yaml, renewed, "the key is in the configuration");
    gateway.gateway.reload(parsed(&renewed)).await.unwrap();
    assert_eq!(gateway.post(CHAT, &chat()).await.trail(), ["first:ok"]);
    let sent = first.received().pop().unwrap();
    assert_eq!(sent.headers["authorization"], "Bearer renewed-key");
}

#[tokio::test]
async fn a_configuration_that_is_wrong_changes_nothing() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let wrong = parsed("upstreams: {}\nroutes: []\n");
    assert!(gateway.gateway.reload(wrong).await.is_err());
    let unreadable = format!(
        "{}tls: {{cert: /nowhere/cert.pem, key: /nowhere/key.pem}}\n",
        two_upstreams(&first, &second)
    );
    assert!(gateway.gateway.reload(parsed(&unreadable)).await.is_err());
    let reasons: Vec<String> = gateway
        .events
        .all()
        .into_iter()
        .filter_map(|event| match event {
            Event::ConfigRejected { reason } => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].contains("upstreams"), "{reasons:?}");
    assert!(reasons[1].contains("/nowhere/cert.pem"), "{reasons:?}");
    assert_eq!(gateway.post(CHAT, &chat()).await.trail(), ["first:ok"]);
    let metrics = gateway.admin("/metrics").await.text();
    assert!(metrics.contains("backstop_config_reloads_total{result=\"rejected\"} 2"));
}

#[tokio::test]
async fn a_stream_under_way_ends_as_it_began() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::StallAfter(3))).await;
    let gateway = TestGateway::before(&first, &second, "timeouts: {idle: 1s}\n").await;
    let headers = [("content-type", "application/json")];
    let body = chat_stream().to_string();
    let answer = gateway.open(http::Method::POST, CHAT, &headers, body).await;
    assert_eq!(answer.headers()["x-backstop-upstream"], "first");
    let without_it = Setup::new().upstream(&second);
    gateway.gateway.reload(without_it.config()).await.unwrap();
    assert_eq!(gateway.post(CHAT, &chat()).await.upstream(), "second");
    // The old timeouts still hold for it.
    let whole = within(http_body_util::BodyExt::collect(answer.into_body())).await;
    let text = String::from_utf8(whole.unwrap().to_bytes().to_vec()).unwrap();
    assert!(text.contains("stream_interrupted"), "{text}");
}
