//! Provider-bound items in a conversation for Claude.

use bytes::Bytes;
use serde_json::Value;

use super::messages::accepted;
use crate::dialect::call_ids::CallIds;

/// A Messages body without reasoning, which another provider has signed, or which is missing before tool calls, and
/// with ids of tool calls that are accepted. Also the fields that were dropped. `None`: there is nothing
/// provider-bound.
pub fn strip_provider_state(body: &[u8]) -> Option<(Bytes, Vec<String>)> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let mut dropped = Vec::new();
    let mut is_changed = false;
    let mut ids = CallIds::new(accepted);
    for message in body["messages"].as_array_mut()? {
        let Some(blocks) = message["content"].as_array_mut() else {
            continue;
        };
        let before = blocks.len();
        blocks.retain(|block| !is_thought(block));
        if blocks.len() < before {
            dropped.push("messages.thinking".to_owned());
        }
        for block in blocks {
            is_changed |= rename(block, &mut ids);
        }
    }
    dropped.dedup();
    let messages = body["messages"].as_array_mut()?;
    messages.retain(|message| {
        message["content"]
            .as_array()
            .is_none_or(|blocks| !blocks.is_empty())
    });
    let fields = body.as_object_mut()?;
    // A turn that has called tools without reasoning cannot continue with reasoning.
    let thinks = |thinking: &Value| thinking["type"] != "disabled";
    if fields.get("thinking").is_some_and(thinks) {
        fields.shift_remove("thinking");
        dropped.push("thinking".to_owned());
        if let Some(management) = fields.get_mut("context_management") {
            leave_thoughts(management);
        }
    }
    let is_changed_at_all = is_changed || !dropped.is_empty();
    is_changed_at_all.then(|| (body.to_string().into(), dropped))
}

/// Whether a block is reasoning, readable or encrypted.
pub fn is_thought(block: &Value) -> bool {
    block["type"] == "thinking" || block["type"] == "redacted_thinking"
}

/// Removes the edits about reasoning from a `context_management`.
pub(super) fn leave_thoughts(management: &mut Value) {
    let edits = management.get_mut("edits");
    if let Some(edits) = edits.and_then(Value::as_array_mut) {
        edits.retain(|edit| !is_about_thoughts(edit));
    }
}

/// Such edits are rejected without reasoning (`clear_thinking_20251015`).
fn is_about_thoughts(edit: &Value) -> bool {
    let kind = edit["type"].as_str().unwrap_or_default();
    kind.starts_with("clear_thinking")
}

fn rename(block: &mut Value, ids: &mut CallIds) -> bool {
    let (name, is_call) = match block["type"].as_str() {
        Some("tool_use") => ("id", true),
        Some("tool_result") => ("tool_use_id", false),
        _ => return false,
    };
    let Some(given) = block[name].as_str() else {
        return false;
    };
    let sent = if is_call {
        ids.call(given.to_owned())
    } else {
        ids.result(given)
    };
    let is_other = sent != given;
    block[name] = sent.into();
    is_other
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::strip_provider_state;

    #[test]
    fn thoughts_go_and_ids_are_taken() {
        let thought = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
        let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
        let body = json!({
            "model": "claude", "temperature": 1.0, "thinking": {"type": "enabled", "budget_tokens": 2000},
            "context_management": {"edits": [{"type": "clear_thinking_20251015"}, {"type": "clear_tool_uses_20250919"}]},
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [thought]},
                {"role": "assistant", "content": [thought, call("functions.f:0"), call("toolu_1")]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "functions.f:0"}]},
            ],
        });
        let (sent, dropped) = strip_provider_state(body.to_string().as_bytes()).unwrap();
        assert_eq!(dropped, ["messages.thinking", "thinking"]);
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        let id = sent["messages"][1]["content"][0]["id"].as_str().unwrap();
        assert!(!id.contains([':', '.']));
        assert_eq!(
            sent,
            json!({
                "model": "claude", "temperature": 1.0,
                "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
                "messages": [
                    {"role": "user", "content": "hi"},
                    {"role": "assistant", "content": [call(id), call("toolu_1")]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id}]},
                ],
            })
        );
        assert!(strip_provider_state(sent.to_string().as_bytes()).is_none());
    }

    #[test]
    fn calls_with_the_same_id_are_told_apart() {
        let call = |id: &str| json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "f", "input": {}}]});
        let result = |id: &str, text: &str| json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]});
        let body = json!({"messages": [call("call_0"), result("call_0", "1"), call("call_0"), result("call_0", "2")]});
        let (sent, dropped) = strip_provider_state(body.to_string().as_bytes()).unwrap();
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        let expected = json!([
            call("call_0"),
            result("call_0", "1"),
            call("call_0_1"),
            result("call_0_1", "2")
        ]);
        assert_eq!(sent["messages"], expected);
        assert!(dropped.is_empty());
    }
}
