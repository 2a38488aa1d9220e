//! The attempts of one request so far, and the error that they lead to.

use std::time::Duration;

use tokio::time::Instant;

use super::attempts::ending::ReceivedError;
use super::decisions::plan::AttemptPlan;
use super::decisions::skip::SkipReason;
use super::decisions::target::Target;
use super::exhausted::Exhausted;
use crate::config::UpstreamId;
use crate::event::{AttemptReport, Event};
use crate::request::RequestId;

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
    /// Keeps what an upstream said: the first answer, though nothing is said in it; else its error about the request: the first
    /// choice's, else the first one that says that the request is wrong, else the first one.
    pub(super) fn received(&mut self, error: ReceivedError) {
        let is_better = |known: &ReceivedError| {
            error.is_first_choices
                || !known.is_first_choices && !known.is_rejection && error.is_rejection
        };
        let is_replaced =
            |known: &ReceivedError| !known.is_silent && (error.is_silent || is_better(known));
        if self.error.as_ref().is_none_or(is_replaced) {
            self.error = Some(error);
        }
    }

    /// Whether there is an answer in any case: one in which nothing is said, or the first choice's error about the request. To
    /// wait for a better one would keep the clients waiting whose request is wrong.
    pub(super) fn has_answer(&self) -> bool {
        self.error
            .as_ref()
            .is_some_and(|error| error.is_first_choices || error.is_silent)
    }

    /// Counts an attempt that starts now, and returns its number, from 1.
    pub(super) fn begin(&mut self, now: Instant) -> usize {
        self.started += 1;
        self.last_start = Some(now);
        self.numbered_from + self.started
    }

    /// What is reported when the next attempt is one at another upstream, in place of the one that has failed.
    pub(super) fn failover_to(&self, request: &RequestId, to: &UpstreamId) -> Option<Event> {
        let failed = self.attempts.last();
        let failed = failed.filter(|failed| failed.upstream != *to)?;
        Some(Event::FailedOver {
            request: request.clone(),
            from: failed.upstream.clone(),
            to: to.clone(),
            reason: failed.outcome.clone(),
        })
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

    /// The report on a request that nobody answered. `end`: why no more candidates were asked.
    pub(super) fn exhausted(self, plan: &mut AttemptPlan<'_>, end: SkipReason) -> Exhausted {
        plan.complete();
        let now = Instant::now();
        Exhausted {
            attempts: self.attempts,
            waited: self.waited,
            error: self.error,
            fault: plan.fault().cloned(),
            skipped: plan.skipped(end, now),
            retry_in: plan.retry_in(now),
            is_network_lost: plan.is_network_lost(),
            pinned_to: plan.pinned_to().cloned(),
            is_in_thread: plan.is_in_thread(),
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
            is_in_thread: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::AttemptLog;
    use crate::config::UpstreamId;
    use crate::failover::attempts::ending::{ReceivedError, UpstreamError};

    fn received(status: u16, is_first_choices: bool, is_rejection: bool) -> ReceivedError {
        let error = UpstreamError {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        ReceivedError {
            upstream: UpstreamId::default(),
            error: Box::new(error),
            place: 0,
            is_first_choices,
            is_silent: status == 200,
            is_rejection,
        }
    }

    #[test]
    fn an_answer_that_says_nothing_is_better_than_an_error() {
        let silent = || received(200, false, false);
        for (first, second, kept) in [
            (silent(), received(400, true, true), 200),
            (received(400, true, true), silent(), 200),
            (received(404, false, false), received(400, false, true), 400),
            (received(400, false, true), received(404, true, false), 404),
            (received(404, true, false), received(400, false, true), 404),
        ] {
            let mut log = AttemptLog::default();
            log.received(first);
            log.received(second);
            assert_eq!(
                log.error.as_ref().map(|known| known.error.status),
                Some(kept)
            );
            assert_eq!(log.has_answer(), kept != 400);
        }
    }
}
