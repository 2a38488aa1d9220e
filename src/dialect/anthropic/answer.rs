//! A message as the answer to a chat request.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::citations::annotations;
use super::tools::{JSON_TOOL, RequestContext};

/// The chat completion for a message; `None` if it is not a message, or is empty.
pub fn answer(message: &[u8], context: &RequestContext) -> Option<Bytes> {
    let message: Value = serde_json::from_slice(message).ok()?;
    let blocks = message["content"].as_array()?;
    // A message without content and without a reason is not an answer.
    if blocks.is_empty() && message["stop_reason"] == "end_turn" {
        return None;
    }
    let mut parts = Parts::default();
    for block in blocks {
        parts.take(block, context);
    }
    let reason = finish_reason(&message["stop_reason"], !parts.calls.is_empty(), context)?;
    let choice = json!({
        "index": 0,
        "message": parts.into_message(&message, context),
        "logprobs": null,
        "finish_reason": reason,
    });
    let completion = json!({
        "id": message["id"],
        "object": "chat.completion",
        "created": now(),
        "model": message["model"],
        "choices": [choice],
        "usage": usage(&message["usage"]),
    });
    Some(completion.to_string().into())
}

#[derive(Default)]
struct Parts {
    text: String,
    annotations: Vec<Value>,
    thoughts: String,
    calls: Vec<Value>,
}

impl Parts {
    fn take(&mut self, block: &Value, context: &RequestContext) {
        match block["type"].as_str() {
            Some("text") => self.add_text(block),
            Some("thinking") => self.thoughts += block["thinking"].as_str().unwrap_or_default(),
            Some("tool_use") if context.is_json_tool && block["name"] == JSON_TOOL => {
                // Text before it is not part of the JSON that the client asked for.
                self.text = block["input"].to_string();
            }
            Some("tool_use") => {
                let name = context
                    .names
                    .own(block["name"].as_str().unwrap_or_default());
                let arguments = block["input"].to_string();
                self.calls.push(json!({
                    "id": block["id"],
                    "type": "function",
                    "function": { "name": name, "arguments": arguments },
                }));
            }
            _ => {}
        }
    }

    /// Adds a text, and the pages that it cites.
    fn add_text(&mut self, block: &Value) {
        let start = self.text.chars().count();
        self.text += block["text"].as_str().unwrap_or_default();
        let end = self.text.chars().count();
        let citations = block["citations"].as_array().map_or(&[][..], Vec::as_slice);
        self.annotations
            .extend(annotations(citations, &(start..end)));
    }

    fn into_message(mut self, message: &Value, context: &RequestContext) -> Value {
        let mut fields = Map::new();
        fields.insert("role".to_owned(), "assistant".into());
        let content = (!self.text.is_empty() || self.calls.is_empty()).then_some(self.text);
        fields.insert("content".to_owned(), content.into());
        let refusal = &message["stop_details"]["explanation"];
        let is_refused = message["stop_reason"] == "refusal";
        fields.insert(
            "refusal".to_owned(),
            if is_refused {
                refusal.clone()
            } else {
                Value::Null
            },
        );
        if !self.annotations.is_empty() {
            fields.insert("annotations".to_owned(), self.annotations.into());
        }
        if !self.thoughts.is_empty() {
            fields.insert("reasoning_content".to_owned(), self.thoughts.into());
        }
        if context.is_older
            && let Some(call) = self.calls.first_mut()
        {
            fields.insert("function_call".to_owned(), call["function"].take());
        } else if !self.calls.is_empty() {
            fields.insert("tool_calls".to_owned(), self.calls.into());
        }
        Value::Object(fields)
    }
}

/// `OpenAI`'s finish reason for a message; `None`: the message has no reason.
pub(super) fn finish_reason(
    stop: &Value,
    has_calls: bool,
    context: &RequestContext,
) -> Option<&'static str> {
    Some(match stop.as_str()? {
        "max_tokens" | "model_context_window_exceeded" | "pause_turn" | "compaction" => "length",
        "tool_use" if has_calls && context.is_older => "function_call",
        "tool_use" if has_calls => "tool_calls",
        "refusal" => "content_filter",
        _ => "stop",
    })
}

/// `OpenAI`'s form of the usage: its prompt tokens include the cached ones.
pub(super) fn usage(usage: &Value) -> Value {
    // If the provider fell back to another model or compacted the conversation, each part was counted.
    let parts = usage["iterations"]
        .as_array()
        .filter(|parts| !parts.is_empty());
    let parts = parts.map_or_else(|| std::slice::from_ref(usage), Vec::as_slice);
    let count = |field: &str| -> u64 {
        let counts = parts.iter().map(|part| part[field].as_u64().unwrap_or(0));
        counts.sum()
    };
    let (read, written) = (
        count("cache_read_input_tokens"),
        count("cache_creation_input_tokens"),
    );
    let prompt = count("input_tokens") + read + written;
    let completion = count("output_tokens");
    let thinking = usage["output_tokens_details"]["thinking_tokens"]
        .as_u64()
        .unwrap_or(0);
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": { "cached_tokens": read, "cache_write_tokens": written },
        "completion_tokens_details": { "reasoning_tokens": thinking },
    })
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
