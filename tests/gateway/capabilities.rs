//! Requests go only to candidates that support what they need; if none does, the error says so.

use backstop::simulator::{Fault, Script, Simulator};
use serde_json::{Value, json};

use crate::harness::{Answered, Setup, TestGateway, chat, chat_stream, refusal, simulators};

const CHAT: &str = "/v1/chat/completions";

/// Two upstreams in this order, with these additional keys; `route` holds additional keys of the route.
async fn gateway(
    (first, of_first): (&Simulator, &str),
    (second, of_second): (&Simulator, &str),
    candidates: (&str, &str),
    route: &str,
) -> TestGateway {
    let keys = |more: &str| format!("provider: openai-compatible, {more}");
    let candidates = [
        format!("first, {}", candidates.0),
        format!("second, {}", candidates.1),
    ];
    let candidates = candidates.each_ref().map(String::as_str);
    Setup::new()
        .upstream_as(first, &keys(of_first))
        .upstream_as(second, &keys(of_second))
        .route_with(&["*"], &candidates, route)
        .start()
        .await
}

fn chat_with(field: &str, value: Value) -> Value {
    let mut body = chat();
    body[field] = value;
    body
}

fn image() -> Value {
    let parts = json!([
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]);
    chat_with("messages", json!([{"role": "user", "content": parts}]))
}

/// One request for each ability, with its name in the configuration.
fn needy() -> Vec<(&'static str, Value)> {
    let tool = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
    let schema = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {}}});
    let sound = json!([{"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}]);
    let mut usage = chat_stream();
    usage["stream_options"] = json!({"include_usage": true});
    vec![
        ("tools", chat_with("tools", tool)),
        ("json_schema", chat_with("response_format", schema)),
        ("vision", image()),
        (
            "audio",
            chat_with("messages", json!([{"role": "user", "content": sound}])),
        ),
        ("n", chat_with("n", json!(2))),
        ("logprobs", chat_with("logprobs", json!(true))),
        ("stream_usage", usage),
    ]
}

#[tokio::test]
async fn a_request_passes_over_candidates_that_lack_what_it_needs() {
    for (ability, body) in needy() {
        let (first, second) = simulators().await;
        let lacks = format!("capabilities: {{{ability}: false}}");
        let has = format!("capabilities: {{{ability}: true}}");
        let gateway = gateway((&first, &lacks), (&second, &has), ("", ""), "").await;
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!(
            (answered.status, answered.upstream()),
            (200, "second"),
            "{ability}"
        );
        assert_eq!(first.received_count(), 0, "{ability}");
        let plain = gateway.post(CHAT, &chat()).await;
        assert_eq!(plain.upstream(), "first", "{ability}");
    }
}

#[tokio::test]
async fn when_all_lack_it_the_error_names_it() {
    for (ability, body) in needy() {
        let (first, second) = simulators().await;
        let lacks = format!("capabilities: {{{ability}: false}}");
        let gateway = gateway((&first, &lacks), (&second, &lacks), ("", ""), "").await;
        let error = refusal(
            &gateway.post(CHAT, &body).await,
            400,
            "unsupported_by_upstreams",
        );
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&format!("({ability})")), "{message}");
        assert_eq!((first.received_count(), second.received_count()), (0, 0));
    }
}

#[tokio::test]
async fn models_are_known_by_their_names_and_the_configuration_knows_better() {
    let (first, second) = simulators().await;
    let blind = "model: ernie-4.5-turbo-128k";
    let served_by = async |of_first: &str, candidate: &str| {
        let gateway = gateway((&first, of_first), (&second, ""), (candidate, ""), "").await;
        gateway.post(CHAT, &image()).await.upstream().to_owned()
    };
    assert_eq!(served_by("", blind).await, "second");
    let sees = "capabilities: {vision: true}";
    assert_eq!(served_by(sees, blind).await, "first");
    // A candidate's setting overrides its upstream's.
    let blind_again = format!("{blind}, capabilities: {{vision: false}}");
    assert_eq!(served_by(sees, &blind_again).await, "second");
}

/// Names can mislead: a private server may call any model `gpt-4`.
#[tokio::test]
async fn what_is_known_by_names_alone_never_leaves_nobody() {
    let (first, second) = simulators().await;
    let blind = ("model: gpt-4", "model: gpt-4");
    let gateway = gateway((&first, ""), (&second, ""), blind, "").await;
    let answered = gateway.post(CHAT, &image()).await;
    assert_eq!((answered.status, answered.upstream()), (200, "first"));
}

