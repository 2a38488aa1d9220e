//! Providers with a part of OpenAI's API: requests are adapted to them, and their errors to clients.

use backstop::simulator::{Fault, Script, Simulator};
use serde_json::{Value, json};

use crate::harness::{Setup, TestGateway, chat, chat_text, simulators};

const CHAT: &str = "/v1/chat/completions";

/// A gateway whose second upstream, of this provider, is the fallback of the first, with another model name.
pub(crate) async fn gateway(first: &Simulator, second: &Simulator, provider: &str) -> TestGateway {
    let its_keys = format!("provider: {provider}, api_key: k");
    Setup::new()
        .upstream_as(first, "provider: openai, api_key: k")
        .upstream_as(second, &its_keys)
        .route(&["*"], &["first", "second, model: other"])
        .start()
        .await
}

fn refusing(code: u16, body: &Value) -> Script {
    Script::fault(Fault::Status {
        code,
        headers: Vec::new(),
        body: Some(body.to_string()),
    })
}

/// A request of today's `OpenAI` clients.
fn modern() -> Value {
    json!({
        "model": "gpt-4o",
        "max_completion_tokens": 50,
        "store": false,
        "seed": 7,
        "brand_new": {"kept": true},
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "hello", "annotations": [], "refusal": null},
            {"role": "user", "content": "and?"},
        ],
    })
}

#[tokio::test]
async fn requests_are_adapted_to_the_fallback() {
    for (provider, dropped) in [
        ("ernie", ""),
        ("ollama", ""),
        ("deepseek", ""),
        ("gemini", "seed"),
        ("mistral", "seed"),
    ] {
        let (first, second) = simulators().await;
        first.play(Script::status(503)).await;
        let gateway = gateway(&first, &second, provider).await;
        let answered = gateway.post(CHAT, &modern()).await;
        assert_eq!(chat_text(&answered), "Hello from second.", "{provider}");
        assert_eq!(answered.header("x-backstop-dropped"), dropped, "{provider}");

        let sent = second.received()[0].json();
        assert_eq!(sent["max_tokens"], 50, "{provider}");
        assert_eq!(sent["max_completion_tokens"], Value::Null, "{provider}");
        assert_eq!(sent["messages"][0]["role"], "system", "{provider}");
        assert_eq!(sent["brand_new"], json!({"kept": true}), "{provider}");
        assert_eq!(sent["model"], "other");
        let is_told = sent["messages"][2].get("annotations").is_some();
        assert_eq!(is_told, provider != "mistral");
        assert_eq!(sent["seed"].is_null(), !dropped.is_empty(), "{provider}");
    }
}

#[tokio::test]
async fn what_a_client_wrote_for_a_model_passes_as_it_is() {
    let (first, second) = simulators().await;
    let gateway = gateway(&first, &second, "mistral").await;
    // However unusual the JSON is: the spaces stay as well.
    let body = modern().to_string().replace("\"seed\":7", "\"seed\" :\t7");
    let headers = [("content-type", "application/json")];
    let answered = gateway
        .send(http::Method::POST, CHAT, &headers, body.clone())
        .await;
    assert_eq!(answered.upstream(), "first");
    assert_eq!(first.received()[0].body, body.as_bytes());
}

#[tokio::test]
async fn what_one_does_not_take_goes_to_the_next_and_else_its_own_error_comes_back() {
    let wrong = json!({"error": {"message": "Unsupported parameter: 'seed'", "type": "invalid_request_error",
        "param": "seed", "code": "unsupported_parameter"}});
    let (first, second) = simulators().await;
    first.play(refusing(400, &wrong)).await;
    let gateway = gateway(&first, &second, "ernie").await;
    for _ in 0..10 {
        let answered = gateway.post(CHAT, &modern()).await;
        assert_eq!(answered.trail(), ["first:unsupported", "second:ok"]);
    }
    let other = json!([{"error": {"code": 400, "message": "Invalid JSON payload received. Unknown name \"seed\": Cannot find field."}}]);
    second.play(refusing(400, &other)).await;
    let answered = gateway.post(CHAT, &modern()).await;
    assert_eq!((answered.status, answered.upstream()), (400, "first"));
    assert_eq!(answered.text(), wrong.to_string());
    assert_eq!(
        answered.trail(),
        ["first:unsupported", "second:unsupported"]
    );

    // If the first one is down, the client's retry may help: the error does not mean that its request is invalid.
    first.play(Script::status(500)).await;
    assert_eq!(gateway.post(CHAT, &modern()).await.status, 503);
}

#[tokio::test]
async fn errors_come_in_the_shape_that_clients_read() {
    let gemini = json!([{"error": {"code": 400, "message": "Bad", "status": "INVALID_ARGUMENT"}}]);
    let (first, second) = simulators().await;
    first.play(refusing(400, &gemini)).await;
    let gateway = gateway(&first, &second, "ernie").await;
    let answered = gateway.post(CHAT, &chat()).await;
    let error = &answered.json()["error"];
    assert_eq!((answered.status, answered.upstream()), (400, "first"));
    assert_eq!(error["message"], "Bad");
    assert_eq!(error["type"], "invalid_request_error");
    assert_eq!(error["code"], Value::Null);
    assert_eq!(error["upstream"], gemini);
    assert_eq!(second.received_count(), 0);
}

