//! Putting a request as a provider takes it that copies OpenAI's API in part.
//!
//! Only what must change does: every other value goes on byte for byte, fields that nobody knows among them.

use std::borrow::Cow;

use bytes::Bytes;
use indexmap::IndexMap;
use memchr::memmem::find;
use serde_json::value::{RawValue, to_raw_value};

use crate::config::Manners;
use crate::request::is_reasoning_model;

/// The names of the limit of an answer's tokens.
const LIMITS: [&str; 2] = ["max_completion_tokens", "max_tokens"];
/// The conversation of a chat, and of a response.
const CONVERSATIONS: [&str; 2] = ["messages", "input"];

type Fields<'a> = IndexMap<Cow<'a, str>, Cow<'a, RawValue>>;

/// A request in a provider's manner, and the fields that had to be left out.
#[derive(Debug)]
pub struct Adapted {
    /// The body.
    pub body: Bytes,
    /// Fields that had to be left out.
    pub dropped: Vec<String>,
}

/// Puts the body of a request in a provider's manner; `None`: it is so already. `more`: further fields that are refused.
pub fn adapt(body: &[u8], manners: &Manners, more: &[&str]) -> Option<Adapted> {
    if !may_differ(body, manners, more) {
        return None;
    }
    let mut fields: Fields<'_> = serde_json::from_slice(body).ok()?;
    if let Some(limit) = manners.limit {
        rename_limit(&mut fields, limit);
    }
    for conversation in CONVERSATIONS {
        if let Some(messages) = fields.get(conversation)
            && let Some(adapted) = messages_in(messages, manners)
        {
            fields.insert(conversation.into(), Cow::Owned(adapted));
        }
    }
    let is_thinker = fields.get("model").is_some_and(|model| {
        let name = serde_json::from_str::<Cow<'_, str>>(model.get());
        name.is_ok_and(|name| is_reasoning_model(&name))
    });
    let of_thinkers: &[&str] = if is_thinker {
        manners.refuses_of_thinkers
    } else {
        &[]
    };
    let mut dropped = Vec::new();
    for field in [manners.refuses, of_thinkers, more].into_iter().flatten() {
        if fields.shift_remove(*field).is_some() {
            dropped.push((*field).to_owned());
        }
    }
    let body = serde_json::to_vec(&fields).ok()?.into();
    Some(Adapted { body, dropped })
}

/// Whether any of the names is there, wherever: bodies that have none of them need not be read.
fn may_differ(body: &[u8], manners: &Manners, more: &[&str]) -> bool {
    let has = |name: &str| find(body, format!("\"{name}\"").as_bytes()).is_some();
    let is_limit_other = || {
        let limit = manners.limit?;
        LIMITS.into_iter().find(|name| *name != limit && has(name))
    };
    manners.message_fields.is_some()
        || is_limit_other().is_some()
        || !manners.has_developer && has("developer")
        || [manners.refuses, manners.refuses_of_thinkers, more]
            .into_iter()
            .flatten()
            .any(|name| has(name))
}

/// The limit under the name that is known; the newer one goes before, where a client gives both.
fn rename_limit(fields: &mut Fields<'_>, limit: &'static str) {
    let given = LIMITS.map(|name| fields.shift_remove(name));
    if let Some(most) = given.into_iter().flatten().next() {
        fields.insert(limit.into(), most);
    }
}

/// The messages in the provider's manner; `None`: they are so already, or are no messages.
fn messages_in(messages: &RawValue, manners: &Manners) -> Option<Box<RawValue>> {
    let mut messages: Vec<Fields<'_>> = serde_json::from_str(messages.get()).ok()?;
    let mut is_changed = false;
    for message in &mut messages {
        if !manners.has_developer
            && let Some(role) = message.get_mut("role")
            && role.get() == "\"developer\""
        {
            *role = Cow::Owned(to_raw_value("system").ok()?);
            is_changed = true;
        }
        if let Some(known) = manners.message_fields {
            let before = message.len();
            message.retain(|field, _| known.contains(&field.as_ref()));
            is_changed |= message.len() < before;
        }
    }
    is_changed.then(|| to_raw_value(&messages).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::adapt;
    use crate::config::Manners;

    fn adapted(body: &str, manners: Manners) -> Option<(String, Vec<String>)> {
        let adapted = adapt(body.as_bytes(), &manners, &[])?;
        let body = String::from_utf8(adapted.body.to_vec()).unwrap();
        Some((body, adapted.dropped))
    }

    #[test]
    fn what_suits_everybody_is_not_touched() {
        let body = r#"{"model":"m","messages":[{"role":"system","content":"x"}],"max_tokens":5}"#;
        for manners in [Manners::OLDER, Manners::UNKNOWN, Manners::GEMINI] {
            assert!(adapted(body, manners).is_none());
        }
    }

    #[test]
    fn only_what_must_change_does() {
        let body = r#"{"model":"m", "max_completion_tokens":5,"messages":[{"role":"developer","content":"x","odd":1e400}],"new": 12345678901234567890123}"#;
        let (body, dropped) = adapted(body, Manners::OLDER).unwrap();
        assert_eq!(
            body,
            r#"{"model":"m","messages":[{"role":"system","content":"x","odd":1e400}],"new":12345678901234567890123,"max_tokens":5}"#
        );
        assert!(dropped.is_empty());
    }

    #[test]
    fn what_a_provider_refuses_is_left_out_and_told() {
        let body = json!({"model": "m", "seed": 1, "store": false, "messages": [
            {"role": "assistant", "content": "x", "annotations": [], "tool_calls": []}]});
        let (body, dropped) = adapted(&body.to_string(), Manners::MISTRAL).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(dropped, ["seed", "store"]);
        let message = json!({"role": "assistant", "content": "x", "tool_calls": []});
        assert_eq!(body, json!({"model": "m", "messages": [message]}));
    }

    #[test]
    fn models_that_think_get_no_sampling_at_openai() {
        let ask = |model: &str| {
            let body = json!({"model": model, "temperature": 0.5, "max_tokens": 5});
            adapted(&body.to_string(), Manners::OPENAI).unwrap()
        };
        assert_eq!(ask("gpt-5").1, ["temperature"]);
        assert_eq!(
            ask("gpt-4o"),
            (
                r#"{"model":"gpt-4o","temperature":0.5,"max_completion_tokens":5}"#.to_owned(),
                Vec::new()
            )
        );
    }

    #[test]
    fn what_is_no_request_stays_as_it_is() {
        for body in ["", "[]", "\"seed\"", r#"{"seed":"#] {
            assert!(adapted(body, Manners::MISTRAL).is_none(), "{body}");
        }
    }
}