#[tokio::test]
async fn what_is_too_long_goes_to_a_larger_window_only() {
    let too_long = Script::fault(Fault::Status {
        code: 400,
        headers: Vec::new(),
        body: Some(json!({"error": {"code": "context_length_exceeded"}}).to_string()),
    });
    let (first, second) = simulators().await;
    first.play(too_long).await;
    let window = |tokens: u32| format!("capabilities: {{context_window: {tokens}}}");
    let answer = async |of_second: u32| {
        let (of_first, of_second) = (window(1000), window(of_second));
        let gateway = gateway((&first, &of_first), (&second, &of_second), ("", ""), "").await;
        gateway.post(CHAT, &chat()).await
    };
    assert_eq!(answer(2000).await.trail(), ["first:too_long", "second:ok"]);
    let refused = answer(1000).await;
    assert_eq!(refused.trail(), ["first:too_long"]);
    refusal(&refused, 400, "context_length_exceeded");
}

#[tokio::test]
async fn what_cannot_fit_is_not_even_asked_for() {
    let (first, second) = simulators().await;
    let long = json!([{"role": "user", "content": "word ".repeat(2000)}]);
    let window = |tokens: u32| format!("capabilities: {{context_window: {tokens}}}");
    let gateway = gateway((&first, &window(500)), (&second, ""), ("", ""), "").await;
    let answered = gateway
        .post(CHAT, &chat_with("messages", long.clone()))
        .await;
    assert_eq!((answered.upstream(), first.received_count()), ("second", 0));

    let small = window(500);
    let gateway = self::gateway((&first, &small), (&second, &small), ("", ""), "").await;
    let answered = gateway.post(CHAT, &chat_with("messages", long)).await;
    refusal(&answered, 400, "context_length_exceeded");
}

/// Each has the window for itself.
#[tokio::test]
async fn many_inputs_together_may_be_longer_than_the_window() {
    let (first, second) = simulators().await;
    let small = "capabilities: {context_window: 500}";
    let gateway = gateway((&first, small), (&second, small), ("", ""), "").await;
    let inputs = vec!["word ".repeat(200); 20];
    for (path, field) in [("/v1/embeddings", "input"), ("/v1/completions", "prompt")] {
        let request = json!({"model": "small", field: inputs});
        let answered = gateway.post(path, &request).await;
        assert_eq!(answered.trail(), ["first:ok"], "{path}");
    }
}

#[tokio::test]
async fn explain_knows_what_a_request_needs() {
    let (first, second) = simulators().await;
    let lacks = "capabilities: {n: false}";
    let gateway = gateway((&first, lacks), (&second, ""), ("", ""), "").await;
    let question = json!({"model": "gpt-4o", "request": chat_with("n", json!(3))});
    let told = gateway.admin_post("/api/explain", &question).await.json();
    assert_eq!(told["candidates"][0]["upstream"], "second");
    let why = told["candidates"][1]["why"].as_str().unwrap();
    assert!(
        why.starts_with("never: ") && why.ends_with("needs: n"),
        "{why}"
    );
}

/// How an upstream refuses content, for requests that are streamed or not.
fn refusals() -> Vec<(bool, Fault)> {
    let filtered = json!({"error": {"code": "content_filter", "message": "no"}});
    let status = Fault::Status {
        code: 400,
        headers: Vec::new(),
        body: Some(filtered.to_string()),
    };
    let choice = json!({"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": null, "refusal": "I can't."}});
    let refused = Fault::Status {
        code: 200,
        headers: Vec::new(),
        body: Some(json!({"id": "chatcmpl-1", "choices": [choice]}).to_string()),
    };
    vec![(false, status.clone()), (true, status), (false, refused)]
}

#[tokio::test]
async fn refused_content_is_shopped_around_only_where_the_route_says_so() {
    for (is_streamed, fault) in refusals() {
        let (first, second) = simulators().await;
        first.play(Script::fault(fault.clone())).await;
        let body = if is_streamed { chat_stream() } else { chat() };
        let answer = async |route: &str| -> Answered {
            let gateway = gateway((&first, ""), (&second, ""), ("", ""), route).await;
            gateway.post(CHAT, &body).await
        };
        let answered = answer("").await;
        assert_eq!((answered.upstream(), second.received_count()), ("first", 0));

        let answered = answer("refusals: next").await;
        assert_eq!(answered.trail(), ["first:content_refused", "second:ok"]);

        second.play(Script::fault(fault)).await;
        refusal(&answer("refusals: next").await, 400, "content_filter");

        // Nobody takes a wrong request.
        let asked = second.received_count();
        first.play(Script::status(400)).await;
        assert_eq!(answer("refusals: next").await.trail(), ["first:rejected"]);
        assert_eq!(second.received_count(), asked);
    }
}
