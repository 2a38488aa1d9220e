//! A chat completion as a message, and errors in Anthropic's shape.

use bytes::Bytes;
use serde_json::{Value, json};

/// The message for a chat completion; `None` if it is none.
pub fn answer(completion: &[u8]) -> Option<Bytes> {
    let completion: Value = serde_json::from_slice(completion).ok()?;
    let choice = completion["choices"].as_array()?.first()?;
    let said = &choice["message"];
    let text = said["content"]
        .as_str()
        .or_else(|| said["refusal"].as_str());
    let mut content = Vec::new();
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        content.push(json!({ "type": "text", "text": text }));
    }
    for call in said["tool_calls"].as_array().into_iter().flatten() {
        let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
        let input = match serde_json::from_str(arguments) {
            Ok(Value::Object(input)) => Value::Object(input),
            _ => json!({}),
        };
        let name = &call["function"]["name"];
        content.push(json!({ "type": "tool_use", "id": call["id"], "name": name, "input": input }));
    }
    let message = json!({
        "id": id(&completion["id"]),
        "type": "message",
        "role": "assistant",
        "model": completion["model"],
        "content": content,
        "stop_reason": stop_reason(&choice["finish_reason"]),
        "stop_sequence": null,
        "usage": usage(&completion["usage"]),
    });
    Some(message.to_string().into())
}

/// Anthropic's ids begin in a way of their own.
pub(super) fn id(id: &Value) -> String {
    format!(
        "msg_{}",
        id.as_str()
            .unwrap_or_default()
            .trim_start_matches("chatcmpl-")
    )
}

pub(super) fn stop_reason(finish: &Value) -> &'static str {
    match finish.as_str() {
        Some("length") => "max_tokens",
        Some("tool_calls" | "function_call") => "tool_use",
        Some("content_filter") => "refusal",
        _ => "end_turn",
    }
}

/// What was used: what came out of a cache is counted apart.
pub(super) fn usage(usage: &Value) -> Value {
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    let cached = count(&usage["prompt_tokens_details"]["cached_tokens"]);
    json!({
        "input_tokens": count(&usage["prompt_tokens"]).saturating_sub(cached),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": count(&usage["completion_tokens"]),
    })
}

/// The error body that Anthropic's clients understand, for one of `OpenAI`'s.
pub fn error(body: &[u8]) -> Bytes {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    json!({ "type": "error", "error": object(&body["error"]), "request_id": null })
        .to_string()
        .into()
}

pub(super) fn object(error: &Value) -> Value {
    let is = |names: &[&str]| {
        let fields = [&error["code"], &error["type"]];
        fields
            .iter()
            .any(|field| field.as_str().is_some_and(|name| names.contains(&name)))
    };
    let kind = if is(&["invalid_api_key", "authentication_error"]) {
        "authentication_error"
    } else if is(&[
        "rate_limit_exceeded",
        "requests",
        "tokens",
        "rate_limit_error",
    ]) {
        "rate_limit_error"
    } else if is(&["model_not_found", "not_found_error"]) {
        "not_found_error"
    } else if is(&["server_is_overloaded", "slow_down", "overloaded_error"]) {
        "overloaded_error"
    } else if is(&[
        "invalid_request_error",
        "context_length_exceeded",
        "BadRequestError",
    ]) {
        "invalid_request_error"
    } else {
        "api_error"
    };
    let message = error["message"]
        .as_str()
        .unwrap_or("the upstream gave no reason");
    json!({ "type": kind, "message": message })
}
