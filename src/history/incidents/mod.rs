//! Incidents: from the first failure to the end of an outage, as health sees it, with what it did to clients.

mod live;
mod streak;

use serde::{Deserialize, Serialize};

pub(super) use self::live::Incidents;
use super::clock::Millis;
use crate::event::ScopeId;

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
    /// The kind of failures that took it out of rotation.
    pub cause: String,
    /// What failed last, in the provider's words; never about a request.
    pub words: Option<String>,
    /// When the failures began, in milliseconds since 1970.
    pub started_at: u64,
    /// When it had healed; `None`: not yet.
    pub ended_at: Option<u64>,
    /// When there was the last sign of it.
    pub(super) last_sign: u64,
    /// How many attempts failed.
    pub requests: u64,
    /// How many requests others answered instead.
    pub moved: u64,
    /// How many requests of clients failed or broke off.
    pub noticed: u64,
}

impl Incident {
    fn is_about(&self, scope: &ScopeId) -> bool {
        self.upstream.as_deref() == Some(scope.upstream.as_ref())
            && self.model.as_deref() == scope.model.as_deref()
    }

    /// Whether the scope, or its upstream as a whole, is out by this one.
    fn covers(&self, scope: &ScopeId) -> bool {
        self.upstream.as_deref() == Some(scope.upstream.as_ref())
            && (self.model.is_none() || self.model.as_deref() == scope.model.as_deref())
    }

    /// It is over.
    fn end(&mut self, now: Millis) {
        self.ended_at = Some(now.max(self.started_at));
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // A struct of numbers and texts is always JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// `None`: another version has written it.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}
