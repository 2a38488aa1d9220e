//! Requests, answers and streams in both APIs.

use serde_json::{Value, json};

use super::{Translator, answer, error, request, unsupported_feature};
use crate::config::Dialect;
use crate::dialect::names::Names;
use crate::dialect::upstream_api::UpstreamApi;
use crate::wire::sse;

fn api() -> UpstreamApi {
    UpstreamApi::new(Dialect::OpenAi)
}

fn names() -> Names {
    Names::up_to(64)
}

fn chat(body: &Value) -> Value {
    let translated = request(body.to_string().as_bytes(), Some("gpt-4o"), &api()).unwrap();
    serde_json::from_slice(&translated.body).unwrap()
}

#[test]
fn messages_requests_become_chats() {
    let asked = json!({
        "model": "claude-opus-5", "max_tokens": 9, "stream": true, "top_k": 3, "stop_sequences": ["a"],
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "Be kind."}],
        "thinking": {"type": "adaptive"}, "metadata": {"user_id": "u"},
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}]},
            {"role": "user", "content": [
                {"type": "text", "text": "and?"},
                {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [
                    {"type": "text", "text": "broken"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}]}]},
        ],
    });
    let translated = request(asked.to_string().as_bytes(), Some("gpt-4o"), &api()).unwrap();
    assert_eq!(
        translated.dropped,
        ["top_k", "thinking", "messages.thinking"]
    );
    assert_eq!(
        chat(&asked),
        json!({
            "model": "gpt-4o", "max_tokens": 9, "stream": true, "stream_options": {"include_usage": true},
            "stop": ["a"], "user": "u", "tool_choice": "required", "parallel_tool_calls": false,
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}}],
            "messages": [
                {"role": "system", "content": "Be brief.\n\nBe kind."},
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": "Let me see.", "tool_calls": [
                    {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
                {"role": "tool", "tool_call_id": "t1", "content": "Error: broken"},
                {"role": "user", "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                    {"type": "text", "text": "and?"}]},
            ],
        })
    );
    let mut thinks = json!({"model": "x", "messages": [], "thinking": {"type": "enabled", "budget_tokens": 20000}});
    let effort = |asked: &Value| {
        let translated = request(asked.to_string().as_bytes(), Some("o3"), &api()).unwrap();
        let chat: Value = serde_json::from_slice(&translated.body).unwrap();
        chat["reasoning_effort"].clone()
    };
    assert_eq!(effort(&thinks), "high");
    thinks["thinking"] = json!({"type": "disabled"});
    assert_eq!(effort(&thinks), Value::Null);
}

#[test]
fn a_name_of_a_user_that_openai_would_refuse_is_left_out() {
    for (length, dropped) in [(64, &[][..]), (65, &["metadata".to_owned()])] {
        let user = "u".repeat(length);
        let asked = json!({"model": "x", "messages": [], "metadata": {"user_id": user}});
        let translated = request(asked.to_string().as_bytes(), None, &api()).unwrap();
        assert_eq!(translated.dropped, dropped);
        assert_eq!(chat(&asked)["user"].is_null(), !dropped.is_empty());
    }
}

#[test]
fn what_the_system_says_amid_the_talk_goes_with_the_user() {
    let image = json!({"type": "image", "source": {"type": "url", "url": "u"}});
    let system = json!({"role": "system", "content": [{"type": "text", "text": "Be kind."}]});
    let asked = json!({"model": "x", "system": "Be brief.", "messages": [
        {"role": "user", "content": "hi"}, system,
        {"role": "assistant", "content": "Hello."}, system,
        {"role": "user", "content": [image]}, system,
    ]});
    let reminder = "<system-reminder>\nBe kind.\n</system-reminder>";
    assert_eq!(
        chat(&asked)["messages"],
        json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": format!("hi\n\n{reminder}")},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": reminder},
            {"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "u"}}, {"type": "text", "text": reminder}]},
        ])
    );
}

