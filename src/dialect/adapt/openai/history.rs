//! Adapting the messages of a chat to a provider.

use std::collections::BTreeSet;

use memchr::memmem::find;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::calls;
use super::turns::{answer_tools, join_texts, remind, say_refusal};
use crate::catalogue::Quirks;
use crate::dialect::adapt::fields::{change_calls, is, put, replace, written};
use crate::dialect::conversation::thoughts::{NO_SIGNATURE, google, wants_signatures};
use crate::wire::json::Fields;

/// `OpenAI`'s mark of where a prompt that is to be cached ends, in a part.
const BREAKPOINT: &str = "prompt_cache_breakpoint";

/// Where Google proves the thought that has led to a call.
const EXTRA: &str = "extra_content";

/// The messages, adapted to a provider's quirks; `None`: nothing had to change, or they are not messages. `dropped`
/// takes the names of dropped fields that had a meaning.
pub(super) fn adapted(
    messages: &RawValue,
    quirks: &Quirks,
    model: &str,
    dropped: &mut BTreeSet<String>,
) -> Option<Box<RawValue>> {
    let signs_calls = quirks.wants_signed_calls && wants_signatures(model);
    let takes_marks = !quirks.refuses.iter().any(|field| field == BREAKPOINT);
    let mut messages: Vec<Fields<'_>> = serde_json::from_str(messages.get()).ok()?;
    let before = messages.len();
    // Agents keep what is left of an answer that broke off.
    messages.retain(|message| !says_nothing(message));
    let mut is_changed = messages.len() < before;
    for message in &mut messages {
        if !takes_marks && unmark(message) {
            dropped.insert(format!("messages.content.{BREAKPOINT}"));
            is_changed = true;
        }
        is_changed |= !quirks.has_developer && demote(message);
        is_changed |= quirks.has_plain_turns && join_texts(message);
        is_changed |= quirks.has_plain_turns && say_refusal(message);
        if let Some(known) = quirks.message_fields {
            let before = message.len();
            message.retain(|field, value| {
                let is_known = known.contains(&field.as_ref());
                if !is_known && !matches!(value.get(), "null" | "[]" | "{}" | "\"\"") {
                    dropped.insert(format!("messages.{field}"));
                }
                is_known
            });
            is_changed |= message.len() < before;
        }
        match has_extra(message) {
            // One proof is enough for all calls of a message.
            false if signs_calls => is_changed |= change_calls(message, sign),
            true if !quirks.wants_signed_calls => {
                dropped.insert(format!("messages.tool_calls.{EXTRA}"));
                let taken = |call: &mut Fields<'_>| call.shift_remove(EXTRA).is_some();
                is_changed |= change_calls(message, taken);
            }
            _ => {}
        }
    }
    is_changed |= calls::repair(&mut messages, quirks.call_ids);
    is_changed |= quirks.has_plain_turns && remind(&mut messages);
    is_changed |= quirks.answers_tools && answer_tools(&mut messages);
    is_changed.then(|| to_raw_value(&messages).ok()).flatten()
}

/// Whether the tool calls in a conversation come with the reasoning that led to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thoughts {
    NoCalls,
    /// Some calls have no reasoning.
    Missing,
    Given,
}

pub(super) fn thoughts_of_calls(messages: &RawValue) -> Thoughts {
    let messages: Vec<Fields<'_>> = serde_json::from_str(messages.get()).unwrap_or_default();
    let has = |message: &Fields<'_>, name: &str| {
        message
            .get(name)
            .is_some_and(|value| !matches!(value.get(), "null" | "[]"))
    };
    let mut calling = messages
        .iter()
        .filter(|message| has(message, "tool_calls"))
        .peekable();
    if calling.peek().is_none() {
        Thoughts::NoCalls
    } else if calling.all(|message| has(message, "reasoning_content")) {
        Thoughts::Given
    } else {
        Thoughts::Missing
    }
}

/// Whether it is a model's message in which nothing is said or called: `Assistant message must have either content or
/// tool_calls` (Mistral).
fn says_nothing(message: &Fields<'_>) -> bool {
    let said = ["content", "refusal", "tool_calls", "function_call", "audio"];
    let is_empty = |name: &&str| matches!(written(message, name), "" | "null" | "[]" | "\"\"");
    is(message, "role", "assistant") && said.iter().all(is_empty)
}

