//! Failures that may be the beginning of an incident.

use super::LONGEST_WORDS;
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
    /// When it began.
    pub(super) since: Millis,
    last: Millis,
    /// How many attempts have succeeded since the last failure.
    successes: u32,
}

/// What failures did.
#[derive(Clone, Debug, Default)]
pub(super) struct Damage {
    pub(super) words: Option<String>,
    pub(super) requests: u64,
    pub(super) moved: u64,
    pub(super) noticed: u64,
}

impl Streak {
    pub(super) fn begin(scope: ScopeId, now: Millis) -> Self {
        Self {
            scope,
            damage: Damage::default(),
            since: now,
            last: now,
            successes: 0,
        }
    }

    pub(super) fn failed(&mut self, words: Option<&str>, now: Millis) {
        if now.saturating_sub(self.last) > PAUSE {
            *self = Self::begin(self.scope.clone(), now);
        }
        self.last = now;
        self.successes = 0;
        self.damage.requests += 1;
        note_words(&mut self.damage.words, words);
    }

    /// An attempt has succeeded. True if the streak is over.
    pub(super) fn succeeded(&mut self) -> bool {
        self.successes += 1;
        self.successes >= ENDED_BY
    }
}

/// Keeps the last words, cut to their longest length.
pub(super) fn note_words(kept: &mut Option<String>, words: Option<&str>) {
    let Some(words) = words else {
        return;
    };
    let kept = kept.get_or_insert_default();
    kept.clear();
    kept.extend(words.chars().take(LONGEST_WORDS));
}
