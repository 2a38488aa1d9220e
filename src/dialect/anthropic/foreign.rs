//! A conversation that was begun elsewhere, as Claude takes it.

use bytes::Bytes;
use serde_json::Value;

use crate::dialect::chunks::fit_call_id;

/// A Messages body without thoughts, which another maker has signed, or has not had where calls of tools are; and with ids of
/// calls that are taken. Also the fields that were left out. `None`: nothing of it is foreign.
pub fn cleared(body: &[u8]) -> Option<(Bytes, Vec<String>)> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let mut dropped = Vec::new();
    let mut is_changed = false;
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
            is_changed |= rename(block);
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
    // A turn in which it has called tools without a thought cannot go on with thoughts.
    let thinks = |thinking: &Value| thinking["type"] != "disabled";
    if fields.get("thinking").is_some_and(thinks) {
        fields.shift_remove("thinking");
        dropped.push("thinking".to_owned());
        if let Some(edits) = fields
            .get_mut("context_management")
            .and_then(|management| management["edits"].as_array_mut())
        {
            edits.retain(|edit| !is_about_thoughts(edit));
        }
    }
    let is_foreign = is_changed || !dropped.is_empty();
    is_foreign.then(|| (body.to_string().into(), dropped))
}

fn is_thought(block: &Value) -> bool {
    block["type"] == "thinking" || block["type"] == "redacted_thinking"
}

/// Such edits are refused where there is no thinking (`clear_thinking_20251015`).
fn is_about_thoughts(edit: &Value) -> bool {
    let kind = edit["type"].as_str().unwrap_or_default();
    kind.starts_with("clear_thinking")
}

fn rename(block: &mut Value) -> bool {
    let name = match block["type"].as_str() {
        Some("tool_use") => "id",
        Some("tool_result") => "tool_use_id",
        _ => return false,
    };
    let fit = block[name].as_str().and_then(fit_call_id);
    if let Some(fit) = fit {
        block[name] = fit.into();
        return true;
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::cleared;

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
        let (sent, dropped) = cleared(body.to_string().as_bytes()).unwrap();
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
        assert!(cleared(sent.to_string().as_bytes()).is_none());
    }
}
