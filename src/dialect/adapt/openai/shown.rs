//! What tools have shown: `OpenAI` takes images from users alone.

use std::mem::take;

use bytes::Bytes;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::dialect::adapt::fields::{is, put, read, replace};
use crate::dialect::conversation::SHOWN;
use crate::wire::json::Fields;

/// The body with what tools show said by the user, behind their results; every other value stays byte for byte. `None`:
/// they show nothing.
pub(in crate::dialect::adapt) fn shown_by_users(body: &[u8]) -> Option<Bytes> {
    let mut fields: Fields<'_> = serde_json::from_slice(body).ok()?;
    let is_changed = replace(&mut fields, "messages", |messages| {
        let messages: Vec<Fields<'_>> = serde_json::from_str(messages.get()).ok()?;
        let (before, mut moved, mut shown) = (messages.len(), Vec::new(), Vec::new());
        for mut message in messages {
            match is(&message, "role", "tool") {
                true => shown.append(&mut take_shown(&mut message)),
                false => moved.extend(show(&mut shown)),
            }
            moved.push(message);
        }
        moved.extend(show(&mut shown));
        (moved.len() > before).then(|| to_raw_value(&moved).ok())?
    });
    is_changed.then(|| serde_json::to_vec(&fields).ok().map(Bytes::from))?
}

/// Takes what is no text out of a result.
fn take_shown(message: &mut Fields<'_>) -> Vec<Value> {
    let parts: Vec<Value> = read(message, "content").unwrap_or_default();
    let (said, shown): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|part| part["type"] == "text");
    match said.is_empty() {
        _ if shown.is_empty() => {}
        true => _ = put(message, "content", SHOWN),
        false => _ = put(message, "content", &said),
    }
    shown
}

/// The user's message that shows this, if it is something.
fn show(shown: &mut Vec<Value>) -> Option<Fields<'static>> {
    if shown.is_empty() {
        return None;
    }
    serde_json::from_value(json!({ "role": "user", "content": take(shown) })).ok()
}

#[cfg(test)]
mod tests {
    use super::shown_by_users;

    #[test]
    fn users_show_what_tools_have_shown() {
        let image =
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo"}}"#;
        let text = r#"{"type":"text","text":"a"}"#;
        let tool = |id: &str, content: &str| {
            format!(r#"{{"role":"tool","tool_call_id":"{id}","content":{content}}}"#)
        };
        let user = |content: &str| format!(r#"{{"role":"user","content":{content}}}"#);
        let body = |messages: &[String]| {
            format!(
                r#"{{"model":"m","messages":[{}],"n":1.0}}"#,
                messages.join(",")
            )
        };
        let given = body(&[
            user(&format!("[{image}]")),
            tool("a", &format!("[{text},{image}]")),
            tool("b", &format!("[{image}]")),
            user("\"x\""),
            tool("c", &format!("[{image}]")),
        ]);
        let expected = body(&[
            user(&format!("[{image}]")),
            tool("a", &format!("[{text}]")),
            tool("b", "\"(shown in the next message)\""),
            user(&format!("[{image},{image}]")),
            user("\"x\""),
            tool("c", "\"(shown in the next message)\""),
            user(&format!("[{image}]")),
        ]);
        assert_eq!(shown_by_users(given.as_bytes()).unwrap(), expected);
        assert!(shown_by_users(expected.as_bytes()).is_none());
    }
}
