//! The order of the messages of a chat, and their texts, where a provider is strict about them.

use std::mem::take;

use serde_json::{Value, json};

use crate::dialect::adapt::fields::{is, put, read, text_of, written};
use crate::dialect::conversation::reminder;
use crate::wire::json::Fields;

/// The assistant's message that is inserted between tool results and a user's message.
const TAKEN_NOTE: &str = "OK.";
/// The type of a part, and a field beside the parts, in which `OpenAI`'s models refuse to answer.
const REFUSAL: &str = "refusal";

/// Joins the parts of a message that has only texts. Returns whether that changes anything.
pub(super) fn join_texts(message: &mut Fields<'_>) -> bool {
    let parts: Vec<Value> = read(message, "content").unwrap_or_default();
    let texts: Option<Vec<&str>> = parts
        .iter()
        .map(|part| match part["type"].as_str() {
            Some(kind @ ("text" | REFUSAL)) => part[kind].as_str(),
            _ => None,
        })
        .collect();
    match texts {
        Some(texts) if !texts.is_empty() => put(message, "content", &texts.join("\n\n")),
        _ => false,
    }
}

/// Makes a refusal of the model a text, as whoever copies the API in part knows no other. Returns whether there was one.
pub(super) fn say_refusal(message: &mut Fields<'_>) -> bool {
    let refusal = text_of(message, REFUSAL).filter(|refusal| !refusal.is_empty());
    let is_list = written(message, "content").starts_with('[');
    let Some(refusal) = refusal.filter(|_| !is_list) else {
        return false;
    };
    let said = text_of(message, "content").filter(|said| !said.is_empty());
    let texts: Vec<String> = said.into_iter().chain([refusal]).collect();
    message.shift_remove(REFUSAL);
    put(message, "content", &texts.join("\n\n"))
}

/// Lets the system speak once, at the beginning: joins what it says there, and moves what it says later into user messages,
/// marked in the way that coding agents use for models without system messages. Returns whether that changes anything.
pub(super) fn remind(messages: &mut Vec<Fields<'_>>) -> bool {
    let before = messages.len();
    let leading = messages
        .iter()
        .take_while(|it| is(it, "role", "system"))
        .count();
    let mut later = messages.split_off(leading);
    join_alike(messages, "system", 0);
    let mut is_changed = false;
    for message in &mut later {
        if is(message, "role", "system")
            && let Some(said) = text_of(message, "content")
        {
            put(message, "role", "user");
            is_changed |= put(message, "content", &reminder(&said));
        }
    }
    let from = messages.len();
    messages.append(&mut later);
    if is_changed {
        join_alike(messages, "user", from);
    }
    is_changed || messages.len() < before
}

/// Merges consecutive messages of a role, as far as they are plain text: messages must alternate.
fn join_alike(messages: &mut Vec<Fields<'_>>, role: &str, from: usize) {
    // What the last message says, and those that were merged into it; empty if it cannot take another one.
    let mut texts: Vec<String> = Vec::new();
    for message in messages.split_off(from) {
        let text = text_of(&message, "content").filter(|_| is(&message, "role", role));
        if text.is_none() || texts.is_empty() {
            say_together(messages, &mut texts);
            messages.push(message);
        }
        texts.extend(text);
    }
    say_together(messages, &mut texts);
}