#[test]
fn what_chats_do_not_have_is_named() {
    assert_eq!(
        unsupported_feature(&json!({"tools": [{"type": "web_search_20250305", "name": "w"}]})),
        Some("hosted tools")
    );
    assert_eq!(
        unsupported_feature(
            &json!({"messages": [], "tools": [{"type": "custom", "name": "w"}, {"name": "v"}]})
        ),
        None
    );
    let file = json!({"messages": [{"content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}]});
    assert_eq!(unsupported_feature(&file), Some("file_id"));
    let far = json!({"messages": [{"content": [{"type": "document", "source": {"type": "url", "url": "u"}}]}]});
    assert_eq!(unsupported_feature(&far), Some("documents by URL"));
}

#[test]
fn completions_become_messages() {
    let completion = json!({"id": "chatcmpl-7", "model": "gpt-4o", "choices": [{"message": {"content": "Hi",
        "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{\"a\":1}"}}]}, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}}});
    let message: Value =
        serde_json::from_slice(&answer(completion.to_string().as_bytes(), &names()).unwrap())
            .unwrap();
    assert_eq!(
        message,
        json!({"id": "msg_7", "type": "message", "role": "assistant", "model": "gpt-4o",
            "content": [{"type": "text", "text": "Hi"}, {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}],
            "stop_reason": "tool_use", "stop_sequence": null,
            "usage": {"input_tokens": 2, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 3, "output_tokens": 2}})
    );
    assert!(answer(b"{}", &names()).is_none());
    let body: Value = serde_json::from_slice(&error(
        br#"{"error":{"message":"m","code":"rate_limit_exceeded"}}"#,
    ))
    .unwrap();
    assert_eq!(
        body["error"],
        json!({"type": "rate_limit_error", "message": "m"})
    );
}

fn kinds(chunks: &[Value], end: &str) -> Vec<String> {
    let mut translator = Translator::new(names());
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend_from_slice(&translator.translate(format!("data: {chunk}\n\n").as_bytes()));
    }
    out.extend_from_slice(&translator.translate(end.as_bytes()));
    out.extend_from_slice(&translator.finish());
    sse::events(&out)
        .map(|event| {
            let data: Value = serde_json::from_slice(&event.data.unwrap()).unwrap();
            let detail = [
                data["delta"]["text"].as_str(),
                data["delta"]["partial_json"].as_str(),
                data["delta"]["stop_reason"].as_str(),
                data["content_block"]["type"].as_str(),
            ];
            let detail = detail.into_iter().flatten().next().unwrap_or_default();
            format!(
                "{} {} {detail}",
                data["type"].as_str().unwrap(),
                data["index"]
            )
            .replace(" null ", " ")
        })
        .collect()
}

#[test]
fn chunks_become_events() {
    let chunk = |delta: Value, finish: Value| json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    let call = |index: u64, arguments: &str| json!({"tool_calls": [{"index": index, "id": "c", "function": {"name": "f", "arguments": arguments}}]});
    let chunks = [
        chunk(json!({"role": "assistant", "content": ""}), Value::Null),
        chunk(json!({"content": "Hel"}), Value::Null),
        chunk(json!({"content": "lo"}), Value::Null),
        chunk(call(0, ""), Value::Null),
        chunk(call(0, "{}"), Value::Null),
        chunk(call(1, "{}"), Value::Null),
        chunk(json!({}), json!("tool_calls")),
        json!({"choices": [], "usage": {"prompt_tokens": 1}}),
    ];
    let expected = [
        "message_start ",
        "content_block_start 0 text",
        "content_block_delta 0 Hel",
        "content_block_delta 0 lo",
        "content_block_stop 0 ",
        "content_block_start 1 tool_use",
        "content_block_delta 1 {}",
        "content_block_stop 1 ",
        "content_block_start 2 tool_use",
        "content_block_delta 2 {}",
        "content_block_stop 2 ",
        "message_delta tool_use",
        "message_stop ",
    ];
    for end in ["data: [DONE]\n\n", ""] {
        assert_eq!(kinds(&chunks, end), expected);
    }
    assert_eq!(
        kinds(&chunks[..2], "data: [DONE]\n\n").last().unwrap(),
        "content_block_delta 0 Hel"
    );
    assert_eq!(
        kinds(&chunks[..2], "data: {\"error\":{\"message\":\"m\"}}\n\n")
            .last()
            .unwrap(),
        "error "
    );
}

