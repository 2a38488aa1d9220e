//! Trying candidates until one answers.
//!
//! ```text
//!     ┌─▶ plan       the next target that health admits          none left: every attempt is told
//!     │   attempt    send, wait, look at what comes              within the deadline and its timers
//!     │   record     tell health and whoever listens
//!     └── failed?    on to the next target at once, without a pause
//!         commit     the first real content is there: the answer goes out
//!         supervise  to the last byte; a stream that breaks ends with an error, never as if it were whole
//! ```
//!
//! *Invariant:* nothing reaches the client before commit, and nothing changes upstream after it.

mod answer;
mod attempt;
mod commit;
mod deadline;
mod ending;
mod plan;
mod supervise;

use std::time::Duration;

use tokio::time::Instant;

pub use answer::{Answer, AnswerBody, Exhausted, PassedOver};
pub use supervise::SupervisedStream;

use self::deadline::Deadline;
use self::ending::{Lost, Won, WonBody};
use self::plan::{Plan, Target};
use crate::config::TimeoutsConfig;
use crate::event::{AttemptReport, Event, Events};
use crate::health::Permit;
use crate::outcome::{Outcome, Retry};
use crate::request::{ModelRequest, RequestId};
use crate::routing::Rule;

/// Runs requests against the candidates of a rule.
#[derive(Clone, Debug)]
pub struct Failover {
    timeouts: TimeoutsConfig,
    events: Events,
}

impl Failover {
    /// With these limits of patience, reporting to these listeners.
    pub fn new(timeouts: TimeoutsConfig, events: Events) -> Self {
        Self { timeouts, events }
    }

    /// Tries the candidates of a rule, best first, until one answers or says that the request itself is wrong.
    pub async fn run(&self, request: &ModelRequest, rule: &Rule) -> Result<Answer, Exhausted> {
        let deadline = Deadline::after(request.received_at, self.timeouts.total);
        let mut plan = Plan::new(rule, request, fastrand::f64);
        let mut trail = Trail::default();
        while let Some((target, permit)) = plan.next(Instant::now()) {
            self.report_failover(request, &trail, &target);
            let attempt = Running::start(self, request, &target, Some(permit), trail.next_number());
            match attempt::run(&self.timeouts, request, &target, &deadline).await {
                Ok(won) => return Ok(trail.answer(won, attempt, &deadline)),
                Err(lost) => {
                    let retry = lost.outcome.retry();
                    trail.push(attempt.finish(lost));
                    if retry == Retry::Never {
                        break;
                    }
                    plan.failed(retry);
                }
            }
        }
        Err(trail.exhausted(&plan))
    }

    /// Sends a request untouched to the first candidate, once, and the reply back untouched.
    pub async fn forward(&self, request: &ModelRequest, rule: &Rule) -> Result<Answer, Exhausted> {
        let deadline = Deadline::after(request.received_at, self.timeouts.total);
        let mut trail = Trail::default();
        let Some(target) = Target::first(rule) else {
            return Err(trail.exhausted(&Plan::new(rule, request, fastrand::f64)));
        };
        // What lives at this path is unknown, so neither good nor bad replies say anything about the models' health.
        let attempt = Running::start(self, request, &target, None, 1);
        match attempt::forward(&self.timeouts, request, &target, &deadline).await {
            Ok(won) => Ok(trail.answer(won, attempt, &deadline)),
            Err(lost) => {
                trail.push(attempt.finish(lost));
                Err(trail.exhausted(&Plan::new(rule, request, fastrand::f64)))
            }
        }
    }

    fn report_failover(&self, request: &ModelRequest, trail: &Trail, target: &Target<'_>) {
        if let Some(failed) = trail.attempts.last() {
            self.events.emit(&Event::FailedOver {
                request: request.id.clone(),
                from: failed.upstream.clone(),
                to: target.candidate.upstream.id().clone(),
                reason: failed.outcome.clone(),
            });
        }
    }
}

/// The attempts of one request so far.
#[derive(Debug, Default)]
struct Trail {
    attempts: Vec<AttemptReport>,
}

impl Trail {
    fn next_number(&self) -> usize {
        self.attempts.len() + 1
    }

    fn push(&mut self, report: AttemptReport) {
        self.attempts.push(report);
    }

    /// The answer that the last attempt won.
    fn answer(mut self, won: Won, attempt: Running, deadline: &Deadline) -> Answer {
        let served_by = attempt.upstream.clone();
        let report = attempt.report(won.outcome.clone(), None);
        self.attempts.push(report);
        let waited = self.attempts.iter().map(|attempt| attempt.elapsed).sum();
        let body = match won.body {
            WonBody::Whole(bytes) => {
                attempt.succeed(&won.outcome);
                AnswerBody::Whole(bytes)
            }
            WonBody::Stream(held) => AnswerBody::Stream(Box::new(SupervisedStream::new(
                *held,
                attempt,
                deadline.until(),
            ))),
        };
        Answer {
            status: won.status,
            headers: won.headers,
            body,
            served_by,
            attempts: self.attempts,
            waited,
        }
    }

    fn exhausted(self, plan: &Plan<'_>) -> Exhausted {
        Exhausted {
            attempts: self.attempts,
            passed_over: plan.passed_over(),
            retry_in: plan.retry_in(Instant::now()),
        }
    }
}

/// An attempt under way. Dropped without an end, it was given up because the client went away.
#[derive(Debug)]
struct Running {
    events: Events,
    request: RequestId,
    number: usize,
    upstream: crate::config::UpstreamId,
    permit: Option<Permit>,
    started_at: Instant,
    is_over: bool,
}

impl Running {
    fn start(
        failover: &Failover,
        request: &ModelRequest,
        target: &Target<'_>,
        permit: Option<Permit>,
        number: usize,
    ) -> Self {
        Self {
            events: failover.events.clone(),
            request: request.id.clone(),
            number,
            upstream: target.candidate.upstream.id().clone(),
            permit,
            started_at: Instant::now(),
            is_over: false,
        }
    }

    /// The first content has come.
    fn answered(&mut self) {
        if let Some(change) = self.permit.as_mut().and_then(Permit::answered) {
            self.events.emit(&Event::BreakerChanged(change));
        }
    }

    fn finish(self, lost: Lost) -> AttemptReport {
        self.end(lost.outcome, lost.detail)
    }

    fn succeed(self, outcome: &Outcome) {
        self.end(outcome.clone(), None);
    }

    fn end(mut self, outcome: Outcome, detail: Option<String>) -> AttemptReport {
        self.is_over = true;
        let change = self
            .permit
            .take()
            .and_then(|permit| permit.finish(&outcome, Instant::now()));
        let report = self.report(outcome, detail);
        self.emit(report.clone());
        if let Some(change) = change {
            self.events.emit(&Event::BreakerChanged(change));
        }
        report
    }

    fn report(&self, outcome: Outcome, detail: Option<String>) -> AttemptReport {
        AttemptReport {
            number: self.number,
            upstream: self.upstream.clone(),
            outcome,
            detail,
            elapsed: self.elapsed(),
        }
    }

    fn elapsed(&self) -> Duration {
        self.started_at.elapsed()
    }

    fn emit(&self, report: AttemptReport) {
        self.events.emit(&Event::AttemptFinished {
            request: self.request.clone(),
            report,
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over {
            self.emit(self.report(Outcome::ClientGone, None));
        }
    }
}
