//! What the configuration says about the quirks of an upstream.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::problem::did_you_mean;
use crate::catalogue::{CallIds, Quirks, RefusedFields};

/// How chats must be written for an upstream, where that differs from its provider; a key that is left out leaves it as
/// it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuirksConfig {
    /// The name of the field that limits the tokens of an answer.
    pub limit: Option<LimitName>,
    /// Whether it knows the role `developer`.
    pub developer: Option<bool>,
    /// Further fields that it rejects with an error.
    pub refuses: Vec<Refused>,
    /// The longest description of a tool that it accepts, in bytes.
    pub longest_description: Option<usize>,
    /// Which ids of tool calls it accepts.
    pub call_ids: Option<CallIds>,
    /// Whether a message must be one text, and a system message must come first.
    pub plain_turns: Option<bool>,
    /// Whether an assistant message must come between tool results and the next user message.
    pub answers_tools: Option<bool>,
    /// Whether it rejects a conversation without the reasoning that belongs to its tool calls.
    pub wants_thoughts_back: Option<bool>,
}

/// The name of the field that limits the tokens of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitName {
    /// `max_tokens`
    MaxTokens,
    /// `max_completion_tokens`
    MaxCompletionTokens,
    /// Whichever the client uses.
    Either,
}

/// A field that an upstream rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(RefusedFields);

impl Default for Refused {
    /// A placeholder where the configuration has a mistake; never used.
    fn default() -> Self {
        Self(RefusedFields::NONE)
    }
}

impl QuirksConfig {
    /// `known`, overridden by these settings.
    #[must_use]
    pub fn over(&self, known: Quirks) -> Quirks {
        let more = self.refuses.iter().map(|field| field.0);
        Quirks {
            limit: match self.limit {
                None => known.limit,
                Some(LimitName::Either) => None,
                Some(LimitName::MaxTokens) => Some("max_tokens"),
                Some(LimitName::MaxCompletionTokens) => Some("max_completion_tokens"),
            },
            has_developer: self.developer.unwrap_or(known.has_developer),
            refuses: more.fold(known.refuses, RefusedFields::or),
            longest_description: self.longest_description.or(known.longest_description),
            call_ids: self.call_ids.unwrap_or(known.call_ids),
            has_plain_turns: self.plain_turns.unwrap_or(known.has_plain_turns),
            answers_tools: self.answers_tools.unwrap_or(known.answers_tools),
            wants_thoughts_back: self
                .wants_thoughts_back
                .unwrap_or(known.wants_thoughts_back),
            ..known
        }
    }
}

impl<'de> Deserialize<'de> for Refused {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Name)
    }
}

struct Name;

impl Visitor<'_> for Name {
    type Value = Refused;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Refused, E> {
        RefusedFields::named(name).map(Refused).ok_or_else(|| {
            let hint = did_you_mean(name, RefusedFields::all()).unwrap_or_else(|| {
                let known: Vec<&str> = RefusedFields::all().collect();
                format!("these can be: {}", known.join(", "))
            });
            E::custom(format!(
                "`{name}` cannot be left out of a request without changing what it asks for; {hint}"
            ))
        })
    }
}
