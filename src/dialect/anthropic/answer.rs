//! A message as the answer to a chat request.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::citations::annotations;
use super::tools::{JSON_TOOL, RequestContext};

/// The chat completion for a message; `None` if it is none, or says nothing.
pub fn answer(message: &[u8], context: &RequestContext) -> Option<Bytes> {
    let message: Value = serde_json::from_slice(message).ok()?;
    let blocks = message["content"].as_array()?;
    // A message without a word and without a reason is no answer.
    if blocks.is_empty() && message["stop_reason"] == "end_turn" {
        return None;
    }
    let mut said = Said::default();
    for block in blocks {
        said.take(block, context);
    }
    let reason = finish_reason(&message["stop_reason"], !said.calls.is_empty(), context)?;
    let choice = json!({
        "index": 0,
        "message": said.into_message(&message, context),
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
struct Said {
    text: String,
    annotations: Vec<Value>,
    thoughts: String,
    calls: Vec<Value>,
}

impl Said {
    fn take(&mut self, block: &Value, context: &RequestContext) {
        match block["type"].as_str() {
            Some("text") => self.say(block),
            Some("thinking") => self.thoughts += block["thinking"].as_str().unwrap_or_default(),
            Some("tool_use") if context.is_json_tool && block["name"] == JSON_TOOL => {
                // Words before it are none of the JSON that was asked for.
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

    /// A text, and the pages that it was found on.
    fn say(&mut self, block: &Value) {
        let start = self.text.chars().count();
        self.text += block["text"].as_str().unwrap_or_default();
        let end = self.text.chars().count();
        let citations = block["citations"].as_array().map_or(&[][..], Vec::as_slice);
        self.annotations
            .extend(annotations(citations, &(start..end)));
    }

    fn into_message(mut self, message: &Value, context: &RequestContext) -> Value {
        let mut said = Map::new();
        said.insert("role".to_owned(), "assistant".into());
        let content = (!self.text.is_empty() || self.calls.is_empty()).then_some(self.text);
        said.insert("content".to_owned(), content.into());
        let refusal = &message["stop_details"]["explanation"];
        let is_refused = message["stop_reason"] == "refusal";
        said.insert(
            "refusal".to_owned(),
            if is_refused {
                refusal.clone()
            } else {
                Value::Null
            },
        );
        if !self.annotations.is_empty() {
            said.insert("annotations".to_owned(), self.annotations.into());
        }
        if !self.thoughts.is_empty() {
            said.insert("reasoning_content".to_owned(), self.thoughts.into());
        }
        if context.is_older
            && let Some(call) = self.calls.first_mut()
        {
            said.insert("function_call".to_owned(), call["function"].take());
        } else if !self.calls.is_empty() {
            said.insert("tool_calls".to_owned(), self.calls.into());
        }
        Value::Object(said)
    }
}

/// Why a message ended, in `OpenAI`'s words; `None`: it does not say.
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

/// What was used, in `OpenAI`'s words: there, the prompt's tokens include what was cached.
pub(super) fn usage(usage: &Value) -> Value {
    // One that fell back or compacted under way has counted each of its parts.
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
