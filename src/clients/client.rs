//! One client, as a configuration has it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::counts::{Cost, Counts, Exceeded, Taken};
use super::usage::Usage;
use crate::config::{ClientConfig, ClientLimits};
use crate::routing::Pattern;

/// A client: who it is, what it may ask for, and how much.
#[derive(Debug)]
pub struct Client {
    /// Its name.
    pub name: Arc<str>,
    /// The models that it may use; empty: all.
    models: Vec<Pattern>,
    /// From this time on its key is not accepted.
    expires: Option<Timestamp>,
    /// Its limits with what it has used of them; `None`: it has none.
    limited: Option<(ClientLimits, Arc<Counts>)>,
}

impl Client {
    /// The client of a configuration; it goes on with what it has used until now.
    pub fn new(config: &ClientConfig, usage: &Usage) -> Self {
        let name: Arc<str> = config.name.as_str().into();
        let limits = config.limits;
        let is_limited = limits != ClientLimits::default();
        Self {
            models: config
                .models
                .iter()
                .map(|model| Pattern::new(model))
                .collect(),
            expires: config.expires,
            limited: is_limited.then(|| (limits, usage.of(&name))),
            name,
        }
    }

    /// Whether its key is not accepted any more.
    pub fn has_expired(&self) -> bool {
        self.time_left().is_none()
    }

    /// For how long its key is still accepted; `None`: it has expired.
    pub fn time_left(&self) -> Option<Duration> {
        let Some(end) = self.expires else {
            return Some(Duration::MAX);
        };
        let left = Duration::try_from(end.duration_since(Timestamp::now()));
        left.ok().filter(|left| !left.is_zero())
    }

    /// Whether it may use this model.
    pub fn may_use(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|pattern| pattern.matches(model))
    }

    /// The models that it may use; `None`: all.
    pub fn models(&self) -> Option<&[Pattern]> {
        (!self.models.is_empty()).then_some(self.models.as_slice())
    }

    /// Whether its tokens are counted: else nobody needs to know what a request costs.
    pub fn counts_tokens(&self) -> bool {
        let limits = self.limited.as_ref();
        limits.is_some_and(|(limits, _)| limits.tokens_per_minute.is_some())
    }

    /// Takes what a request costs of its limits, or nothing of it; `None`: it has no limits.
    ///
    /// # Errors
    /// One of its limits is reached.
    pub fn take(&self, cost: Cost, now: Instant) -> Result<Option<Taken>, Exceeded> {
        let limited = self.limited.as_ref();
        limited
            .map(|(limits, counts)| counts.take(limits, cost, now))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::{Client, ClientConfig, Usage};

    #[test]
    fn a_client_may_use_what_its_patterns_say() {
        let client = |models: &[&str]| {
            let config = ClientConfig {
                name: "anna".to_owned(),
                models: models.iter().map(|model| (*model).to_owned()).collect(),
                ..ClientConfig::default()
            };
            Client::new(&config, &Usage::default())
        };
        let all = client(&[]);
        assert!(all.may_use("gpt-4o") && all.may_use("") && all.models().is_none());
        let some = client(&["gpt-4o", "claude-*"]);
        assert!(some.may_use("gpt-4o") && some.may_use("claude-opus"));
        assert!(!some.may_use("gpt-4o-mini") && !some.may_use(""));
        let patterns = some.models().unwrap().iter();
        let patterns: Vec<&str> = patterns.map(|pattern| &**pattern.as_str()).collect();
        assert_eq!(patterns, ["gpt-4o", "claude-*"]);
    }

    #[test]
    fn a_key_expires_at_its_time() {
        let client = |expires: &str| {
            let config = ClientConfig {
                expires: Some(expires.parse().unwrap()),
                ..ClientConfig::default()
            };
            Client::new(&config, &Usage::default())
        };
        assert!(client("2020-01-31T00:00:00Z").has_expired());
        assert!(!client("2220-01-31T00:00:00Z").has_expired());
    }
}
