//! A provider, and what follows from it.

use std::fmt;

use super::api::{Dialect, KeyHeader, Messages, Prefill, Serves};
use super::facts::Facts;
use super::lookup::{claude_facts, facts};
use super::providers::{Entry, TABLE};
use super::quirks::Quirks;

/// A provider: an entry of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Provider(&'static Entry);

impl Provider {
    /// All providers.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// The API it speaks.
    pub fn dialect(self) -> Dialect {
        self.0.dialect
    }

    /// In which header its key goes out.
    pub fn key_header(self) -> KeyHeader {
        self.0.key_header
    }

    /// Its URL; `None` if that must be configured.
    pub fn base_url(self) -> Option<&'static str> {
        self.0.base_url
    }

    /// The form of its URL, where each customer has their own.
    pub fn url_form(self) -> Option<&'static str> {
        self.0.url_form
    }

    /// Whether it has `/responses`.
    pub fn has_responses(self) -> bool {
        self.0.has_responses
    }

    /// How it is asked to continue the start of an answer.
    pub fn prefill(self) -> Prefill {
        self.0.prefill
    }

    /// How chat requests must be written for it.
    pub fn quirks(self) -> Quirks {
        self.0.quirks
    }

    /// What is known of a model at this provider.
    pub fn facts(self, model: &str) -> Facts {
        let known = match self.0.dialect {
            Dialect::OpenAi => facts(model),
            Dialect::Anthropic => claude_facts(model),
        };
        Facts {
            missing: known.missing.or(self.0.missing),
            ..known
        }
    }

    /// How it speaks Anthropic's API besides `OpenAI`'s; `None`: it does not.
    pub fn messages(self) -> Option<Messages> {
        self.0.messages
    }

    /// The usual environment variables for its key, of which the first one that is set counts; empty: it needs no key.
    pub fn key_variables(self) -> &'static [&'static str] {
        self.0.key_variables
    }

    /// The patterns of its models' names, where they are distinctive.
    pub fn families(self) -> &'static [&'static str] {
        self.0.families
    }

    pub(super) fn serves(self) -> Serves {
        self.0.serves
    }

    /// The models to ask it for when it is the fallback of another provider, the preferred one first.
    pub fn fallback_models(self) -> &'static [&'static str] {
        self.0.fallback_models
    }
}

impl Default for Provider {
    /// A placeholder where the configuration has a mistake; never used.
    fn default() -> Self {
        Self(&TABLE[TABLE.len() - 1])
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
