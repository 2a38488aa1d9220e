//! What a chat request may need that Claude has not.

use serde_json::Value;

use super::model::takes_forced_tools;
use super::tools::is_forced;

/// What a request needs that this Claude model, or every one, has not; `None`: it can be translated.
pub fn lacks(body: &Value, model: &str) -> Option<&'static str> {
    let is_several = body["n"].as_u64().is_some_and(|n| n > 1);
    let wants_audio = body["modalities"]
        .as_array()
        .is_some_and(|modes| modes.iter().any(|mode| mode == "audio"));
    let has_custom_tool = body["tools"]
        .as_array()
        .is_some_and(|tools| tools.iter().any(|tool| tool["type"] != "function"));
    if is_several {
        Some("n")
    } else if body["logprobs"] == true || !body["top_logprobs"].is_null() {
        Some("logprobs")
    } else if wants_audio || body["audio"].is_object() {
        Some("audio")
    } else if body["logit_bias"]
        .as_object()
        .is_some_and(|bias| !bias.is_empty())
    {
        Some("logit_bias")
    } else if has_custom_tool {
        Some("custom tools")
    } else if is_forced(body) && !takes_forced_tools(model) {
        Some("tool_choice")
    } else {
        let messages = body["messages"].as_array().into_iter().flatten();
        let parts =
            messages.flat_map(|message| message["content"].as_array().into_iter().flatten());
        parts.filter_map(lacks_part).next()
    }
}

fn lacks_part(part: &Value) -> Option<&'static str> {
    match part["type"].as_str() {
        Some("input_audio") => Some("audio"),
        Some("file") if part["file"]["file_data"].is_null() => Some("file_id"),
        _ => None,
    }
}
