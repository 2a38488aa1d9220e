//! The attempts of one request so far, and what they come to.

use std::time::Duration;

use tokio::time::Instant;

use super::answer::{Answer, AnswerBody, Exhausted};
use super::ending::{Won, WonBody};
use super::plan::Plan;
use super::running::Running;
use super::supervise::SupervisedStream;
use crate::event::AttemptReport;

/// What has been tried, and how long it was waited for.
#[derive(Debug, Default)]
pub(super) struct Trail {
    pub(super) attempts: Vec<AttemptReport>,
    pub(super) waited: Duration,
    started: usize,
}

impl Trail {
    /// The number of the attempt that begins now, from 1.
    pub(super) fn begin(&mut self) -> usize {
        self.started += 1;
        self.started
    }

    /// How many attempts have begun.
    pub(super) fn started(&self) -> usize {
        self.started
    }

    /// The answer that an attempt won.
    pub(super) fn answer(mut self, won: Won, mut attempt: Running, deadline: Instant) -> Answer {
        let served_by = attempt.upstream().clone();
        attempt.allowed(&won.headers);
        self.attempts
            .push(attempt.report(won.outcome.clone(), None));
        let body = match won.body {
            WonBody::Whole(bytes) => {
                if won.outcome == crate::outcome::Outcome::Success {
                    attempt.answered();
                }
                attempt.end(won.outcome, None);
                AnswerBody::Whole(bytes)
            }
            WonBody::Stream(held) => {
                AnswerBody::Stream(Box::new(SupervisedStream::new(*held, attempt, deadline)))
            }
        };
        Answer {
            status: won.status,
            headers: won.headers,
            body,
            served_by,
            attempts: self.attempts,
            waited: self.waited,
        }
    }

    /// The story of a request that nobody answered.
    pub(super) fn exhausted(self, plan: &Plan<'_>) -> Exhausted {
        Exhausted {
            attempts: self.attempts,
            passed_over: plan.passed_over(),
            retry_in: plan.retry_in(Instant::now()),
            is_network_lost: plan.is_network_lost(),
        }
    }
}
