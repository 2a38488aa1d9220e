//! What a provider's model leaves in the messages of a chat, and others may refuse: reasoning, and signatures of calls.

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::dialect::adapt::fields::{change_calls, change_entries, is, replace};
use crate::wire::json::Fields;

/// What everybody knows of an answer.
const OF_ANSWERS: [&str; 9] = [
    "role",
    "content",
    "name",
    "refusal",
    "audio",
    "tool_calls",
    "function_call",
    "annotations",
    "prefix",
];
/// What everybody knows of a call.
const OF_CALLS: [&str; 4] = ["id", "type", "function", "custom"];

/// The body without such marks; every other value stays byte for byte. `None`: there are none.
pub(in crate::dialect::adapt) fn without_marks(body: &[u8]) -> Option<Bytes> {
    let mut fields: Fields<'_> = serde_json::from_slice(body).ok()?;
    let is_changed = replace(&mut fields, "messages", |messages| {
        change_entries(messages, clear)
    });
    is_changed.then(|| serde_json::to_vec(&fields).ok().map(Bytes::from))?
}

fn clear(message: &mut Fields<'_>) -> bool {
    if !is(message, "role", "assistant") {
        return false;
    }
    let before = message.len();
    message.retain(|name, value| OF_ANSWERS.contains(&name.as_ref()) || value.get() == "null");
    let has_fewer = message.len() < before;
    let calls = change_calls(message, |call| {
        let before = call.len();
        call.retain(|name, _| OF_CALLS.contains(&name.as_ref()));
        call.len() < before
    });
    has_fewer | calls | replace(message, "content", clear_parts)
}

/// Mistral's reasoning is a part of the content.
fn clear_parts(content: &RawValue) -> Option<Box<RawValue>> {
    let mut parts: Vec<Value> = serde_json::from_str(content.get()).ok()?;
    let before = parts.len();
    parts.retain(|part| {
        let kind = part["type"].as_str().unwrap_or("text");
        ![
            "thinking",
            "reasoning",
            "redacted_thinking",
            "reasoning_text",
        ]
        .contains(&kind)
    });
    (parts.len() < before).then(|| to_raw_value(&parts).ok())?
}

#[cfg(test)]
mod tests {
    use super::without_marks;

    #[test]
    fn what_only_its_provider_knows_is_cleared() {
        let body = r#"{"model": "m","messages":[{"role":"user","content":"x","odd":1.0},{"role":"assistant","content":[{"type":"thinking","thinking":[]},{"type":"text","text":"a"}],"reasoning_content":"hm","x":null,"tool_calls":[{"id":"c","function":{"arguments":"{}"},"extra_content":{}}]}]}"#;
        let expected = r#"{"model":"m","messages":[{"role":"user","content":"x","odd":1.0},{"role":"assistant","content":[{"type":"text","text":"a"}],"x":null,"tool_calls":[{"id":"c","function":{"arguments":"{}"}}]}]}"#;
        assert_eq!(without_marks(body.as_bytes()).unwrap(), expected);
        assert!(without_marks(expected.as_bytes()).is_none());
    }
}