/// Gives a message the older role `system`. Returns whether it had the newer one.
pub(super) fn demote(message: &mut Fields<'_>) -> bool {
    is(message, "role", "developer") && put(message, "role", "system")
}

/// Takes the marks out of a message's parts. Returns whether there was one.
fn unmark(message: &mut Fields<'_>) -> bool {
    find(
        written(message, "content").as_bytes(),
        BREAKPOINT.as_bytes(),
    )
    .is_some()
        && replace(message, "content", without_marks)
}

fn without_marks(content: &RawValue) -> Option<Box<RawValue>> {
    let mut parts: Vec<Value> = serde_json::from_str(content.get()).ok()?;
    let mut has_marks = false;
    for part in parts.iter_mut().filter_map(Value::as_object_mut) {
        has_marks |= part.shift_remove(BREAKPOINT).is_some();
    }
    has_marks.then(|| to_raw_value(&parts).ok())?
}

/// Whether some call of a message has what only one provider adds.
fn has_extra(message: &Fields<'_>) -> bool {
    find(written(message, "tool_calls").as_bytes(), EXTRA.as_bytes()).is_some()
}

fn sign(call: &mut Fields<'_>) -> bool {
    put(call, EXTRA, &google(NO_SIGNATURE))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};

    use super::adapted;
    use crate::catalogue::Quirks;
    use crate::dialect::conversation::thoughts::NO_SIGNATURE;

    fn history() -> Value {
        json!([
            {"role": "assistant", "tool_calls": [{"id": "call_1", "function": {"name": "f", "arguments": "{}"}}, {"id": "abcDEF123"}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
            {"role": "tool", "tool_call_id": "abcDEF123", "content": "y"},
        ])
    }

    fn put(messages: &Value, quirks: &Quirks, model: &str) -> Option<Value> {
        let mut dropped = BTreeSet::new();
        let adapted = adapted(
            &to_raw_value(messages).unwrap(),
            quirks,
            model,
            &mut dropped,
        )?;
        assert!(dropped.is_empty());
        Some(serde_json::from_str(adapted.get()).unwrap())
    }

    #[test]
    fn marks_of_openais_cache_stay_with_those_who_know_them() {
        let marked = json!([{"role": "user", "content": [
            {"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"type": "image_url", "image_url": {"url": "data:,"}},
        ]}]);
        let raw = to_raw_value(&marked).unwrap();
        let mut dropped = BTreeSet::new();
        let sent = adapted(&raw, &Quirks::UNKNOWN, "m", &mut dropped).unwrap();
        assert!(!sent.get().contains("prompt_cache_breakpoint"));
        assert_eq!(
            Vec::from_iter(dropped),
            ["messages.content.prompt_cache_breakpoint"]
        );
        assert_eq!(put(&marked, &Quirks::OPENAI, "gpt-6"), None);
    }

    #[test]
    fn messages_in_which_nothing_is_said_are_left_out() {
        let said = json!([{"role": "user", "content": ""}, {"role": "assistant", "content": "a"}, {"role": "assistant", "content": null, "refusal": "no"},
            {"role": "assistant", "content": "", "audio": {"id": "x"}}]);
        assert_eq!(put(&said, &Quirks::OPENAI, "gpt-4.1"), None);
        let mut messages = said.as_array().unwrap().clone();
        for nothing in [json!(""), json!(null), json!([])] {
            let nothing = json!({"role": "assistant", "content": nothing, "tool_calls": [], "reasoning_content": "hm"});
            messages.insert(1, nothing);
        }
        assert_eq!(
            put(&messages.into(), &Quirks::OPENAI, "gpt-4.1"),
            Some(said)
        );
    }

    #[test]
    fn calls_of_others_are_signed_for_the_models_that_want_it() {
        let signed = put(&history(), &Quirks::GEMINI, "google/gemini-3-pro").unwrap();
        let signature = &signed[0]["tool_calls"][0]["extra_content"]["google"];
        assert_eq!(signature["thought_signature"], NO_SIGNATURE);
        assert_eq!(put(&signed, &Quirks::GEMINI, "gemini-3-pro"), None);
        assert_eq!(put(&history(), &Quirks::GEMINI, "gemini-2.5-flash"), None);
    }
}
