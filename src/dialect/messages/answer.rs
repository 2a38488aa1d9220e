//! A chat completion as a message, and errors in Anthropic's shape.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::dialect::chunks::{call_id, text_of};
use crate::dialect::finish::{Finish, finish};
use crate::dialect::names::Names;
use crate::dialect::openai::says_too_long;

/// The message for a chat completion; `None` if it is not one, or has failed, or has tool arguments that are not
/// JSON.
pub fn answer(completion: &[u8], names: &Names) -> Option<Bytes> {
    let completion: Value = serde_json::from_slice(completion).ok()?;
    let choice = completion["choices"].as_array()?.first()?;
    let (reply, reason) = (&choice["message"], &choice["finish_reason"]);
    if finish(reason.as_str().unwrap_or_default()) == Finish::Failed {
        return None;
    }
    let refusal = text_of(&reply["refusal"]);
    let mut content = Vec::new();
    for text in [text_of(&reply["content"]), refusal.clone()] {
        if !text.is_empty() {
            content.push(json!({ "type": "text", "text": text }));
        }
    }
    let mut has_calls = false;
    for call in reply["tool_calls"].as_array().into_iter().flatten() {
        // A tool must not be run with half of its arguments, unless the client can see that they were cut.
        let input = match input(&call["function"]["arguments"]) {
            None if reason == "length" => json!({}),
            input => input?,
        };
        has_calls = true;
        let id = call_id(call["id"].as_str().unwrap_or_default());
        let name = names.own(call["function"]["name"].as_str().unwrap_or_default());
        content.push(json!({ "type": "tool_use", "id": id, "name": name, "input": input }));
    }
    let message = json!({
        "id": id(&completion["id"]),
        "type": "message",
        "role": "assistant",
        "model": completion["model"],
        "content": content,
        "stop_reason": stop_reason(reason, has_calls, !refusal.is_empty()),
        "stop_sequence": null,
        "usage": usage(&completion["usage"]),
    });
    Some(message.to_string().into())
}

/// The input of a tool; `None`: it is not JSON.
pub(super) fn input(arguments: &Value) -> Option<Value> {
    match arguments {
        Value::Object(_) => Some(arguments.clone()),
        Value::String(text) if !text.trim().is_empty() => {
            let input: Value = serde_json::from_str(text).ok()?;
            input.is_object().then_some(input)
        }
        _ => Some(json!({})),
    }
}

/// Anthropic's ids have a prefix of their own.
pub(super) fn id(id: &Value) -> String {
    format!(
        "msg_{}",
        id.as_str()
            .unwrap_or_default()
            .trim_start_matches("chatcmpl-")
    )
}

/// Agents rely on the reason alone. `OpenAI` says `stop` for a call of a tool that was requested by name, others say
/// it for any call. A refusal shows only in its own field.
pub(super) fn stop_reason(finish: &Value, has_calls: bool, has_refused: bool) -> &'static str {
    match finish.as_str() {
        Some("length") => "max_tokens",
        Some("content_filter") => "refusal",
        _ if has_refused => "refusal",
        _ if has_calls => "tool_use",
        _ => "end_turn",
    }
}

/// The usage: cached tokens are counted separately. Gemini counts reasoning in the total only.
pub(super) fn usage(usage: &Value) -> Value {
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    let prompt = count(&usage["prompt_tokens"]);
    let rest = count(&usage["total_tokens"]).saturating_sub(prompt);
    let cached = count(&usage["prompt_tokens_details"]["cached_tokens"]);
    json!({
        "input_tokens": prompt.saturating_sub(cached),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": count(&usage["completion_tokens"]).max(rest),
    })
}

/// The error body for Anthropic's clients, made from one of `OpenAI`'s.
pub fn error(body: &[u8]) -> Bytes {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    json!({ "type": "error", "error": object(&body["error"]), "request_id": null })
        .to_string()
        .into()
}

/// Anthropic's type of an error whose object may be in `OpenAI`'s shape or in Anthropic's own.
pub fn error_kind(error: &Value) -> &'static str {
    let is = |names: &[&str]| {
        let fields = [&error["code"], &error["type"]];
        fields
            .iter()
            .any(|field| field.as_str().is_some_and(|name| names.contains(&name)))
    };
    KINDS
        .iter()
        .find(|(_, names)| is(names))
        .map_or("api_error", |(kind, _)| kind)
}

pub(super) fn object(error: &Value) -> Value {
    let message = error["message"]
        .as_str()
        .unwrap_or("the upstream gave no reason");
    // Claude Code compacts the conversation when it reads these words.
    if says_too_long(error) {
        let message = format!("prompt is too long: {message}");
        return json!({ "type": "invalid_request_error", "message": message });
    }
    json!({ "type": error_kind(error), "message": message })
}

/// Anthropic's types of errors, and the codes and types of others that mean the same.
const KINDS: [(&str, &[&str]); 9] = [
    (
        "authentication_error",
        &["invalid_api_key", "authentication_error"],
    ),
    ("permission_error", &["permission_error", "access_denied"]),
    (
        "billing_error",
        &[
            "insufficient_quota",
            "credit_balance_exhausted",
            "billing_error",
        ],
    ),
    (
        "rate_limit_error",
        &[
            "rate_limit_exceeded",
            "requests",
            "tokens",
            "rate_limit_error",
        ],
    ),
    (
        "not_found_error",
        &["model_not_found", "not_found_error", "NotFoundError"],
    ),
    ("request_too_large", &["request_too_large"]),
    (
        "overloaded_error",
        &["server_is_overloaded", "slow_down", "overloaded_error"],
    ),
    ("timeout_error", &["timeout_error"]),
    // This is the last: many errors have this type, and a code that is more specific.
    (
        "invalid_request_error",
        &["invalid_request_error", "BadRequestError"],
    ),
];
