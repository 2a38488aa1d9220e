//! The attempts of one request so far, and the error that they lead to.

use std::time::Duration;

use tokio::time::Instant;

use super::attempts::ending::ReceivedError;
use super::decisions::plan::AttemptPlan;
use super::decisions::target::Target;
use super::exhausted::Exhausted;
use crate::config::UpstreamId;
use crate::event::AttemptReport;

/// The attempts so far, and how long we waited for them.
#[derive(Debug, Default)]
pub(super) struct AttemptLog {
    pub(super) attempts: Vec<AttemptReport>,
    pub(super) waited: Duration,
    started: usize,
    last_start: Option<Instant>,
    last_took: Duration,
    /// How many attempts there were before.
    numbered_from: usize,
    /// The error that an upstream sent about the request.
    error: Option<ReceivedError>,
}

impl AttemptLog {
    /// Keeps an upstream's error about the request: the first choice's, else the first one that says that the request is
    /// wrong, else the first one.
    pub(super) fn received(&mut self, error: ReceivedError) {
        let is_replaced = |known: &ReceivedError| {
            !known.is_first_choices && !known.is_rejection && error.is_rejection
        };
        if error.is_first_choices || self.error.as_ref().is_none_or(is_replaced) {
            self.error = Some(error);
        }
    }

    /// Whether there is an answer in any case: the first choice's error about the request. To wait for a better one would
    /// keep the clients waiting whose request is wrong.
    pub(super) fn has_answer(&self) -> bool {
        self.error
            .as_ref()
            .is_some_and(|error| error.is_first_choices)
    }

    /// Counts an attempt that starts now, and returns its number, from 1.
    pub(super) fn begin(&mut self) -> usize {
        self.started += 1;
        self.last_start = Some(Instant::now());
        self.numbered_from + self.started
    }

    /// How many attempts have started.
    pub(super) fn started(&self) -> usize {
        self.started
    }

    /// When the last one started.
    pub(super) fn last_start(&self) -> Option<Instant> {
        self.last_start
    }

    /// An attempt failed after this time.
    pub(super) fn took(&mut self, elapsed: Duration) {
        self.last_took = elapsed;
    }

    /// How long the one took that failed last.
    pub(super) fn last_took(&self) -> Duration {
        self.last_took
    }

    /// The log of a request that has made so many attempts already.
    pub(super) fn after(started: usize) -> Self {
        Self {
            numbered_from: started,
            ..Self::default()
        }
    }

    /// The report on a request that nobody answered.
    pub(super) fn exhausted(self, plan: &AttemptPlan<'_>) -> Exhausted {
        let now = Instant::now();
        Exhausted {
            attempts: self.attempts,
            waited: self.waited,
            error: self.error,
            fault: plan.fault().cloned(),
            skipped: plan.skipped(now),
            retry_in: plan.retry_in(now),
            is_network_lost: plan.is_network_lost(),
            pinned_to: plan.pinned_to().cloned(),
        }
    }

    /// The report on a request that was forwarded to these targets without success.
    pub(super) fn in_vain(self, asked: &[Target<'_>], pinned_to: Option<&UpstreamId>) -> Exhausted {
        let now = Instant::now();
        let back_at = asked.iter().map(|target| target.back_at(now));
        Exhausted {
            attempts: self.attempts,
            waited: self.waited,
            error: None,
            fault: None,
            skipped: Vec::new(),
            retry_in: back_at.min().map(|at| at.saturating_duration_since(now)),
            is_network_lost: asked.iter().any(|target| target.health.is_network_lost()),
            pinned_to: pinned_to.cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{AttemptLog, ReceivedError};
    use crate::config::UpstreamId;
    use crate::failover::attempts::ending::UpstreamError;

    /// The status of the error that is kept of these: each with whether it is the first choice's, and whether it says that
    /// the request is wrong. And whether it is an answer in any case.
    fn kept(errors: &[(u16, bool, bool)]) -> (u16, bool) {
        let mut log = AttemptLog::default();
        for (status, is_first_choices, is_rejection) in errors {
            log.received(ReceivedError {
                upstream: UpstreamId::from("first"),
                error: Box::new(UpstreamError {
                    status: *status,
                    headers: HeaderMap::new(),
                    body: "{}".into(),
                }),
                is_first_choices: *is_first_choices,
                is_rejection: *is_rejection,
            });
        }
        let has_answer = log.has_answer();
        (log.error.unwrap().error.status, has_answer)
    }

    #[test]
    fn the_first_choices_error_is_kept_else_the_first_rejection_else_the_first_error() {
        let (first, rejection, other) =
            ((400, true, true), (422, false, true), (409, false, false));
        assert_eq!(kept(&[first, rejection, other]), (400, true));
        assert_eq!(kept(&[rejection, other, first]), (400, true));
        assert_eq!(kept(&[other, rejection]), (422, false));
        assert_eq!(kept(&[rejection, (413, false, true)]), (422, false));
        assert_eq!(kept(&[other, (404, false, false)]), (409, false));
    }

    #[test]
    fn attempts_are_numbered_from_one_and_on_in_a_continuation() {
        let mut log = AttemptLog::default();
        assert_eq!((log.started(), log.last_start()), (0, None));
        assert_eq!([log.begin(), log.begin()], [1, 2]);
        assert!(log.started() == 2 && log.last_start().is_some());
        let mut continuation = AttemptLog::after(2);
        assert_eq!([continuation.begin(), continuation.begin()], [3, 4]);
        assert_eq!(continuation.started(), 2);
    }
}
