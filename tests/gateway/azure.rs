//! Clients of Azure, whose base URLs and paths are their own.

use http::Method;
use serde_json::{Value, json};

use backstop::simulator::Simulator;

use crate::harness::{Setup, TestGateway, chat_text, simulators};

const KEY: (&str, &str) = ("api-key", "a-client's");

async fn gateway() -> (TestGateway, Simulator, Simulator) {
    let (first, second) = simulators().await;
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .route(&["gpt-4o"], &["second"])
        .route(&["renamed"], &["second, model: theirs"])
        .route(&["*"], &["first"])
        .start()
        .await;
    (gateway, first, second)
}

#[tokio::test]
async fn a_deployment_is_a_model() {
    let (gateway, first, second) = gateway().await;
    for (deployment, body, expected) in [
        ("gpt-4o", json!({"messages": []}), "gpt-4o"),
        (
            "gpt-4o",
            json!({"model": "gpt-4o", "messages": []}),
            "gpt-4o",
        ),
        // Azure looks at the path only.
        (
            "gpt-4o",
            json!({"messages": [], "model": "other"}),
            "gpt-4o",
        ),
        ("renamed", json!({}), "theirs"),
    ] {
        let path =
            format!("/openai/deployments/{deployment}/chat/completions?api-version=2024-10-21");
        let answered = gateway
            .send(Method::POST, &path, &[KEY], body.to_string())
            .await;
        assert_eq!(chat_text(&answered), "Hello from second.");
        let received = second.received().pop().unwrap();
        assert_eq!(received.path, "/v1/chat/completions");
        assert_eq!(received.header("api-key"), None);
        let mut sent: Value = serde_json::from_slice(&received.body).unwrap();
        assert_eq!(sent["model"].take(), expected);
        assert_eq!(sent.get("messages"), body.get("messages"));
    }
    assert_eq!(first.received_count(), 0);
}

#[tokio::test]
async fn the_newer_base_url_is_as_good_as_ours() {
    let (gateway, first, second) = gateway().await;
    let body = json!({"model": "gpt-4o", "messages": []});
    let answered = gateway
        .post("/openai/v1/chat/completions?api-version=preview", &body)
        .await;
    assert_eq!(chat_text(&answered), "Hello from second.");
    assert_eq!(second.received()[0].body, body.to_string());
    gateway
        .get("/openai/v1/files?limit=2&api-version=preview")
        .await;
    assert_eq!(first.received()[0].path, "/v1/files?limit=2");
    let models = gateway.get("/openai/models?api-version=2024-10-21").await;
    assert_eq!(models.json()["object"], "list");
}

#[tokio::test]
async fn a_model_has_no_slash_at_its_end() {
    let (gateway, _first, _second) = gateway().await;
    for path in ["/v1/models/gpt-4o", "/v1/models/gpt-4o/"] {
        assert_eq!(gateway.get(path).await.json()["id"], "gpt-4o");
    }
}
