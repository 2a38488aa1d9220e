//! Failures that may be the beginning of an incident.

use super::incident::Damage;
use crate::event::ScopeId;
use crate::history::clock::Millis;

/// So many successes in a row end a streak: then its failures were single ones.
const ENDED_BY: u32 = 20;
/// A failure after such a pause, in milliseconds, begins a new streak.
const PAUSE: Millis = 600_000;

/// What failed at a scope, until it is an incident or forgotten.
#[derive(Clone, Debug)]
pub(super) struct Streak {
    pub(super) scope: ScopeId,
    pub(super) damage: Damage,
    /// How the last attempt failed; `None`: nothing has failed yet.
    pub(super) cause: Option<&'static str>,
    /// When it began.
    pub(super) since: Millis,
    last: Millis,
    /// How many attempts have succeeded since the last failure.
    successes: u32,
}

impl Streak {
    pub(super) fn begin(scope: ScopeId, now: Millis) -> Self {
        Self {
            scope,
            damage: Damage::default(),
            cause: None,
            since: now,
            last: now,
            successes: 0,
        }
    }

    pub(super) fn failed(&mut self, cause: &'static str, words: Option<&str>, now: Millis) {
        if now.saturating_sub(self.last) > PAUSE {
            *self = Self::begin(self.scope.clone(), now);
        }
        self.last = now;
        self.successes = 0;
        self.cause = Some(cause);
        self.damage.failed(words);
    }

    /// An attempt has succeeded. True if the streak is over.
    pub(super) fn succeeded(&mut self) -> bool {
        self.successes += 1;
        self.successes >= ENDED_BY
    }
}
