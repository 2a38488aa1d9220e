//! The attempts of requests that are not over, or have not been sent: so many, the oldest are forgotten first.

use std::mem;
use std::time::Duration;

use tokio::time::Instant;

use crate::event::AttemptReport;
use crate::request::RequestId;
use crate::wire::mix::OwnNames;

/// Of twice as many requests attempts are kept.
const MOST: usize = 8192;
/// Attempts whose request is not over after so long are forgotten, or after twice as long.
const LONGEST: Duration = Duration::from_secs(3600);

/// The attempts of one request, and when each ended.
pub(super) type Ended = Vec<(AttemptReport, Instant)>;

/// The attempts of many requests, in two ages: when the younger ones are too many or too old, they become the older ones, and
/// those from before are forgotten.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    young: OwnNames<RequestId, Ended>,
    old: OwnNames<RequestId, Ended>,
    /// Since when the younger ones are gathered.
    since: Option<Instant>,
}

impl Attempts {
    /// An attempt of a request has ended.
    pub(super) fn note(&mut self, request: &RequestId, report: &AttemptReport, now: Instant) {
        let since = *self.since.get_or_insert(now);
        if self.young.len() >= MOST || now.saturating_duration_since(since) >= LONGEST {
            self.old = mem::take(&mut self.young);
            self.since = Some(now);
        }
        let attempt = (report.clone(), now);
        if let Some(earlier) = self.old.get_mut(request) {
            earlier.push(attempt);
            return;
        }
        self.young
            .entry(request.clone())
            .or_insert_with(|| Vec::with_capacity(1))
            .push(attempt);
    }

    /// The attempts of a request, which are not needed here any more.
    pub(super) fn take(&mut self, request: &RequestId) -> Ended {
        let young = self.young.remove(request);
        let found = young.or_else(|| self.old.remove(request));
        found.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Attempts, LONGEST, MOST};
    use crate::event::{AttemptReport, Phase};
    use crate::outcome::Outcome;
    use crate::request::RequestId;

    fn report(number: usize) -> AttemptReport {
        AttemptReport {
            number,
            upstream: "a".into(),
            key: 0,
            model: None,
            scope_model: None,
            phase: Phase::Normal,
            outcome: Outcome::Success,
            detail: None,
            elapsed: Duration::ZERO,
            first_token: None,
            tokens: None,
        }
    }

    #[test]
    fn requests_that_nobody_takes_are_forgotten_the_oldest_first() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        let first = RequestId::random();
        attempts.note(&first, &report(1), now);
        let others: Vec<RequestId> = (0..3 * MOST).map(|_| RequestId::random()).collect();
        for (place, other) in others.iter().enumerate() {
            attempts.note(other, &report(1), now);
            assert!(
                attempts.young.len() + attempts.old.len() <= 2 * MOST,
                "{place}"
            );
        }
        assert!(attempts.take(&first).is_empty());
        assert_eq!(attempts.take(&others[3 * MOST - MOST]).len(), 1);
        assert!(attempts.take(&others[3 * MOST - MOST]).is_empty());
    }

    #[test]
    fn the_attempts_of_a_request_stay_together_for_as_long_as_it_may_last() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        let (long, other) = (RequestId::random(), RequestId::random());
        attempts.note(&long, &report(1), start);
        attempts.note(&other, &report(1), start + LONGEST);
        attempts.note(&long, &report(2), start + LONGEST);
        let numbers = attempts.take(&long).into_iter();
        let numbers: Vec<usize> = numbers.map(|(report, _)| report.number).collect();
        assert_eq!(numbers, [1, 2]);
        attempts.note(&long, &report(1), start + LONGEST);
        attempts.note(&other, &report(1), start + LONGEST * 2);
        attempts.note(&other, &report(2), start + LONGEST * 3);
        assert!(attempts.take(&long).is_empty());
    }
}
