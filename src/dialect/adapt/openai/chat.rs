//! Adapting a request to a provider that copies OpenAI's API in part.
//!
//! Only what must change does: every other value stays byte for byte, unknown fields included.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::Bytes;
use memchr::memmem::find;
use serde_json::json;
use serde_json::value::RawValue;

use super::history::{self, Thoughts};
use crate::catalogue::{Efforts, Facts, InChats, Quirks};
use crate::dialect::adapt::fields::{put, replace, text_of};
use crate::dialect::adapt::schemas;
use crate::dialect::upstream_api::UpstreamApi;
use crate::wire::json::Fields;

/// The names of the field that limits the tokens of an answer.
const LIMITS: [&str; 2] = ["max_completion_tokens", "max_tokens"];
/// How much is said.
const VERBOSITY: &str = "verbosity";
/// Values that have no effect, in any field.
const NOTHING: [&str; 3] = ["null", "[]", "{}"];
/// Fields that have no effect with this value, and that a strict provider may not know.
const OFF: [(&str, &str); 3] = [
    ("logprobs", "false"),
    ("top_logprobs", "0"),
    ("store", "false"),
];

/// An adapted request, and the fields that were dropped.
#[derive(Debug)]
pub struct Adapted {
    /// The body.
    pub body: Bytes,
    /// Fields that were dropped.
    pub dropped: Vec<String>,
}

/// Adapts the body of a chat to a provider's quirks; `None`: nothing had to change.
pub fn adapt_chat(body: &[u8], api: &UpstreamApi) -> Option<Adapted> {
    let quirks = &api.quirks;
    if !may_differ(body, api) {
        return None;
    }
    let mut fields: Fields<'_> = serde_json::from_slice(body).ok()?;
    let mut is_changed = limit(&mut fields, quirks.limit, api.max_output);
    let model = text_of(&fields, "model").unwrap_or_default();
    let facts = api.facts_of(&model);
    let mut of_messages = BTreeSet::new();
    is_changed |= replace(&mut fields, "messages", |messages| {
        history::adapted(messages, quirks, &model, &mut of_messages)
    });
    is_changed |= replace(&mut fields, "tools", schemas::of_chat);
    let before = fields.len();
    let mut dropped: Vec<String> = of_messages.into_iter().collect();
    if quirks.wants_thoughts_back && stop_thinking(&mut fields) {
        is_changed = true;
        if fields.shift_remove("reasoning_effort").is_some() {
            dropped.push("reasoning_effort".to_owned());
        }
    }
    let cannot_think = cannot_think(quirks, &facts, &model);
    if let Some(level) = effort(&fields, &facts, quirks.efforts, cannot_think) {
        is_changed = true;
        let was_asked = fields.contains_key("reasoning_effort");
        match level {
            Some(level) => put(&mut fields, "reasoning_effort", level),
            None => fields.shift_remove("reasoning_effort").is_some(),
        };
        // Another level keeps the meaning; no level, or `none`, does not.
        if was_asked && level.is_none_or(|level| level == "none") {
            dropped.push("reasoning_effort".to_owned());
        }
    }
    let is_thinking = !facts.takes_sampling(effort_in(&fields));
    let refused = quirks.refused_of(&facts, is_thinking);
    let is_terse = refuses_verbosity(quirks, &facts, &model);
    let verbosity = is_terse.then_some(VERBOSITY);
    for field in refused.iter().chain(verbosity) {
        if let Some(value) = fields.shift_remove(field)
            && !asks_for_nothing(field, &value)
        {
            dropped.push(field.to_owned());
        }
    }
    if is_strict(quirks) {
        fields.retain(|field, value| !asks_for_nothing(field, value));
    }
    if !is_changed && fields.len() == before {
        return None;
    }
    let body = serde_json::to_vec(&fields).ok()?.into();
    Some(Adapted { body, dropped })
}

fn effort_in<'a>(fields: &'a Fields<'_>) -> Option<&'a str> {
    let effort = fields.get("reasoning_effort")?;
    Some(effort.get().trim_matches('"'))
}

/// Whether it is known that a model of `OpenAI`'s does not think. Names of deployments do not show what they are.
pub(super) fn cannot_think(quirks: &Quirks, facts: &Facts, model: &str) -> bool {
    quirks.minds_thinking && !facts.thinks && model.contains("gpt-")
}

/// Whether it is known that a model of `OpenAI`'s cannot be told how much to say.
pub(super) fn refuses_verbosity(quirks: &Quirks, facts: &Facts, model: &str) -> bool {
    let is_known = quirks.minds_thinking && facts.thinks || cannot_think(quirks, facts, model);
    is_known && !facts.takes_verbosity()
}

