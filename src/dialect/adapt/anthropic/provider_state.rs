//! What providers have left in a conversation for Claude, and only they can read.

use bytes::Bytes;
use memchr::memmem;
use serde_json::Value;

use super::turns::Turns;
use crate::dialect::adapt::fields::{is, put, read, text_of};
use crate::dialect::conversation::{plain_id, thoughts::SEAL};
use crate::wire::json::Fields;

/// A Messages body without reasoning, which another provider has signed, or which is missing before tool calls, and
/// with calls that are in order. Also the fields that were dropped. `None`: there is nothing to change.
pub(in crate::dialect::adapt) fn strip_provider_state(body: &[u8]) -> Option<(Bytes, Vec<String>)> {
    let mut fields: Fields<'_> = serde_json::from_slice(body).ok()?;
    let messages = fields.get("messages")?.clone();
    let mut turns = Turns::read(&messages)?;
    let mut dropped = Vec::new();
    if turns.retain(|block| !is_reasoning(block)) {
        dropped.push("messages.thinking".to_owned());
    }
    if is_whole(&fields) {
        turns.repair(plain_id);
    }
    let messages = turns.written();
    let is_changed = messages.is_some();
    if let Some(messages) = messages {
        put(&mut fields, "messages", &messages);
    }
    // A turn that has called tools without reasoning cannot continue with reasoning.
    let thinking = thinking_of(&fields);
    if thinking.is_object() && thinking["type"] != "disabled" {
        stop_thinking(&mut fields);
        dropped.push("thinking".to_owned());
    }
    let is_changed_at_all = is_changed || !dropped.is_empty();
    let body = is_changed_at_all.then(|| serde_json::to_vec(&fields).ok())??;
    Some((body.into(), dropped))
}

/// Whether no part of the conversation is only at the provider: then a result without a call is none.
pub(super) fn is_whole(fields: &Fields<'_>) -> bool {
    let thread: Value = read(fields, "thread").unwrap_or_default();
    thread["previous_message_id"].is_null()
}

fn thinking_of(fields: &Fields<'_>) -> Value {
    read(fields, "thinking").unwrap_or_default()
}

/// Asks for an answer without reasoning.
fn stop_thinking(fields: &mut Fields<'_>) {
    fields.shift_remove("thinking");
    if let Some(mut management) = read(fields, "context_management") {
        leave_thoughts(&mut management);
        put(fields, "context_management", &management);
    }
}

/// The body without reasoning that no provider can check: what this proxy has sealed, and, towards Claude, what nobody has
/// signed. Also the fields that were dropped. `None`: there is none. Others that copy the API may want their unsigned
/// reasoning back.
pub(in crate::dialect::adapt) fn without_foreign_thoughts(
    body: &[u8],
) -> Option<(Bytes, Vec<String>)> {
    let is_sealed = memmem::find(body, SEAL.as_bytes()).is_some();
    if !is_sealed && !may_be_unsigned(body) {
        return None;
    }
    let mut fields: Fields<'_> = serde_json::from_slice(body).ok()?;
    let is_claude = text_of(&fields, "model").is_some_and(|model| model.contains("claude"));
    let messages = fields.get("messages")?.clone();
    let mut turns = Turns::read(&messages)?;
    turns.retain(|block| {
        let name = if is(block, "type", "thinking") {
            "signature"
        } else if is(block, "type", "redacted_thinking") {
            "data"
        } else {
            return true;
        };
        let proof = text_of(block, name).unwrap_or_default();
        let is_unsigned = is_claude && proof.is_empty();
        !is_unsigned && !proof.starts_with(SEAL)
    });
    let has_called_without = turns.has_called_without(is_reasoning);
    let turns = turns.written()?;
    put(&mut fields, "messages", &turns);
    let mut dropped = vec!["messages.thinking".to_owned()];
    // With a budget, the turn that goes on must have begun with reasoning.
    if is_claude && has_called_without && thinking_of(&fields)["type"] == "enabled" {
        stop_thinking(&mut fields);
        dropped.push("thinking".to_owned());
    }
    let body = serde_json::to_vec(&fields).ok()?;
    Some((body.into(), dropped))
}

