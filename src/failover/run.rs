//! The attempts of one request.

use tokio::time::Instant;

use super::attempt::Attempt;
use super::budget::{Budget, Expense};
use super::continuability::{Continuability, continuability};
use super::deadline::Deadline;
use super::ending::AttemptAnswer;
use super::engine::Failover;
use super::exhausted::Exhausted;
use super::in_flight::{Common, InFlightAttempt};
use super::log::AttemptLog;
use super::plan::{AttemptPlan, Remaining, Target};
use super::race::{Alarm, Race, Racer, Step};
use crate::config::Refusals;
use crate::dialect::openai::Transcript;
use crate::event::{Event, Phase};
use crate::health::Permit;
use crate::outcome::{Outcome, Retry};
use crate::request::ModelRequest;
use crate::routing::Rule;
use crate::wire::upload::{PIECE, Sending};

/// The most attempts that a request makes.
pub(super) const MOST_ATTEMPTS: usize = 3;

/// The attempts of one request.
pub(super) struct Run<'a> {
    failover: &'a Failover,
    request: &'a ModelRequest,
    rule: &'a Rule,
    common: Common,
    deadline: Deadline,
    budget: Option<&'a Budget>,
    pub(super) continuation: Option<Continuability>,
    transcript: Option<&'a Transcript>,
}

/// The attempt that won, and the log of all attempts.
pub(super) struct WinningAttempt {
    pub(super) answer: AttemptAnswer,
    pub(super) attempt: InFlightAttempt,
    pub(super) log: AttemptLog,
}

impl<'a> Run<'a> {
    /// `transcript`: the part of a broken stream that the client has received, if the stream is to be continued.
    pub(super) async fn new(
        failover: &'a Failover,
        request: &'a ModelRequest,
        rule: &'a Rule,
        transcript: Option<&'a Transcript>,
    ) -> Self {
        // A stream that breaks off may have lasted for longer than a request may wait for its answer.
        let begins = transcript.map_or(request.received_at, |_| Instant::now());
        Self {
            failover,
            request,
            rule,
            common: failover.common(request),
            deadline: Deadline::after(begins, rule.total),
            budget: failover.budgets.get(&rule.route),
            // A continuation is recorded as part of its stream.
            continuation: match transcript {
                None => continuability(request, rule, &failover.memory).await,
                Some(_) => None,
            },
            transcript,
        }
    }

    pub(super) async fn to_the_end(
        &self,
        mut plan: AttemptPlan<'a>,
        mut log: AttemptLog,
    ) -> Result<WinningAttempt, Exhausted> {
        let mut race = Race::default();
        let mut is_hedge_due = false;
        self.requested(&plan);
        loop {
            let remaining = plan.remaining().await;
            if self.may_start(&race, &log, remaining, is_hedge_due)
                && let Some((target, permit)) = plan.next(Instant::now()).await
            {
                self.report_failover(&race, &log, &target);
                let beside = (!race.is_empty()).then_some(if is_hedge_due {
                    Phase::Hedge
                } else {
                    Phase::EjectionHedge
                });
                let attempt = self.attempt(target, permit, log.begin(), beside);
                race.start(attempt.await);
            }
            is_hedge_due = false;
            if race.is_empty() {
                return Err(log.exhausted(&plan));
            }
            let waiting_since = Instant::now();
            let step = race.next().await;
            log.waited += waiting_since.elapsed();
            match step {
                Step::Waits(alarm) => is_hedge_due = alarm == Alarm::Hedge,
                Step::Ended(ended) => match *ended {
                    (attempt, Ok(answer)) => {
                        for loser in race.into_losers() {
                            log.attempts.push(loser.end(Outcome::Superseded, None));
                        }
                        self.succeeded();
                        attempt.note_rate_limit(&answer.headers);
                        return Ok(WinningAttempt {
                            answer,
                            attempt,
                            log,
                        });
                    }
                    (attempt, Err(failure)) => {
                        if let Some(error) = failure.error {
                            let is_first = !plan.has_refused();
                            log.received(attempt.upstream(), error, is_first, failure.is_doubtful);
                        }
                        plan.failed(attempt.upstream(), &failure.outcome);
                        let has_others =
                            !race.is_empty() || plan.remaining().await == Remaining::Trusted;
                        let is_asked_again = failure.is_doubtful && has_others;
                        let is_final = self.is_final(&failure.outcome) && !is_asked_again;
                        log.attempts
                            .push(attempt.end(failure.outcome, failure.detail));
                        if is_final {
                            return Err(log.exhausted(&plan));
                        }
                    }
                },
            }
        }
    }

