//! Weighing what others say against what our own requests show.
//!
//! One replica that has taken a scope out makes us doubt: few failures of our own are enough then. Two of them are believed,
//! unless a request of our own succeeds while a few of them have the time to: the network of both may be broken, and ours not.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::health::Standing;

/// So many replicas are believed.
const ENOUGH: usize = 2;
/// A score fades by itself, by this time constant in seconds.
const FORGET: f32 = 300.0;
/// A score that has fallen by so much was lowered by a success.
const SUCCESS: f32 = 0.2;

/// The scopes that others doubt, and we do not know of.
#[derive(Debug, Default)]
pub(super) struct Doubts(BTreeMap<u64, Doubt>);

#[derive(Debug)]
struct Doubt {
    since: Instant,
    /// What the score was raised to.
    raised_to: f32,
}

impl Doubts {
    /// Another's word has raised the score of a scope.
    pub(super) fn begin(&mut self, scope: u64, raised_to: f32, now: Instant) {
        let since = now;
        self.0.insert(scope, Doubt { since, raised_to });
    }

    /// Whether so many others are to be believed now. A doubt ends when it is settled.
    pub(super) fn is_true(
        &mut self,
        scope: u64,
        votes: usize,
        standing: &Standing,
        now: Instant,
    ) -> bool {
        let Some(doubt) = self.0.get(&scope) else {
            return false;
        };
        let passed = now.saturating_duration_since(doubt.since);
        let faded = doubt.raised_to * (-passed.as_secs_f32() / FORGET).exp();
        let is_refuted = standing.score < faded - SUCCESS;
        if votes == 0 || is_refuted || standing.phase.is_out() {
            self.0.remove(&scope);
            return false;
        }
        let is_true = votes >= ENOUGH && passed >= standing.own_word_within;
        if is_true {
            self.0.remove(&scope);
        }
        is_true
    }

    /// Whether no scope is in doubt.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes that are in doubt.
    pub(super) fn all(&self) -> Vec<u64> {
        self.0.keys().copied().collect()
    }

    /// Forgets what has been in doubt for so long that nobody will settle it.
    pub(super) fn forget(&mut self, now: Instant) {
        const LONGEST: Duration = Duration::from_secs(60);
        self.0
            .retain(|_, doubt| now.saturating_duration_since(doubt.since) < LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::{Doubts, Duration, Instant, Standing};
    use crate::health::Phase;

    fn standing(score: f32, own_word_within: u64) -> Standing {
        Standing {
            phase: Phase::Closed,
            score,
            own_word_within: Duration::from_secs(own_word_within),
        }
    }

    #[test]
    fn two_others_are_believed_unless_a_request_of_our_own_succeeds() {
        let now = Instant::now();
        for (votes, seconds, score, is_true) in [
            (2, 0, 5.0, false),
            (2, 3, 5.0, true),
            (2, 3, 4.6, false),
            (1, 3, 5.0, false),
            (3, 60, 4.1, true),
        ] {
            let mut doubts = Doubts::default();
            doubts.begin(1, 5.0, now);
            let later = now + Duration::from_secs(seconds);
            let found = doubts.is_true(1, votes, &standing(score, 3), later);
            assert_eq!(found, is_true, "{votes} {seconds} {score}");
            let again = doubts.is_true(1, votes, &standing(score, 3), later);
            assert!(!again, "it is settled, or not yet true");
        }
    }

    #[test]
    fn whoever_knows_nothing_believes_two_at_once_and_nobody_without_a_word() {
        let (mut doubts, now) = (Doubts::default(), Instant::now());
        assert!(!doubts.is_true(1, 2, &standing(5.0, 0), now));
        doubts.begin(1, 5.0, now);
        assert!(doubts.is_true(1, 2, &standing(5.0, 0), now));
        doubts.begin(1, 5.0, now);
        doubts.forget(now + Duration::from_secs(61));
        assert!(doubts.all().is_empty());
    }
}
