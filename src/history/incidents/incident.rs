//! One incident, and what it did.

use serde::{Deserialize, Serialize};

use crate::config::UpstreamId;
use crate::event::ScopeId;
use crate::history::clock::Millis;

/// The longest text of a provider that is kept, in characters.
const LONGEST_WORDS: usize = 300;

/// An outage of an upstream, of a model at it, or of our own network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// When it was noticed, in milliseconds since 1970; another one never has the same.
    pub id: u64,
    /// The upstream; `None`: our own network.
    pub upstream: Option<String>,
    /// The model; `None`: the upstream as a whole.
    pub model: Option<String>,
    /// How the attempt failed that took it out of rotation, or the kind of failures.
    pub cause: String,
    /// When the failures began, in milliseconds since 1970.
    pub started_at: u64,
    /// When it had healed; `None`: not yet.
    pub ended_at: Option<u64>,
    /// When there was the last sign of it.
    pub(in crate::history) last_sign: u64,
    /// What it did.
    #[serde(flatten)]
    pub damage: Damage,
}

/// What failures did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// What failed last, in the provider's words; never about a request.
    pub words: Option<String>,
    /// How many attempts failed.
    pub requests: u64,
    /// How many requests others answered instead.
    pub moved: u64,
    /// How many requests of clients failed or broke off.
    pub noticed: u64,
}

impl Damage {
    /// What was done elsewhere, or later, belongs to it.
    pub(super) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.moved += other.moved;
        self.noticed += other.noticed;
        if other.words.is_some() {
            self.words = other.words;
        }
    }

    /// An attempt has failed.
    pub(super) fn failed(&mut self, words: Option<&str>) {
        self.requests += 1;
        if let Some(words) = words {
            let kept = self.words.get_or_insert_default();
            kept.clear();
            kept.extend(words.chars().take(LONGEST_WORDS));
        }
    }
}

impl Incident {
    pub(super) fn is_about(&self, scope: &ScopeId) -> bool {
        self.is_at(&scope.upstream, scope.model.as_deref())
    }

    pub(super) fn is_at(&self, upstream: &UpstreamId, model: Option<&str>) -> bool {
        self.is_of(upstream) && self.model.as_deref() == model
    }

    /// Whether it is about an upstream or a model at it.
    pub(super) fn is_of(&self, upstream: &UpstreamId) -> bool {
        self.upstream.as_deref() == Some(upstream.as_ref())
    }

    /// Whether the scope, or its upstream as a whole, is out by this one.
    pub(super) fn covers(&self, scope: &ScopeId) -> bool {
        self.is_of(&scope.upstream)
            && (self.model.is_none() || self.model.as_deref() == scope.model.as_deref())
    }

    /// It is over.
    pub(super) fn end(&mut self, now: Millis) {
        self.ended_at = Some(now.max(self.started_at));
    }

    pub(in crate::history) fn to_bytes(&self) -> Vec<u8> {
        // A struct of numbers and texts is always JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// `None`: another version has written it.
    pub(in crate::history) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}
