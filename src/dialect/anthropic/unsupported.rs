//! Features of a chat request that Claude does not have.

use serde_json::Value;

use super::messages::unsupported_part;
use super::schema;
use super::tools::is_forced;
use crate::catalogue::claude_facts;

/// A feature that a request needs and that this Claude model, or every one, does not have; `None`: it can be
/// translated.
pub fn unsupported_feature(body: &Value, model: &str) -> Option<&'static str> {
    let takes_forced_tools = claude_facts(model).takes_forced_tools;
    let is_several = body["n"].as_u64().is_some_and(|n| n > 1);
    let wants_audio = body["modalities"]
        .as_array()
        .is_some_and(|modes| modes.iter().any(|mode| mode == "audio"));
    let has_custom_tool = body["tools"]
        .as_array()
        .is_some_and(|tools| tools.iter().any(|tool| tool["type"] != "function"));
    if is_several {
        Some("n")
    } else if body["logprobs"] == true || body["top_logprobs"].as_u64().is_some_and(|n| n > 0) {
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
    } else if is_forced(body) && !takes_forced_tools {
        Some("tool_choice")
    } else if needs_json_tool(body, model) && !takes_forced_tools {
        Some("this JSON schema")
    } else if has_unknown_choice(body) {
        Some("tool_choice")
    } else {
        match body["messages"].as_array() {
            Some(messages) => messages.iter().find_map(unsupported_message),
            None => Some("a list of messages"),
        }
    }
}

/// Whether the answer must be the input of a tool, because the model does not accept the schema.
fn needs_json_tool(body: &Value, model: &str) -> bool {
    let format = &body["response_format"];
    format["type"] == "json_schema"
        && !(claude_facts(model).takes_schema
            && schema::is_acceptable(&format["json_schema"]["schema"]))
}

/// `allowed_tools`, and choices that do not exist yet.
fn has_unknown_choice(body: &Value) -> bool {
    let choice = &body["tool_choice"];
    choice.is_object() && choice["type"] != "function"
}

fn unsupported_message(message: &Value) -> Option<&'static str> {
    // Earlier audio is stored at the provider that made it.
    if !message["audio"].is_null() {
        return Some("audio");
    }
    let parts = message["content"].as_array().into_iter().flatten();
    parts.filter_map(unsupported_part).next()
}