#[test]
fn calls_that_come_out_of_order_are_no_answer() {
    let call = |index: u64, arguments: &str| {
        let call = json!([{"index": index, "id": format!("c{index}"), "function": {"name": "f", "arguments": arguments}}]);
        json!({"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": call}, "finish_reason": null}]})
    };
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    let out_of_order = kinds(
        &[call(0, "{"), call(1, "{}"), call(0, "}"), end],
        "data: [DONE]\n\n",
    );
    assert!(
        out_of_order.contains(&"error ".to_owned()),
        "{out_of_order:?}"
    );
    assert!(
        !out_of_order
            .iter()
            .any(|kind| kind.starts_with("message_stop"))
    );
}

#[test]
fn what_is_for_anthropics_accounts_goes_nowhere_else() {
    let asked = json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}],
        "metadata": {"user_id": "u".repeat(100)},
        "system": [{"type": "text", "text": "x-anthropic-billing-header: cc_version=2"}, {"type": "text", "text": "Be brief."}]});
    let sent = chat(&asked);
    assert_eq!(
        sent["messages"][0],
        json!({"role": "system", "content": "Be brief."})
    );
    assert_eq!(sent["user"], Value::Null);
}

#[test]
fn long_names_of_tools_come_back_as_they_were() {
    let long = format!("mcp__server__{}", "tool".repeat(20));
    let asked = json!({"model": "m", "max_tokens": 5, "tools": [{"name": long, "input_schema": {}}],
        "tool_choice": {"type": "tool", "name": long},
        "messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": long, "input": {}}]}]});
    let translated = request(asked.to_string().as_bytes(), Some("m"), &api()).unwrap();
    let sent: Value = serde_json::from_slice(&translated.body).unwrap();
    let name = sent["tools"][0]["function"]["name"].as_str().unwrap();
    assert!(name.len() <= 64);
    assert_eq!(sent["tool_choice"]["function"]["name"], name);
    assert_eq!(
        sent["messages"][0]["tool_calls"][0]["function"]["name"],
        name
    );
    let completion = json!({"choices": [{"message": {"tool_calls": [{"id": "c", "function": {"name": name, "arguments": "{}"}}]}}]});
    let message = answer(completion.to_string().as_bytes(), &translated.names).unwrap();
    let message: Value = serde_json::from_slice(&message).unwrap();
    assert_eq!(message["content"][0]["name"], long);
}

#[test]
fn what_is_too_long_is_said_in_the_words_that_clients_look_for() {
    let body = error(br#"{"error":{"message":"9 > 5","code":"context_length_exceeded"}}"#);
    let body: Value = serde_json::from_slice(&body).unwrap();
    let expected = json!({"type": "invalid_request_error", "message": "prompt is too long: 9 > 5"});
    assert_eq!(body["error"], expected);
}

#[test]
fn nothing_of_a_conversation_vanishes() {
    let found = json!({"type": "search_result", "title": "T", "source": "s", "content": [{"type": "text", "text": "found"}]});
    let pdf = json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "cGRm"}});
    let parts = json!({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "part"}]}});
    let asked = json!({"model": "m", "max_tokens": 5, "messages": [
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [found, pdf]}, parts]},
    ]});
    let sent = chat(&asked);
    let messages = sent["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert_eq!(messages[1]["content"], "T (s)\nfound");
    assert_eq!(
        messages[2]["content"][0]["file"]["file_data"],
        "data:application/pdf;base64,cGRm"
    );
    assert_eq!(messages[2]["content"][1]["text"], "part");
    for (block, feature) in [
        (
            json!({"type": "server_tool_use", "id": "x", "name": "web_search", "input": {}}),
            "content of this kind",
        ),
        (
            json!({"type": "tool_result", "content": [{"type": "image", "source": {"type": "file"}}]}),
            "file_id",
        ),
    ] {
        let body = json!({"messages": [{"role": "user", "content": [block]}]});
        assert_eq!(unsupported_feature(&body), Some(feature));
    }
    assert_eq!(
        unsupported_feature(&json!({"messages": "hi"})),
        Some("a list of messages")
    );
}