/// Whether there are more thoughts than signatures. Within texts, quotes are escaped, so they do not count.
fn may_be_unsigned(body: &[u8]) -> bool {
    let texts = |name: &str, least: &[u8]| {
        let places = memmem::find_iter(body, name.as_bytes());
        let follows = places.filter(|at| {
            let rest = body[at + name.len()..].trim_ascii_start();
            let rest = rest.strip_prefix(b":").map(<[u8]>::trim_ascii_start);
            rest.and_then(|rest| rest.strip_prefix(b"\""))
                .is_some_and(|rest| !rest.starts_with(least) || least.is_empty())
        });
        follows.count()
    };
    let thoughts = texts("\"thinking\"", b"");
    thoughts > 0 && thoughts > texts("\"signature\"", b"\"")
}

/// Whether a block is reasoning, readable or encrypted.
pub(super) fn is_reasoning(block: &Fields<'_>) -> bool {
    is(block, "type", "thinking") || is(block, "type", "redacted_thinking")
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{strip_provider_state, without_foreign_thoughts};

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
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "functions.f:0"},
                    {"type": "tool_result", "tool_use_id": "toolu_1"}]},
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
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id},
                        {"type": "tool_result", "tool_use_id": "toolu_1"}]},
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

    #[test]
    fn thoughts_that_nobody_can_check_stay_here() {
        let thought =
            |signature: &str| json!({"type": "thinking", "thinking": "hm", "signature": signature});
        let unsigned = json!({"type": "thinking", "thinking": "hm"});
        let redacted = |data: &str| json!({"type": "redacted_thinking", "data": data});
        let body = |model: &str, blocks: &[&Value]| {
            let mut content: Vec<Value> = blocks.iter().map(|block| (*block).clone()).collect();
            content.push(json!({"type": "text", "text": "\"thinking\": \"x"}));
            json!({"model": model, "thinking": {"type": "adaptive"}, "messages": [{"role": "assistant", "content": content}]}).to_string()
        };
        let (signed, empty, sealed) = (thought("s"), thought(""), thought("backstop1.r..x"));
        let (ours, theirs) = (redacted("backstop1.rr..x"), redacted("x"));
        for (model, given, left) in [
            (
                "claude-x",
                &[&signed, &empty, &unsigned, &sealed, &ours, &theirs][..],
                &[&signed, &theirs][..],
            ),
            ("claude-x", &[&unsigned], &[]),
            ("glm-x", &[&empty, &unsigned, &sealed], &[&empty, &unsigned]),
        ] {
            let (sent, dropped) = without_foreign_thoughts(body(model, given).as_bytes()).unwrap();
            assert_eq!(sent, body(model, left));
            assert_eq!(dropped, ["messages.thinking"]);
            assert_eq!(without_foreign_thoughts(&sent), None);
        }
        assert_eq!(
            without_foreign_thoughts(body("claude-x", &[&signed, &theirs]).as_bytes()),
            None
        );
    }

    #[test]
    fn a_turn_that_has_called_without_thoughts_goes_on_without_them() {
        let thought =
            |signature: &str| json!({"type": "thinking", "thinking": "hm", "signature": signature});
        let call = json!({"type": "tool_use", "id": "a", "name": "f", "input": {}});
        let result = json!({"type": "tool_result", "tool_use_id": "a"});
        let own =
            json!({"role": "assistant", "content": [thought("s"), {"type": "text", "text": "a"}]});
        let asked = |kind: &str, last: &[Value]| {
            let body = json!({"model": "claude-x", "thinking": {"type": kind}, "messages": [
                own, {"role": "user", "content": "q"},
                {"role": "assistant", "content": last}, {"role": "user", "content": [result]},
            ]});
            without_foreign_thoughts(body.to_string().as_bytes())
        };
        for (kind, expected) in [
            ("enabled", &["messages.thinking", "thinking"][..]),
            ("adaptive", &["messages.thinking"]),
        ] {
            let (sent, dropped) = asked(kind, &[thought("backstop1.r..x"), call.clone()]).unwrap();
            let sent: Value = serde_json::from_slice(&sent).unwrap();
            assert_eq!(dropped, expected);
            assert_eq!(sent["thinking"].is_null(), kind == "enabled");
            // What Claude has signed stays.
            assert_eq!(sent["messages"][0], own);
            assert_eq!(sent["messages"][2]["content"], json!([call]));
        }
        let text = json!({"type": "text", "text": "b"});
        let (_, dropped) = asked("enabled", &[thought(""), text]).unwrap();
        assert_eq!(dropped, ["messages.thinking"]);
        assert!(asked("enabled", &[thought("s"), call]).is_none());
    }
}