/// The reasoning effort to ask for; inner `None`: it cannot be expressed. Outer `None`: unchanged.
fn effort(
    fields: &Fields<'_>,
    facts: &Facts,
    efforts: Efforts,
    cannot_think: bool,
) -> Option<Option<&'static str>> {
    let is_without_thinking = facts.in_chats == InChats::ToolsUnthinking && has_tools(fields);
    let level = match (efforts, effort_in(fields)) {
        (Efforts::Any, _) | (Efforts::Known, None) => return None,
        (Efforts::Known, Some(asked)) => closest(facts, asked)?,
        (Efforts::Three, None | Some("null" | "low" | "medium" | "high")) => return None,
        (Efforts::Three, Some("minimal")) => Some("low"),
        (Efforts::Three, Some("xhigh" | "max")) => Some("high"),
        (Efforts::Three, Some(_)) => None,
        (Efforts::NoneWithTools, asked) if is_without_thinking => match asked {
            Some("none") => return None,
            _ => Some("none"),
        },
        (Efforts::NoneWithTools, Some(asked)) if asked != "null" => match cannot_think {
            true => None,
            false if facts.efforts.is_known() => closest(facts, asked)?,
            false => return None,
        },
        (Efforts::NoneWithTools, _) => return None,
    };
    Some(level)
}

/// The level that comes closest to what is asked for; outer `None`: it is that one.
fn closest(facts: &Facts, asked: &str) -> Option<Option<&'static str>> {
    let level = facts.efforts.closest(asked);
    (level != Some(asked)).then_some(level)
}

fn has_tools(fields: &Fields<'_>) -> bool {
    let tools = fields.get("tools");
    tools.is_some_and(|tools| !NOTHING.contains(&tools.get()))
}

/// Turns reasoning off for models that require it to come back with their tool calls: most clients do not know of it,
/// and the calls of other models have none. Returns whether that changes anything.
fn stop_thinking(fields: &mut Fields<'_>) -> bool {
    let thoughts = fields
        .get("messages")
        .map_or(Thoughts::NoCalls, |messages| {
            history::thoughts_of_calls(messages)
        });
    let is_wanted = match thoughts {
        Thoughts::NoCalls => fields.contains_key("thinking"),
        Thoughts::Missing => false,
        Thoughts::Given => true,
    };
    let is_off = has_tools(fields) && !is_wanted;
    is_off && put(fields, "thinking", &json!({ "type": "disabled" }))
}

pub(super) fn asks_for_nothing(field: &str, value: &RawValue) -> bool {
    NOTHING.contains(&value.get()) || OFF.contains(&(field, value.get()))
}

/// Whether anything of a chat may have to change: a body that has none of these names need not be parsed.
fn may_differ(body: &[u8], api: &UpstreamApi) -> bool {
    let quirks = &api.quirks;
    let is_limited = api.max_output.is_some() || quirks.limit.is_some();
    is_strict(quirks)
        || quirks.wants_signed_calls
        || quirks.has_plain_turns
            && ["system", "text", "refusal"]
                .iter()
                .any(|name| has(body, name))
        || quirks.efforts != Efforts::Any && has(body, "reasoning_effort")
        || quirks.minds_thinking && has(body, VERBOSITY)
        || has(body, "tools")
        || has(body, "tool_calls")
        || has(body, "tool_call_id")
        || is_limited && LIMITS.into_iter().any(|name| has(body, name))
        || !quirks.has_developer && has(body, "developer")
        || quirks.may_refuse().iter().any(|name| has(body, name))
}

/// Whether the provider is known to reject unknown fields anywhere.
fn is_strict(quirks: &Quirks) -> bool {
    quirks.message_fields.is_some()
}

pub(super) fn has(body: &[u8], name: &str) -> bool {
    find(body, format!("\"{name}\"").as_bytes()).is_some()
}

/// Writes the limit under the name that the provider knows, and lowers it to the largest allowed. The newer name wins
/// if a client sends both. Returns whether that changes anything.
fn limit(fields: &mut Fields<'_>, name: Option<&'static str>, largest: Option<u32>) -> bool {
    let mut is_changed = false;
    for known in LIMITS {
        let most: Option<u64> = fields.get(known).and_then(|most| most.get().parse().ok());
        if let (Some(most), Some(largest)) = (most, largest)
            && most > u64::from(largest)
        {
            is_changed |= put(fields, known, &largest);
        }
    }
    let is_other = |known: &&str| Some(*known) != name && fields.contains_key(*known);
    let Some(name) = name.filter(|_| LIMITS.iter().any(is_other)) else {
        return is_changed;
    };
    let given = LIMITS.map(|known| fields.shift_remove(known));
    let is_set = |most: &Cow<'_, RawValue>| most.get() != "null";
    if let Some(most) = given.into_iter().flatten().find(is_set) {
        fields.insert(name.into(), most);
    }
    true
}

#[cfg(test)]
mod tests;
