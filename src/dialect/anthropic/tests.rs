//! Golden files: requests and answers in both APIs (`tests/fixtures/anthropic`).

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{RequestContext, Translator, answer, error, request, unsupported_feature};
use crate::config::Provider;

fn anthropic() -> Provider {
    let mut providers = Provider::all();
    providers
        .find(|provider| provider.name() == "anthropic")
        .unwrap()
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/anthropic")
        .join(name)
}

/// The names of the cases in a folder.
fn cases(name: &str, ending: &str) -> Vec<String> {
    let mut cases: Vec<String> = fs::read_dir(folder(name))
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(ending).map(str::to_owned)
        })
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

fn read(folder_name: &str, file: &str) -> Value {
    let text = fs::read_to_string(folder(folder_name).join(file)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The context of a request with these fields.
fn context(asked: &Value) -> RequestContext {
    let mut body = asked.clone();
    if body["model"].is_null() {
        body["model"] = json!("claude-sonnet-4-5");
    }
    body["messages"] = json!([{ "role": "user", "content": "x" }]);
    request(body.to_string().as_bytes(), None, None)
        .unwrap()
        .context
}

#[test]
fn chat_requests_become_messages_requests() {
    for case in cases("requests", ".chat.json") {
        let chat = read("requests", &format!("{case}.chat.json"));
        let expected = read("requests", &format!("{case}.messages.json"));
        let name = chat["model"].as_str().unwrap();
        let max_output = anthropic().facts(name).max_output;
        let translated = request(chat.to_string().as_bytes(), None, max_output).unwrap();
        let body: Value = serde_json::from_slice(&translated.body).unwrap();
        assert_eq!(body, expected["body"], "{case}\n{body:#}");
        assert_eq!(json!(translated.dropped), expected["dropped"], "{case}");
    }
}

#[test]
fn messages_become_chat_completions() {
    for case in cases("answers", ".messages.json") {
        let given = read("answers", &format!("{case}.messages.json"));
        let expected = read("answers", &format!("{case}.chat.json"));
        let body = answer(
            given["message"].to_string().as_bytes(),
            &context(&given["asked"]),
        );
        let mut completion: Value = serde_json::from_slice(&body.unwrap()).unwrap();
        assert!(completion["created"].as_u64().unwrap() > 1_700_000_000);
        completion.as_object_mut().unwrap().remove("created");
        assert_eq!(completion, expected, "{case}\n{completion:#}");
    }
}

#[test]
fn what_no_claude_model_can_do_is_not_asked_for() {
    for (field, value, feature) in [
        ("n", json!(2), "n"),
        ("logprobs", json!(true), "logprobs"),
        ("modalities", json!(["audio"]), "audio"),
        ("logit_bias", json!({"1": 5}), "logit_bias"),
        (
            "tools",
            json!([{"type": "custom", "custom": {"name": "x"}}]),
            "custom tools",
        ),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "input_audio"}]}]),
            "audio",
        ),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]),
            "file_id",
        ),
    ] {
        let mut body = json!({"model": "claude-opus-5", "messages": []});
        body[field] = value;
        assert_eq!(unsupported_feature(&body, "claude-opus-5"), Some(feature));
        assert!(request(body.to_string().as_bytes(), None, None).is_none());
    }
    assert_eq!(
        unsupported_feature(&json!({"n": 1, "messages": []}), "claude-opus-5"),
        None
    );
    for (choice_asked, model, feature) in [
        (json!("required"), "claude-fable-5-1", Some("tool_choice")),
        (
            json!({"type": "function", "function": {"name": "f"}}),
            "claude-mythos-5-2",
            Some("tool_choice"),
        ),
        (json!("auto"), "claude-fable-5-1", None),
        (json!("required"), "claude-fable-5", None),
        (json!("required"), "claude-opus-5", None),
        (json!("required"), "claude-opus-5-5", Some("tool_choice")),
    ] {
        let body = json!({"tool_choice": choice_asked, "messages": []});
        assert_eq!(
            unsupported_feature(&body, model),
            feature,
            "{model} {choice_asked}"
        );
    }
}

#[test]
fn errors_take_the_clients_shape() {
    let translated = |kind: &str, message: &str| -> Value {
        let body = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "r"});
        serde_json::from_slice(&error(body.to_string().as_bytes())).unwrap()
    };
    let long = translated("invalid_request_error", "prompt is too long: 9 > 5");
    assert_eq!(long["error"]["code"], "context_length_exceeded");
    assert_eq!(
        translated("overloaded_error", "m")["error"]["code"],
        "server_is_overloaded"
    );
    assert_eq!(
        translated("something_new", "m")["error"]["type"],
        "server_error"
    );
    assert_eq!(translated("not_found_error", "m")["error"]["message"], "m");
    assert!(
        serde_json::from_slice::<Value>(&error(b"<html>")).unwrap()["error"]["message"].is_string()
    );
}

/// Each stream file has Anthropic's events, a line `=====`, and the chunks of a chat without their common fields.
#[test]
fn events_become_chunks_wherever_they_are_cut() {
    for case in cases("streams", ".txt") {
        let text = fs::read_to_string(folder("streams").join(format!("{case}.txt"))).unwrap();
        let (asked, rest) = text.split_once('\n').unwrap();
        let (events, expected) = rest.split_once("=====\n").unwrap();
        let asked: Value = serde_json::from_str(asked).unwrap();
        let mut translator = Translator::new(context(&asked));
        let chunks = translator.translate(events.as_bytes());
        let mut seen = String::new();
        for line in std::str::from_utf8(&chunks).unwrap().lines() {
            let Some(data) = line.strip_prefix("data: ") else {
                if !line.is_empty() {
                    seen += &format!("{line}\n");
                }
                continue;
            };
            let Ok(mut chunk) = serde_json::from_str::<Value>(data) else {
                seen += &format!("{data}\n");
                continue;
            };
            let fields = chunk.as_object_mut().unwrap();
            if !fields.contains_key("error") {
                assert_eq!(fields.remove("id").unwrap(), "msg_1", "{case}");
                assert_eq!(fields.remove("object").unwrap(), "chat.completion.chunk");
                assert!(fields.remove("created").unwrap().is_u64());
                assert_eq!(fields.remove("model").unwrap(), "claude-sonnet-4-5");
            }
            seen += &format!("{chunk}\n");
        }
        assert_eq!(lines(&seen), lines(expected), "{case}");
    }
}

/// Lines of JSON, and others, in which the order of fields does not matter.
fn lines(text: &str) -> Vec<Value> {
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| line.into());
    text.lines().map(line).collect()
}