/// The configuration does not say `responses: false`: this is found out within the request, and is not counted against
/// the model.
#[tokio::test]
async fn an_upstream_without_responses_is_asked_for_chats_from_then_on() {
    let unknown = json!({"error": {"message": "unknown request", "type": "invalid_request_error"}});
    for said in [json!({"detail": "Not Found"}), unknown] {
        asked_for_chats_after(&said).await;
    }
}

async fn asked_for_chats_after(said: &Value) {
    let (first, second) = simulators().await;
    first
        .play(refusing(404, said).with_only_path("/responses"))
        .await;
    let gateway = gateway(&first, &second, "ernie").await;
    for _ in 0..3 {
        let body = json!({"model": "gpt-4o", "input": "hi"});
        let answered = gateway.post("/v1/responses", &body).await;
        assert_eq!(answered.trail(), ["first:ok"]);
        assert_eq!(answered.json()["object"], "response");
        assert_eq!(gateway.post(CHAT, &chat()).await.trail(), ["first:ok"]);
    }
    let asked = first.received();
    let of_responses = asked
        .iter()
        .filter(|request| request.path.ends_with("/responses"));
    assert_eq!(of_responses.count(), 1);
    assert_eq!(asked.len(), 7);

    // A request that no chat completion can express goes to the next one.
    let body = json!({"model": "gpt-4o", "input": "hi", "tools": [{"type": "web_search"}]});
    let answered = gateway.post("/v1/responses", &body).await;
    assert_eq!(answered.json()["error"]["code"], "unsupported_by_upstreams");
}

/// Codex repeats a model's reasoning, encrypted for its organisation; another organisation cannot read it.
#[tokio::test]
async fn thoughts_of_another_organisation_are_left_out_where_nobody_can_read_them() {
    let sealed = json!({"error": {"message": "The encrypted content could not be verified.", "type": "invalid_request_error",
        "param": null, "code": "invalid_encrypted_content"}});
    let (first, second) = simulators().await;
    first
        .play(refusing(400, &sealed).with_only_body("encrypted_content"))
        .await;
    let gateway = gateway(&first, &second, "openai").await;
    let thought =
        json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"});
    let input = json!([thought, {"role": "user", "content": "and?"}]);
    let body = json!({"model": "gpt-4o", "store": false, "input": input});
    let answered = gateway.post("/v1/responses", &body).await;
    assert_eq!(answered.trail(), ["first:ok"]);
    assert_eq!(answered.header("x-backstop-dropped"), "input.reasoning");
    let asked = first.received();
    assert_eq!(asked.len(), 2);
    assert_eq!(
        asked[1].json()["input"],
        json!([{"role": "user", "content": "and?"}])
    );
    assert_eq!(second.received_count(), 0);
}

/// vLLM, as the fallback, uses longer call ids than OpenAI accepts.
#[tokio::test]
async fn ids_of_another_provider_are_rewritten_to_valid_ones() {
    let long = "chatcmpl-tool-0123456789abcdef0123456789abcdef";
    let too_long = json!({"error": {"message": "Invalid 'messages[1].tool_calls[0].id': string too long. Expected a string with maximum length 40, but got a string with length 46 instead.",
        "type": "invalid_request_error", "param": "messages[1].tool_calls[0].id", "code": "string_above_max_length"}});
    let (first, second) = simulators().await;
    first
        .play(refusing(400, &too_long).with_only_body(long))
        .await;
    let gateway = gateway(&first, &second, "vllm").await;
    let body = json!({"model": "gpt-4o", "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": long, "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": long, "content": "x"},
    ]});
    let answered = gateway.post(CHAT, &body).await;
    assert_eq!(answered.trail(), ["first:ok"]);
    let asked = first.received();
    assert_eq!(asked.len(), 2);
    let sent = asked[1].json();
    let id = sent["messages"][1]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(id.len() <= 40, "{id}");
    assert_eq!(sent["messages"][2]["tool_call_id"], id);
}

/// A request written for one model may be invalid for another.
#[tokio::test]
async fn a_fallback_that_rejects_a_request_is_not_the_last_attempt() {
    let refused =
        json!({"error": {"message": "temperature is fixed here", "type": "invalid_request_error"}});
    let (first, second) = simulators().await;
    let third = Simulator::start("third", Script::healthy()).await.unwrap();
    first.play(Script::status(503)).await;
    second.play(refusing(400, &refused)).await;
    let [a, b, c] = [&first, &second, &third].map(|upstream| upstream.base_url().to_owned());
    let gateway = TestGateway::start(&format!(
        "upstreams:\n  first: {{provider: openai, base_url: \"{a}\", api_key: k}}\n  \
         second: {{provider: openai, base_url: \"{b}\", api_key: k}}\n  \
         third: {{provider: openai, base_url: \"{c}\", api_key: k}}\nroutes: [{{models: [\"*\"], candidates: \
         [{{upstream: first, model: a}}, {{upstream: second, model: b}}, {{upstream: third, model: c}}]}}]\n"
    ))
    .await;
    let answered = gateway.post(CHAT, &chat()).await;
    let trail = ["first:overloaded", "second:rejected", "third:ok"];
    assert_eq!(answered.trail(), trail);
    // The rejection of the client's first choice is definite.
    first.play(refusing(400, &refused)).await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(
        (answered.status, answered.trail()),
        (400, vec!["first:rejected".to_owned()])
    );
}

