//! A chat completion as a response.

use bytes::Bytes;
use serde_json::{Value, json};

use super::annotations::annotations;
use super::tools::Toolbox;
use crate::dialect::chunks::{call_id, text_of};
use crate::dialect::finish::{Finish, finish};

/// What a response repeats of its request, and its ids.
#[derive(Clone, Debug)]
pub struct RequestContext {
    asked: Value,
    pub(super) toolbox: Toolbox,
    name: String,
}

impl RequestContext {
    pub(super) fn of(asked: Value, toolbox: Toolbox) -> Self {
        let name = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        Self {
            asked,
            toolbox,
            name,
        }
    }

    /// The id of an item of this response.
    pub(super) fn id(&self, kind: &str, index: usize) -> String {
        format!("{kind}_{}{index:02}", self.name)
    }

    /// The id of an item for a function call.
    pub(super) fn call_id(&self, function: &Value, index: usize) -> String {
        let is_custom = self.toolbox.is_custom(function);
        self.id(if is_custom { "ctc" } else { "fc" }, index)
    }

    /// The response object.
    pub(super) fn response(&self, status: &str, output: Value, chat: &Value) -> Value {
        let asked = |field: &str, usual: Value| match &self.asked[field] {
            Value::Null => usual,
            value => value.clone(),
        };
        json!({
            "id": format!("resp_{}", self.name),
            "object": "response",
            "created_at": chat["created"].as_u64().unwrap_or(0),
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": null,
            "instructions": self.asked["instructions"],
            "max_output_tokens": self.asked["max_output_tokens"],
            "metadata": asked("metadata", json!({})),
            "model": match &chat["model"] {
                Value::Null => self.asked["model"].clone(),
                model => model.clone(),
            },
            "output": output,
            "parallel_tool_calls": asked("parallel_tool_calls", true.into()),
            "previous_response_id": null,
            "reasoning": asked("reasoning", json!({ "effort": null, "summary": null })),
            "store": false,
            "temperature": asked("temperature", json!(1.0)),
            "text": asked("text", json!({ "format": { "type": "text" } })),
            "tool_choice": asked("tool_choice", "auto".into()),
            "tools": asked("tools", json!([])),
            "top_p": asked("top_p", json!(1.0)),
            "truncation": "disabled",
            "usage": null,
            "user": self.asked["user"],
        })
    }

    /// The final response, with the status that follows from the chat's finish reason.
    pub(super) fn ended(
        &self,
        output: Value,
        chat: &Value,
        finish: &Value,
        usage: &Value,
    ) -> Value {
        let incomplete = match finish.as_str() {
            Some("length") => Some("max_output_tokens"),
            Some("content_filter") => Some("content_filter"),
            _ => None,
        };
        let status = if incomplete.is_some() {
            "incomplete"
        } else {
            "completed"
        };
        let mut response = self.response(status, output, chat);
        if let Some(reason) = incomplete {
            response["incomplete_details"] = json!({ "reason": reason });
        }
        response["usage"] = self::usage(usage);
        response
    }
}

/// The response for a chat completion; `None` if it is not one, or has failed.
pub fn answer(completion: &[u8], context: &RequestContext) -> Option<Bytes> {
    let completion: Value = serde_json::from_slice(completion).ok()?;
    let choice = completion["choices"].as_array()?.first()?;
    let (message, reason) = (&choice["message"], &choice["finish_reason"]);
    if finish(reason.as_str().unwrap_or_default()) == Finish::Failed {
        return None;
    }
    let status = status_of_items(reason);
    let mut output = Vec::new();
    let text = text_of(&message["content"]);
    let refusal = message["refusal"].as_str().unwrap_or_default();
    if !text.is_empty() || !refusal.is_empty() || message["tool_calls"].is_null() {
        let part = if refusal.is_empty() {
            Part::Text.citing(&text, annotations(&message["annotations"], 0))
        } else {
            Part::Refusal.of(refusal)
        };
        output.push(message_item(&context.id("msg", 0), status, json!([part])));
    }
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        let function = &call["function"];
        let id = context.call_id(&function["name"], output.len());
        let call_id = call_id(call["id"].as_str().unwrap_or_default());
        output.push(context.toolbox.item(&id, status, &call_id, function));
    }
    let usage = &completion["usage"];
    let response = context.ended(output.into(), &completion, reason, usage);
    Some(response.to_string().into())
}

/// The status of the last items in an answer that ended for this reason.
pub(super) fn status_of_items(reason: &Value) -> &'static str {
    match reason.as_str() {
        Some("length" | "content_filter") => "incomplete",
        _ => "completed",
    }
}

/// The kinds of parts of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text,
    Refusal,
}

impl Part {
    /// Its name in the types of events.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Text => "output_text",
            Self::Refusal => "refusal",
        }
    }

    /// The field that has its text.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Refusal => "refusal",
        }
    }

    /// Adds the fields that an event of this kind needs.
    pub(super) fn complete(self, event: &mut Value) {
        if self == Self::Text {
            event["logprobs"] = json!([]);
        }
    }

    /// The part with this text.
    pub(super) fn of(self, text: &str) -> Value {
        match self {
            Self::Text => text_part(text),
            Self::Refusal => json!({ "type": "refusal", "refusal": text }),
        }
    }

    /// The part with this text and its annotations.
    pub(super) fn citing(self, text: &str, annotations: Vec<Value>) -> Value {
        let mut part = self.of(text);
        if self == Self::Text {
            part["annotations"] = annotations.into();
        }
        part
    }
}

pub(in crate::dialect) fn text_part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

pub(in crate::dialect) fn message_item(id: &str, status: &str, content: Value) -> Value {
    json!({ "id": id, "type": "message", "role": "assistant", "status": status, "content": content })
}

/// The usage. Gemini counts reasoning in `total_tokens` only, though it is output like any other.
fn usage(usage: &Value) -> Value {
    if !usage.is_object() {
        return Value::Null;
    }
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    let input = count(&usage["prompt_tokens"]);
    let beyond_input = count(&usage["total_tokens"]).saturating_sub(input);
    let output = count(&usage["completion_tokens"]).max(beyond_input);
    let cached = count(&usage["prompt_tokens_details"]["cached_tokens"]);
    let written = count(&usage["prompt_tokens_details"]["cache_write_tokens"]);
    let reasoning = count(&usage["completion_tokens_details"]["reasoning_tokens"]);
    json!({
        "input_tokens": input,
        "input_tokens_details": { "cached_tokens": cached, "cache_write_tokens": written },
        "output_tokens": output,
        "output_tokens_details": { "reasoning_tokens": reasoning },
        "total_tokens": input + output,
    })
}
