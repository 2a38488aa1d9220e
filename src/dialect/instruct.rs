//! System messages in a chat: the templates of many models accept one at the beginning only, and then alternating
//! turns.

use serde_json::{Value, json};

/// Adds a system message at the end. At the beginning it joins the other system messages; later it becomes part of
/// the user's message, marked in the way that coding agents use for models without system messages.
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

/// A later system message, as part of a user's message.
pub(super) fn reminder(text: &str) -> String {
    format!("<system-reminder>\n{text}\n</system-reminder>")
}

fn append(text: &str, message: &mut Value) {
    match &mut message["content"] {
        Value::Array(parts) => parts.push(json!({ "type": "text", "text": text })),
        Value::String(content) => *content += &format!("\n\n{text}"),
        content => *content = text.into(),
    }
}
