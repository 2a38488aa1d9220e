//! What the configuration says about the quirks of an upstream.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

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
    #[serde(deserialize_with = "refused")]
    pub refuses: RefusedFields,
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

impl QuirksConfig {
    /// `known`, overridden by these settings.
    #[must_use]
    pub fn over(&self, known: Quirks) -> Quirks {
        Quirks {
            limit: match self.limit {
                None => known.limit,
                Some(LimitName::Either) => None,
                Some(LimitName::MaxTokens) => Some("max_tokens"),
                Some(LimitName::MaxCompletionTokens) => Some("max_completion_tokens"),
            },
            has_developer: self.developer.unwrap_or(known.has_developer),
            refuses: known.refuses.or(self.refuses),
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

fn refused<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RefusedFields, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names.iter().try_fold(RefusedFields::NONE, |fields, name| {
        let field = RefusedFields::named(name);
        let field = field.ok_or_else(|| D::Error::custom(no_hint(name)))?;
        Ok(fields.or(field))
    })
}

fn no_hint(name: &str) -> String {
    let fix = did_you_mean(name, RefusedFields::all()).unwrap_or_else(|| {
        let known: Vec<&str> = RefusedFields::all().collect();
        format!("these can be: {}", known.join(", "))
    });
    format!("`{name}` cannot be left out of a request without changing what it asks for; {fix}")
}