/// Lets the last message say these texts, if they are several.
fn say_together(messages: &mut [Fields<'_>], texts: &mut Vec<String>) {
    if let Some(last) = messages.last_mut().filter(|_| texts.len() > 1) {
        put(last, "content", &texts.join("\n\n"));
    }
    texts.clear();
}

/// Inserts an assistant's message between tool results and a user's message. Returns whether there was such a place.
pub(super) fn answer_tools(messages: &mut Vec<Fields<'_>>) -> bool {
    let said = json!({ "role": "assistant", "content": TAKEN_NOTE });
    let Ok(said) = serde_json::from_value::<Fields<'static>>(said) else {
        return false;
    };
    let before = messages.len();
    for message in take(messages) {
        let is_behind_tools = messages.last().is_some_and(|last| is(last, "role", "tool"));
        if is_behind_tools && is(&message, "role", "user") {
            messages.push(said.clone());
        }
        messages.push(message);
    }
    messages.len() > before
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Fields, answer_tools, join_texts, remind, say_refusal};

    fn changed(messages: &Value, by: impl Fn(&mut Vec<Fields<'_>>) -> bool) -> Option<Value> {
        let text = messages.to_string();
        let mut fields: Vec<Fields<'_>> = serde_json::from_str(&text).unwrap();
        by(&mut fields).then(|| serde_json::to_value(&fields).unwrap())
    }

    fn said(role: &str, content: &Value) -> Value {
        json!({ "role": role, "content": content })
    }

    #[test]
    fn texts_are_joined_where_there_is_nothing_else() {
        let join = |content: Value| {
            changed(&json!([said("user", &content)]), |them| {
                join_texts(&mut them[0])
            })
        };
        let text = json!({"type": "text", "text": "a"});
        assert_eq!(
            join(json!([text, text])),
            Some(json!([said("user", &"a\n\na".into())]))
        );
        for content in [
            json!("a"),
            json!([]),
            json!(null),
            json!([text, {"type": "image_url"}]),
        ] {
            assert_eq!(join(content.clone()), None, "{content}");
        }
    }

    #[test]
    fn a_refusal_is_a_text() {
        let parts = json!([{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}]);
        let joined = changed(&json!([said("assistant", &parts)]), |them| {
            join_texts(&mut them[0])
        });
        assert_eq!(joined, Some(json!([said("assistant", &"a\n\nb".into())])));
        let refused = |content: Value, refusal: Value| {
            let mut message = said("assistant", &content);
            message["refusal"] = refusal;
            changed(&json!([message]), |them| say_refusal(&mut them[0]))
        };
        for (content, expected) in [
            (json!(null), "no"),
            (json!(""), "no"),
            (json!("a"), "a\n\nno"),
        ] {
            let expected = json!([said("assistant", &expected.into())]);
            assert_eq!(refused(content, json!("no")), Some(expected));
        }
        assert_eq!(refused(json!("a"), json!(null)), None);
        assert_eq!(refused(json!([{"type": "image_url"}]), json!("no")), None);
    }

    #[test]
    fn the_system_speaks_at_the_beginning_only() {
        let (system, user) = (said("system", &"s".into()), said("user", &"u".into()));
        let answer = said("assistant", &"a".into());
        let reminder = "<system-reminder>\ns\n</system-reminder>";
        assert_eq!(changed(&json!([system, user, user, answer]), remind), None);
        let both = said("system", &"s\n\ns".into());
        assert_eq!(
            changed(&json!([system, system, user, user]), remind),
            Some(json!([both, user, user]))
        );
        assert_eq!(
            changed(
                &json!([system, user, system, answer, system, user, answer]),
                remind
            ),
            Some(json!([
                system,
                said("user", &format!("u\n\n{reminder}").into()),
                answer,
                said("user", &format!("{reminder}\n\nu").into()),
                answer,
            ]))
        );
        let image = said("user", &json!([{"type": "image_url"}]));
        assert_eq!(
            changed(
                &json!([user, user, system, user, image, user, system]),
                remind
            ),
            Some(json!([
                said("user", &format!("u\n\nu\n\n{reminder}\n\nu").into()),
                image,
                said("user", &format!("u\n\n{reminder}").into()),
            ]))
        );
    }

    #[test]
    fn tools_are_answered_before_a_user_speaks() {
        let (tool, user) = (json!({"role": "tool"}), said("user", &"x".into()));
        let ok = said("assistant", &"OK.".into());
        let messages = json!([user, tool, tool, user, user, tool, user]);
        let expected = json!([user, tool, tool, ok, user, user, tool, ok, user]);
        assert_eq!(changed(&messages, answer_tools), Some(expected));
        assert_eq!(changed(&json!([user, tool, ok, user]), answer_tools), None);
    }
}
