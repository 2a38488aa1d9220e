//! The response object, and what it repeats of its request.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use crate::dialect::conversation::{Asked, Usage};

/// A response, at any time of its life.
#[derive(Debug, Serialize)]
pub(super) struct Response<'a> {
    pub(super) id: &'a str,
    object: &'static str,
    pub(super) created_at: u64,
    pub(super) status: &'static str,
    background: bool,
    pub(super) error: Option<Value>,
    pub(super) incomplete_details: Option<Value>,
    instructions: &'a Value,
    max_output_tokens: &'a Value,
    max_tool_calls: &'a Value,
    metadata: Cow<'a, Value>,
    pub(super) model: &'a str,
    pub(super) output: &'a [Value],
    parallel_tool_calls: Cow<'a, Value>,
    previous_response_id: Option<&'a str>,
    prompt_cache_key: &'a Value,
    reasoning: Cow<'a, Value>,
    safety_identifier: &'a Value,
    store: bool,
    temperature: Cow<'a, Value>,
    text: Cow<'a, Value>,
    tool_choice: Cow<'a, Value>,
    tools: Cow<'a, Value>,
    top_logprobs: u64,
    top_p: Cow<'a, Value>,
    truncation: &'static str,
    pub(super) usage: Option<Value>,
    user: &'a Value,
}

impl<'a> Response<'a> {
    /// The answer to this request, with this status.
    pub(super) fn of(asked: &'a Asked, id: &'a str, status: &'static str) -> Self {
        let said = |field: &str, usual: Value| match asked.said(field) {
            Value::Null => Cow::Owned(usual),
            said => Cow::Borrowed(said),
        };
        Self {
            id,
            object: "response",
            created_at: 0,
            status,
            background: false,
            error: None,
            incomplete_details: None,
            instructions: asked.said("instructions"),
            max_output_tokens: asked.said("max_output_tokens"),
            max_tool_calls: asked.said("max_tool_calls"),
            metadata: said("metadata", json!({})),
            model: &asked.model,
            output: &[],
            parallel_tool_calls: said("parallel_tool_calls", true.into()),
            previous_response_id: None,
            prompt_cache_key: asked.said("prompt_cache_key"),
            reasoning: said("reasoning", json!({ "effort": null, "summary": null })),
            safety_identifier: asked.said("safety_identifier"),
            store: false,
            temperature: said("temperature", json!(1.0)),
            text: said("text", json!({ "format": { "type": "text" } })),
            tool_choice: said("tool_choice", "auto".into()),
            tools: said("tools", json!([])),
            top_logprobs: 0,
            top_p: said("top_p", json!(1.0)),
            truncation: "disabled",
            usage: None,
            user: asked.said("user"),
        }
    }
}

/// What an answer costs.
pub(super) fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": { "cached_tokens": usage.cached, "cache_write_tokens": usage.written },
        "output_tokens": usage.output,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning },
        "total_tokens": usage.input.saturating_add(usage.output),
    })
}

/// The codes that clients of the API act on; any other is a fault of the server.
const KNOWN_CODES: [&str; 8] = [
    "bio_policy",
    "context_length_exceeded",
    "cyber_policy",
    "insufficient_quota",
    "invalid_prompt",
    "rate_limit_exceeded",
    "server_is_overloaded",
    "slow_down",
];

/// The error of a response that has failed.
pub(super) fn failure(error: &Value) -> Value {
    let code = error["code"]
        .as_str()
        .filter(|code| KNOWN_CODES.contains(code));
    json!({
        "code": code.unwrap_or("server_error"),
        "message": error["message"].as_str().unwrap_or("the answer has failed"),
    })
}