#[tokio::test]
async fn a_request_that_is_rejected_for_another_providers_ids_is_adapted_and_retried() {
    let words = "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.";
    let refused = json!({"object": "error", "message": words, "type": "invalid_function_call", "code": "3280"});
    let mistral = Simulator::start("mistral", Script::healthy())
        .await
        .unwrap();
    let script = refusing(400, &refused).with_only_body("call_1");
    mistral.play(script).await;
    let gateway = TestGateway::start(&format!(
        "upstreams: {{mistral: {{provider: mistral, base_url: \"{}\", api_key: k}}}}\n\
         routes:\n- {{models: [fallback], candidates: [{{upstream: mistral, model: other}}]}}\n\
         - {{models: [\"*\"], candidates: [{{upstream: mistral}}]}}\n",
        mistral.base_url()
    ))
    .await;
    let talk = |model: &str| {
        json!({"model": model, "seed": 1, "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        ]})
    };
    let answered = gateway.post(CHAT, &talk("mistral-large")).await;
    assert_eq!(answered.trail(), ["mistral:ok"]);
    assert_eq!(answered.header("x-backstop-dropped"), "seed");
    let sent = mistral.received()[1].json();
    assert_eq!(
        sent["messages"][2]["tool_call_id"].as_str().unwrap().len(),
        9
    );
    assert_eq!(mistral.received_count(), 2);
    // A fallback gets such a request in the first place, and only once.
    mistral.play(refusing(400, &refused)).await;
    let answered = gateway.post(CHAT, &talk("fallback")).await;
    assert_eq!((answered.status, mistral.received_count()), (400, 3));
}

/// Gemini gives all calls of a stream the same number, and clients would merge them.
#[tokio::test]
async fn calls_that_have_one_number_reach_the_client_apart() {
    let call = |id: &str, city: &str| {
        let call = json!({"index": 0, "id": id, "type": "function", "function": {"name": "f", "arguments": city}});
        let choice = json!({"index": 0, "delta": {"role": "assistant", "tool_calls": [call]}, "finish_reason": null});
        format!(
            "data: {}\n\n",
            json!({"id": "c", "object": "chat.completion.chunk", "choices": [choice]})
        )
    };
    let end =
        json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    let stream = [
        call("one", "{\"a\":1}"),
        call("two", "{\"a\":2}"),
        format!("data: {end}\n\ndata: [DONE]\n\n"),
    ];
    let (first, second) = simulators().await;
    first.play(Script::status(503)).await;
    second
        .play(Script::fault(Fault::Raw(stream.concat())))
        .await;
    let gateway = gateway(&first, &second, "gemini").await;
    let mut body = chat();
    body["stream"] = true.into();
    let answered = gateway.post(CHAT, &body).await;
    assert_eq!(answered.trail(), ["first:overloaded", "second:ok"]);
    let expected = stream.concat().replacen(
        "\"index\":0,\"id\":\"two\"",
        "\"index\":1,\"id\":\"two\"",
        1,
    );
    assert_ne!(expected, stream.concat());
    assert_eq!(answered.text(), expected);
}

#[tokio::test]
async fn a_rejection_inside_a_200_is_returned_with_its_reason() {
    let said = json!({"error": {"message": "tool schema invalid", "code": 400}});
    let stream = |data: &Value| Script::fault(Fault::Raw(format!("data: {data}\n\n")));
    let failed = json!({"type": "response.failed", "response": {"error": {"code": "invalid_image_format",
        "message": "tool schema invalid"}}});
    let whole = json!({"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]});
    let mut streamed = whole.clone();
    streamed["stream"] = true.into();
    let response = json!({"model": "gpt-5", "input": "hi", "stream": true});
    for (script, path, request) in [
        (refusing(200, &said), CHAT, &whole),
        (refusing(200, &said), CHAT, &streamed),
        (stream(&said), CHAT, &streamed),
        (stream(&failed), "/v1/responses", &response),
    ] {
        let (first, second) = simulators().await;
        first.play(script).await;
        let gateway = gateway(&first, &second, "ernie").await;
        let answered = gateway.post(path, request).await;
        assert_eq!(answered.trail(), ["first:rejected"], "{path}");
        assert_eq!((answered.status, answered.upstream()), (400, "first"));
        assert_eq!(answered.header("content-type"), "application/json");
        let told = answered.json();
        assert_eq!(told["error"]["message"], "tool schema invalid", "{told}");
        assert_eq!(second.received_count(), 0);
    }
}
