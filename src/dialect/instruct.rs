//! What the system says in a chat: templates of many models take that once and at the beginning only, and then turns in
//! turn.

use serde_json::{Value, json};

/// Puts it behind what has been said: at the beginning to the rest of its kind, and amid the talk to what the user says,
/// marked in the way that coding agents use for models which know no other.
pub(super) fn instruct(text: &str, messages: &mut Vec<Value>) {
    let Some(last) = messages.last_mut() else {
        messages.push(json!({ "role": "system", "content": text }));
        return;
    };
    if last["role"] == "system" {
        append(text, last);
        return;
    }
    let text = reminder(text);
    if last["role"] == "user" {
        append(&text, last);
    } else {
        messages.push(json!({ "role": "user", "content": text }));
    }
}

/// What the system says amid the talk, as a user says it.
pub(super) fn reminder(text: &str) -> String {
    format!("<system-reminder>\n{text}\n</system-reminder>")
}

fn append(text: &str, message: &mut Value) {
    match &mut message["content"] {
        Value::Array(parts) => parts.push(json!({ "type": "text", "text": text })),
        Value::String(said) => *said += &format!("\n\n{text}"),
        content => *content = text.into(),
    }
}
