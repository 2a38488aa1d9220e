//! `POST /api/explain`.

use serde_json::json;

use crate::harness::{Setup, TestGateway, simulators};

#[tokio::test]
async fn the_endpoint_follows_from_the_body_or_is_named() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let message = json!([{"role": "user", "content": "hi"}]);
    let search = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    let own = json!([{"name": "f", "input_schema": {"type": "object"}}]);
    let function = json!([{"type": "function", "function": {"name": "f"}}]);
    for (request, endpoint) in [
        (json!({"messages": message}), "chat_completions"),
        (
            json!({"messages": message, "tools": function}),
            "chat_completions",
        ),
        (json!({"messages": message, "tools": search}), "messages"),
        (json!({"messages": message, "tools": own}), "messages"),
        (json!({"messages": message, "system": "s"}), "messages"),
        (json!({"input": "hi"}), "responses"),
    ] {
        let question = json!({"model": "m", "request": request});
        let told = gateway.admin_post("/api/explain", &question).await.json();
        assert_eq!(told["endpoint"], endpoint, "{question}");
    }
    for (name, endpoint) in [
        ("chat/completions", "chat_completions"),
        ("/v1/messages", "messages"),
        ("responses", "responses"),
        ("completions", "completions"),
        ("embeddings", "embeddings"),
    ] {
        let question = json!({"model": "m", "endpoint": name});
        let told = gateway.admin_post("/api/explain", &question).await.json();
        assert_eq!(told["endpoint"], endpoint, "{question}");
    }
    let question = json!({"model": "m", "endpoint": "message"});
    let refused = gateway.admin_post("/api/explain", &question).await;
    assert_eq!(refused.status, 400);
    let error = refused.json()["error"].to_string();
    assert!(
        error.contains("`message`") && error.contains("responses, messages"),
        "{error}"
    );
}

/// Without a body, nothing is known that could not be translated.
#[tokio::test]
async fn a_candidate_of_another_api_would_be_tried() {
    let (first, _) = simulators().await;
    let gateway = Setup::new()
        .upstream_as(&first, "provider: anthropic, api_key: k")
        .start()
        .await;
    let question = json!({"model": "m"});
    let answer = gateway.admin_post("/api/explain", &question).await.json();
    assert_eq!(answer["candidates"][0]["why"], "healthy", "{answer}");
}

/// A tool that only Anthropic runs keeps a message at Claude; a chat request cannot contain it.
#[tokio::test]
async fn a_message_is_explained_as_it_would_be_served() {
    let (first, second) = simulators().await;
    let gateway = Setup::new()
        .upstream_as(&first, "provider: anthropic, api_key: k")
        .upstream(&second)
        .start()
        .await;
    let tools = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    let body = json!({"model": "claude-sonnet-4-5", "max_tokens": 9, "tools": tools,
        "messages": [{"role": "user", "content": "hi"}]});
    let question = json!({"model": "claude-sonnet-4-5", "request": body});
    let told = gateway.admin_post("/api/explain", &question).await.json();
    let [claude, other] = [0, 1].map(|index| &told["candidates"][index]);
    assert_eq!(
        (&claude["upstream"], &claude["why"]),
        (&json!("first"), &json!("healthy"))
    );
    assert_eq!(other["upstream"], "second");
    assert!(
        other["why"].as_str().unwrap().starts_with("never: "),
        "{told}"
    );
}

#[tokio::test]
async fn a_candidate_that_is_skipped_is_named_with_its_own_model_and_tier() {
    let (first, _) = simulators().await;
    let gateway = Setup::new()
        .upstream(&first)
        .route(
            &["m"],
            &[
                "first, capabilities: {n: false}",
                "first, model: other, tier: 7, capabilities: {n: false}",
                "first, model: able, tier: 9",
            ],
        )
        .start()
        .await;
    let question = json!({"model": "m", "request": {"model": "m", "n": 2, "messages": []}});
    let told = gateway.admin_post("/api/explain", &question).await.json();
    let listed: Vec<_> = (0..3)
        .map(|index| &told["candidates"][index])
        .map(|candidate| (&candidate["model"], &candidate["tier"], &candidate["place"]))
        .collect();
    assert_eq!(
        listed,
        [
            (&json!("able"), &json!(9), &json!(1)),
            (&json!("m"), &json!(1), &json!(null)),
            (&json!("other"), &json!(7), &json!(null)),
        ]
    );
}