    /// `beside`: why it runs at the same time as another attempt.
    async fn attempt(
        &self,
        target: Target<'a>,
        permit: Permit,
        number: usize,
        beside: Option<Phase>,
    ) -> Racer<'a> {
        let sending = (self.request.body.len() > PIECE).then(Sending::soon);
        let exchange = Attempt {
            timeouts: &target.candidate.timeouts,
            memory: &self.failover.memory,
            request: self.request,
            target,
            is_first_choice: self.rule.is_first(target.candidate),
            deadline: self.deadline,
            hold: self.rule.hold,
            refusals: self.rule.refusals,
            is_noted: matches!(self.continuation, Some(Continuability::Possible(_))),
            transcript: self.transcript,
            sending: sending.clone(),
        };
        let limit = exchange.limit();
        let translated = exchange.translated().await;
        let mut attempt =
            InFlightAttempt::start(&self.common, &target, Some(permit), number, limit)
                .sending(sending);
        if let Some(phase) = beside {
            attempt = attempt.beside(phase);
        }
        let hedge_after = attempt.hedge_after().filter(|_| self.rule.is_hedged);
        Racer::new(attempt, exchange.run(translated), hedge_after)
    }

    /// Whether another attempt may start now. If it costs a budget token, takes the token.
    fn may_start(
        &self,
        race: &Race<'_>,
        log: &AttemptLog,
        remaining: Remaining,
        is_hedge_due: bool,
    ) -> bool {
        if log.started() >= MOST_ATTEMPTS || remaining == Remaining::Nobody {
            return false;
        }
        let expense = if race.is_empty() {
            // The first attempt and the first failover to a healthy candidate are free.
            (log.started() >= 2 || log.started() == 1 && remaining == Remaining::LastResort)
                .then_some(Expense::Retry)
        } else if remaining == Remaining::LastResort {
            // A candidate of last resort would not answer sooner than the one in flight.
            return false;
        } else if race.needs_ejection_hedge() || is_hedge_due && race.is_single() {
            Some(Expense::Paid)
        } else {
            return false;
        };
        match (expense, self.budget) {
            (Some(expense), Some(budget)) => budget.take(expense),
            _ => true,
        }
    }

    /// Whether this outcome rules out a failover.
    fn is_final(&self, outcome: &Outcome) -> bool {
        let is_refusal = matches!(outcome, Outcome::ContentRefused { .. });
        let is_asked_elsewhere = is_refusal && self.rule.refusals == Refusals::Next;
        outcome.retry() == Retry::Never && !is_asked_elsewhere
    }

    fn requested(&self, plan: &AttemptPlan<'_>) {
        let now = Instant::now();
        plan.demand(now);
        if let Some(budget) = self.budget {
            budget.requested(now);
        }
    }

    fn succeeded(&self) {
        if let Some(budget) = self.budget {
            budget.succeeded();
        }
    }

    fn report_failover(&self, race: &Race<'_>, log: &AttemptLog, target: &Target<'_>) {
        if let Some(failed) = log.attempts.last().filter(|_| race.is_empty()) {
            self.failover.events.emit(&Event::FailedOver {
                request: self.common.request.clone(),
                from: failed.upstream.clone(),
                to: target.candidate.upstream.id().clone(),
                reason: failed.outcome.clone(),
            });
        }
    }
}