#[test]
fn a_tool_is_not_run_with_half_of_its_arguments() {
    let completion = |finish: &str| {
        json!({"choices": [{"finish_reason": finish, "message":
        {"tool_calls": [{"function": {"name": "rm", "arguments": "{\"path\":\"/a"}}]}}]})
    };
    let message = |finish: &str| answer(completion(finish).to_string().as_bytes(), &names());
    assert!(message("tool_calls").is_none() && message("error").is_none());
    let message: Value = serde_json::from_slice(&message("length").unwrap()).unwrap();
    assert_eq!(message["stop_reason"], "max_tokens");
    assert!(
        message["content"][0]["id"]
            .as_str()
            .unwrap()
            .starts_with("call_")
    );
}

/// The message for the choice of a completion.
fn message_for(message: &Value, finish: &str) -> Value {
    let choice = json!({"message": message, "finish_reason": finish});
    let completion = json!({"choices": [choice]}).to_string();
    serde_json::from_slice(&answer(completion.as_bytes(), &names()).unwrap()).unwrap()
}

#[test]
fn a_call_is_the_reason_to_stop_whatever_the_upstream_says() {
    let call =
        json!({"index": 0, "id": "functions.f:0", "function": {"name": "f", "arguments": "{}"}});
    let calling = json!({"content": null, "tool_calls": [call]});
    for (finish, expected) in [
        ("stop", "tool_use"),
        ("tool_calls", "tool_use"),
        ("length", "max_tokens"),
    ] {
        assert_eq!(
            message_for(&calling, finish)["stop_reason"],
            expected,
            "{finish}"
        );
        let chunks = [
            json!({"choices": [{"delta": calling, "finish_reason": null}]}),
            json!({"choices": [{"delta": {}, "finish_reason": finish}]}),
        ];
        let delta = format!("message_delta {expected}");
        assert!(kinds(&chunks, "data: [DONE]\n\n").contains(&delta));
    }
    let silent = json!({"content": "x"});
    assert_eq!(
        message_for(&silent, "tool_calls")["stop_reason"],
        "end_turn"
    );
    let id = &message_for(&calling, "stop")["content"][0]["id"];
    assert!(!id.as_str().unwrap().contains([':', '.']), "{id}");
}

#[test]
fn a_refusal_is_called_one() {
    let refusing = json!({"content": null, "refusal": "I can't."});
    let message = message_for(&refusing, "stop");
    assert_eq!(message["stop_reason"], "refusal");
    assert_eq!(message["content"][0]["text"], "I can't.");
    let chunk = |delta: Value, finish: Value| json!({"choices": [{"delta": delta, "finish_reason": finish}]});
    let chunks = [
        chunk(json!({"refusal": "I "}), Value::Null),
        chunk(json!({"refusal": "can't."}), Value::Null),
        chunk(json!({}), json!("stop")),
    ];
    let expected = [
        "message_start ",
        "content_block_start 0 text",
        "content_block_delta 0 I can't.",
        "content_block_stop 0 ",
        "message_delta refusal",
        "message_stop ",
    ];
    assert_eq!(kinds(&chunks, "data: [DONE]\n\n"), expected);
}

#[test]
fn thoughts_that_are_in_the_total_only_are_counted() {
    let used = json!({"prompt_tokens": 6, "completion_tokens": 5, "total_tokens": 40});
    let completion =
        json!({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": used});
    let message = answer(completion.to_string().as_bytes(), &names()).unwrap();
    let message: Value = serde_json::from_slice(&message).unwrap();
    assert_eq!(message["usage"]["input_tokens"], 6);
    assert_eq!(message["usage"]["output_tokens"], 34);
}
