//! Whole answers in place of the streams that were asked for, and answers whose type is mistaken.

use std::net::SocketAddr;

use backstop::simulator::{Fault, Script, Simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{Setup, chat, chat_stream};
use crate::streaming::apis;

const CHAT: &str = "/v1/chat/completions";

/// What an upstream says that cannot stream.
fn unstreamed(answer: &Value) -> Script {
    Script::fault(Fault::Status {
        code: 200,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: Some(answer.to_string()),
    })
}

/// Whoever answers without a stream has been paid for it, and would answer so again.
#[tokio::test]
async fn the_whole_answer_of_an_upstream_that_cannot_stream_comes_as_events() {
    let call = json!({"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"x\":1}"}});
    let answer = json!({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi there", "tool_calls": [call]},
            "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}});
    let only = Simulator::start("only", unstreamed(&answer)).await.unwrap();
    let keys = "provider: openai-compatible, responses: false, api_key: k";
    let gateway = Setup::new().upstream_as(&only, keys).start().await;
    let message = json!({"model": "gpt-4o", "max_tokens": 9, "stream": true,
        "messages": [{"role": "user", "content": "hi"}]});
    let all = apis().into_iter().chain([("/v1/messages", message)]);
    for (count, (path, body)) in all.enumerate() {
        let answered = gateway.post(path, &body).await;
        assert_eq!(answered.trail(), ["only:ok"], "{path}");
        assert_eq!(only.received_count(), count + 1);
        let form = answered.headers["content-type"].to_str().unwrap();
        assert!(form.starts_with("text/event-stream"), "{form}");
        let text = answered.text();
        for part in ["Hi there", "look", "c1", "{\\\"x\\\":1}"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let (reason, end) = match path {
            CHAT => ("\"finish_reason\":\"tool_calls\"", "data: [DONE]\n\n"),
            "/v1/messages" => ("\"stop_reason\":\"tool_use\"", "\"message_stop\"}\n\n"),
            _ => ("\"status\":\"completed\"", "}\n\n"),
        };
        assert!(text.contains(reason) && text.ends_with(end), "{text}");
    }
}

#[tokio::test]
async fn a_whole_answer_in_the_clients_own_api_comes_as_its_events() {
    let usage = json!({"input_tokens": 3, "output_tokens": 2, "total_tokens": 5});
    let message = json!({"id": "m1", "type": "message", "role": "assistant", "model": "m", "usage": usage,
        "stop_reason": "end_turn", "stop_sequence": null, "content": [
            {"type": "thinking", "thinking": "hm", "signature": "proof"}, {"type": "text", "text": "Hi there"}]});
    let content = json!([{"type": "output_text", "text": "Hi there", "annotations": []}]);
    let item = json!({"type": "message", "id": "i", "role": "assistant", "status": "completed", "content": content});
    let response = json!({"id": "r1", "object": "response", "status": "completed", "model": "m", "output": [item], "usage": usage});
    let completion = json!({"id": "c1", "object": "text_completion", "model": "m", "choices": [
        {"index": 0, "text": "Hi there", "finish_reason": "stop", "logprobs": null}]});
    for (path, provider, answer, parts) in [
        (
            "/v1/messages",
            "anthropic",
            message,
            ["\"signature\":\"proof\"", "event: message_stop\n"],
        ),
        (
            "/v1/responses",
            "openai-compatible",
            response,
            [
                "event: response.output_text.delta\n",
                "event: response.completed\n",
            ],
        ),
        (
            "/v1/completions",
            "openai-compatible",
            completion,
            ["\"finish_reason\":\"stop\"", "data: [DONE]\n\n"],
        ),
    ] {
        let only = Simulator::start("only", unstreamed(&answer)).await.unwrap();
        let keys = format!("provider: {provider}, api_key: k");
        let gateway = Setup::new().upstream_as(&only, &keys).start().await;
        let body = json!({"model": "m", "max_tokens": 9, "stream": true, "input": "hi", "prompt": "hi",
            "messages": [{"role": "user", "content": "hi"}]});
        let answered = gateway.post(path, &body).await;
        assert_eq!(answered.trail(), ["only:ok"], "{path}");
        let text = answered.text();
        for part in parts.into_iter().chain(["Hi there"]) {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

/// Such as one with an image.
#[tokio::test]
async fn a_whole_answer_may_be_large_in_place_of_a_stream_too() {
    let image = "A".repeat(3 << 20);
    let item =
        json!({"type": "image_generation_call", "id": "i", "status": "completed", "result": image});
    let answer = json!({"id": "r1", "object": "response", "status": "completed", "model": "m", "output": [item]});
    let only = Simulator::start("only", unstreamed(&answer)).await.unwrap();
    let keys = "provider: openai-compatible, api_key: k";
    let gateway = Setup::new().upstream_as(&only, keys).start().await;
    let body = json!({"model": "m", "stream": true, "input": "draw"});
    let answered = gateway.post("/v1/responses", &body).await;
    assert_eq!(answered.trail(), ["only:ok"]);
    assert!(answered.text().contains(&image));
}

/// A server of one answer, whose type it may mistake.
async fn server(body: String, media_type: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let length = body.len();
    let reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    });
    address
}

/// What it is shows in its first bytes, and that is how the client gets it.
#[tokio::test]
async fn an_answer_of_the_wrong_type_or_behind_a_byte_order_mark_is_the_answer() {
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": "Hi there"}, "finish_reason": "stop"});
    let whole = json!({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]})
        .to_string();
    let delta = json!({"choices": [{"index": 0, "delta": {"content": "Hi there"}, "finish_reason": "stop"}]});
    let events = format!("data: {delta}\n\ndata: [DONE]\n\n");
    let marked = |body: &str| format!("\u{feff}{body}");
    let (json, event_stream, text) = ("application/json", "text/event-stream", "text/plain");
    for (body, said, streamed, is) in [
        (&events, json, true, event_stream),
        (&events, text, true, event_stream),
        (&marked(&events), text, true, event_stream),
        (&whole, text, true, event_stream),
        (&marked(&whole), json, true, event_stream),
        (&whole, event_stream, false, json),
        (&whole, text, false, json),
        (&marked(&whole), json, false, json),
    ] {
        let url = format!("http://{}", server(body.clone(), said).await);
        let setup = Setup::new().upstream_at("only", &url, "provider: openai-compatible");
        let gateway = setup.start().await;
        let request = if streamed { chat_stream() } else { chat() };
        let answered = gateway.post(CHAT, &request).await;
        let case = format!("{said}, {streamed}: {}", answered.text());
        assert_eq!(answered.status, 200, "{case}");
        assert!(
            answered.headers["content-type"]
                .to_str()
                .unwrap()
                .starts_with(is),
            "{case}"
        );
        assert!(answered.text().contains("Hi there"), "{case}");
        assert!(
            streamed || answered.json()["object"] == "chat.completion",
            "{case}"
        );
    }
}

#[tokio::test]
async fn who_refuses_to_stream_is_asked_for_a_whole_answer_which_comes_as_events() {
    let message = json!({"model": "m", "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    for (path, provider, body) in [
        (CHAT, "openai-compatible", chat_stream()),
        ("/v1/messages", "anthropic", message),
    ] {
        for words in [
            "Streaming is not supported for this model",
            "This model does not support streaming.",
        ] {
            let error = json!({"type": "error", "error": {"message": words, "type": "invalid_request_error"}});
            let refused = Fault::Status {
                code: 400,
                headers: Vec::new(),
                body: Some(error.to_string()),
            };
            let script = Script::fault(refused).with_only_body("\"stream\":true");
            let only = Simulator::start("only", script).await.unwrap();
            let keys = format!("provider: {provider}, api_key: k");
            let gateway = Setup::new().upstream_as(&only, &keys).start().await;
            let answered = gateway.post(path, &body).await;
            assert_eq!(answered.trail(), ["only:ok"], "{path}: {}", answered.text());
            let form = answered.headers["content-type"].to_str().unwrap();
            assert!(form.starts_with("text/event-stream"), "{form}");
            assert!(
                answered.text().contains("Hello from only."),
                "{}",
                answered.text()
            );
            assert_eq!(only.received_count(), 2);
        }
    }
}

#[tokio::test]
async fn a_whole_answer_that_is_none_is_no_stream_either() {
    let only = Simulator::start("only", unstreamed(&json!({"choices": []})))
        .await
        .unwrap();
    let gateway = Setup::new().upstream(&only).start().await;
    let answered = gateway.post(CHAT, &chat_stream()).await;
    assert_eq!(answered.trail(), ["only:no_answer"]);
    assert_eq!(only.received_count(), 1);
}

/// A whole answer would be paid for, and could not be used.
#[tokio::test]
async fn who_refuses_to_stream_is_not_asked_for_the_rest_of_a_stream_in_one_piece() {
    let cut = Script::fault(Fault::CutAfter(2)).with_text("One two three four.");
    let first = Simulator::start("first", cut).await.unwrap();
    let error = json!({"error": {"message": "Streaming is not supported for this model"}});
    let refused = Fault::Status {
        code: 400,
        headers: Vec::new(),
        body: Some(error.to_string()),
    };
    let script = Script::fault(refused).with_only_body("\"stream\":true");
    let second = Simulator::start("second", script).await.unwrap();
    let gateway = Setup::new()
        .upstream_as(&first, "provider: openai-compatible")
        .upstream_as(&second, "provider: openai-compatible")
        .route_with(&["*"], &["first", "second"], "continuation: regenerate")
        .start()
        .await;
    let answered = gateway.post(CHAT, &chat_stream()).await;
    assert!(answered.text().contains("error"), "{}", answered.text());
    let received = second.received();
    assert!(!received.is_empty(), "{}", answered.text());
    assert!(received.iter().all(|one| one.json()["stream"] == true));
}
