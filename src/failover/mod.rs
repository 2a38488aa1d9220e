//! Trying candidates until one answers.
//!
//! ```text
//!     ┌─▶ plan       the next target that health admits          none left: an error with every attempt
//!     │   attempt    send, wait, check the reply                 within the deadline and its timers
//!     │   record     tell health and events
//!     └── failed?    on to the next target at once, without a pause
//!         commit     the first real content has come: the answer goes out
//!         supervise  to the last byte; a stream that breaks off ends with an error, never as if it were complete,
//!         resume     or continues at another upstream, if the route asks for it
//! ```
//!
//! A WebSocket takes the same steps: its `handshake` is the attempt, and a `relay` follows instead of a stream.
//!
//! *Invariant:* nothing of an answer reaches the client before commit; after it, only the rest of the same answer
//! does.

mod answer;
mod attempt;
mod budget;
mod commit;
mod deadline;
mod ending;
mod error_reply;
mod events;
mod explain;
mod forward;
mod handshake;
mod in_flight;
mod log;
mod opaque;
mod order;
mod outbound;
mod plan;
mod race;
mod relay;
mod resume;
mod segment;
mod supervise;
mod timers;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

pub use answer::{Answer, AnswerBody, Continuability, Exhausted, SkipReason, StreamEnd, Watched};
pub use explain::{Explained, explain};
pub use opaque::OpaqueStream;
pub use order::RoutingRequest;
pub use relay::{Relay, RelayEnd};
pub use supervise::SupervisedStream;

use self::attempt::Attempt;
use self::budget::{Budget, Expense};
use self::deadline::Deadline;
use self::ending::{AttemptAnswer, AttemptBody};
use self::forward::EVENTS;
use self::in_flight::{Common, InFlightAttempt};
use self::log::AttemptLog;
use self::order::order;
use self::plan::{AttemptPlan, Remaining, Target};
use self::race::{Alarm, Race, Racer, Step};
use self::resume::Resume;
use crate::affinity::Affinity;
use crate::config::{Refusals, TimeoutsConfig, UpstreamId};
use crate::dialect::openai::Transcript;
use crate::dialect::stream::StreamReader;
use crate::event::{Event, Events, Phase};
use crate::health::{Permit, Shape};
use crate::outcome::{Outcome, Retry};
use crate::request::{Endpoint, ModelRequest};
use crate::routing::Rule;
use crate::wire::headers::has_media_type;

/// No request makes more attempts than that, whatever happens.
const MOST_ATTEMPTS: usize = 3;

/// An error as the last events of a stream whose head has been sent. `error` is an error object in `OpenAI`'s shape.
pub fn error_events(endpoint: Endpoint, error: &serde_json::Value) -> Vec<u8> {
    StreamReader::new(endpoint).interruption(error)
}

/// Runs requests against the candidates of a rule.
#[derive(Clone, Debug)]
pub struct Failover {
    timeouts: Arc<TimeoutsConfig>,
    /// By the name of the route.
    budgets: Arc<HashMap<Arc<str>, Budget>>,
    affinity: Affinity,
    events: Events,
}

impl Failover {
    /// With these timeouts, a budget for each of these routes, recording who owns what, and reporting to these
    /// events.
    pub fn new(
        timeouts: TimeoutsConfig,
        routes: impl Iterator<Item = Arc<str>>,
        affinity: Affinity,
        events: Events,
    ) -> Self {
        let now = Instant::now();
        Self {
            timeouts: Arc::new(timeouts),
            budgets: Arc::new(routes.map(|route| (route, Budget::new(now))).collect()),
            affinity,
            events,
        }
    }

    /// The owner of an object that the request refers to, if it is known.
    pub fn owner(&self, request: &ModelRequest) -> Option<UpstreamId> {
        self.affinity.owner(request)
    }

    /// Tries the candidates of a rule, best first, until one answers or rejects the request itself.
    pub async fn run(
        self,
        request: Arc<ModelRequest>,
        rule: Arc<Rule>,
    ) -> Result<Answer, Exhausted> {
        let run = self.prepare(&request, &rule, None);
        let continuation = run.continuation;
        let plan = AttemptPlan::new(order(&rule, RoutingRequest::of(&request), fastrand::f64));
        let winner = match run.to_the_end(plan, AttemptLog::default()).await {
            Ok(winner) => winner,
            Err(exhausted) => return exhausted.or_upstream_error(),
        };
        let resume = matches!(continuation, Some(Continuability::Possible(_)))
            .then(|| Resume::new(&self, &request, &rule));
        Ok(winner.into_answer(&self.affinity, continuation, resume))
    }

    /// `transcript`: what the client has received from a stream that broke off and is to be continued.
    fn prepare<'a>(
        &'a self,
        request: &'a ModelRequest,
        rule: &'a Rule,
        transcript: Option<&'a Transcript>,
    ) -> Run<'a> {
        Run {
            failover: self,
            request,
            rule,
            common: self.common(request),
            deadline: Deadline::after(request.received_at, self.timeouts.total),
            budget: self.budgets.get(&rule.route),
            // What continues a stream is noted in that stream's transcript.
            continuation: match transcript {
                None => resume::continuability(request, rule),
                Some(_) => None,
            },
            transcript,
        }
    }

    fn common(&self, request: &ModelRequest) -> Common {
        Common {
            events: self.events.clone(),
            request: request.id.clone(),
            shape: match request.endpoint {
                Endpoint::Realtime => Shape::HANDSHAKE,
                _ => Shape {
                    is_streamed: request.streaming,
                    size: request.body.len(),
                },
            },
        }
    }
}

/// One request on its way through the candidates.
struct Run<'a> {
    failover: &'a Failover,
    request: &'a ModelRequest,
    rule: &'a Rule,
    common: Common,
    deadline: Deadline,
    budget: Option<&'a Budget>,
    continuation: Option<Continuability>,
    transcript: Option<&'a Transcript>,
}

/// The attempt that answered, and the attempts before it.
struct WinningAttempt {
    answer: AttemptAnswer,
    attempt: InFlightAttempt,
    log: AttemptLog,
}

impl<'a> Run<'a> {
    async fn to_the_end(
        &self,
        mut plan: AttemptPlan<'a>,
        mut log: AttemptLog,
    ) -> Result<WinningAttempt, Exhausted> {
        let mut race = Race::default();
        let mut is_hedge_due = false;
        self.requested(&plan);
        loop {
            if self.may_start(&race, &log, &mut plan, is_hedge_due)
                && let Some((target, permit)) = plan.next(Instant::now())
            {
                self.report_failover(&race, &log, &target);
                let beside = (!race.is_empty()).then_some(if is_hedge_due {
                    Phase::Hedge
                } else {
                    Phase::EjectionHedge
                });
                race.start(self.attempt(target, permit, log.begin(), beside));
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
                        let has_others = !race.is_empty() || plan.remaining() == Remaining::Trusted;
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

    /// `beside`: the reason why it runs beside another attempt.
    fn attempt(
        &self,
        target: Target<'a>,
        permit: Permit,
        number: usize,
        beside: Option<Phase>,
    ) -> Racer<'a> {
        let exchange = Attempt {
            timeouts: &self.failover.timeouts,
            request: self.request,
            target,
            is_first_choice: self.rule.is_first(target.candidate),
            deadline: self.deadline,
            hold: self.rule.hold,
            refusals: self.rule.refusals,
            is_noted: matches!(self.continuation, Some(Continuability::Possible(_))),
            transcript: self.transcript,
        };
        let limit = exchange.to_first_content();
        let mut attempt =
            InFlightAttempt::start(&self.common, &target, Some(permit), number, limit);
        if let Some(phase) = beside {
            attempt = attempt.beside(phase);
        }
        let hedge_after = attempt.hedge_after().filter(|_| self.rule.is_hedged);
        Racer::new(attempt, exchange.run(), hedge_after)
    }

    /// Whether another attempt may start now, and the budget pays for it.
    fn may_start(
        &self,
        race: &Race<'_>,
        log: &AttemptLog,
        plan: &mut AttemptPlan<'_>,
        is_hedge_due: bool,
    ) -> bool {
        let remaining = plan.remaining();
        if log.started() >= MOST_ATTEMPTS || remaining == Remaining::Nobody {
            return false;
        }
        let expense = if race.is_empty() {
            // The first attempt is free, and so is the first failover to a candidate that health admits.
            (log.started() >= 2 || log.started() == 1 && remaining == Remaining::LastResort)
                .then_some(Expense::Retry)
        } else if remaining == Remaining::LastResort {
            // A last resort would not answer sooner than the attempt that is under way.
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

    /// Whether no other candidate is to be asked after this outcome.
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

impl WinningAttempt {
    /// What the client gets. `resume`: how a stream continues if it breaks off.
    fn into_answer(
        self,
        affinity: &Affinity,
        continuation: Option<Continuability>,
        resume: Option<Resume>,
    ) -> Answer {
        let Self {
            answer,
            mut attempt,
            log,
        } = self;
        let served_by = attempt.upstream().clone();
        let is_stream = has_media_type(&answer.headers, EVENTS);
        let witness = answer
            .is_kept
            .then(|| affinity.witness(&served_by, is_stream));
        if let Some(place) = answer.created_at() {
            affinity.put_at(place, &served_by);
        }
        let mut attempts = log.attempts.clone();
        attempts.push(attempt.report(answer.outcome.clone(), None));
        let body = match answer.body {
            AttemptBody::Whole(bytes) => {
                if let Some(witness) = &witness {
                    witness.saw_whole(&bytes);
                }
                if answer.outcome == Outcome::Success {
                    attempt.answered(Instant::now());
                }
                attempt.end(answer.outcome, None);
                AnswerBody::Whole(bytes)
            }
            AttemptBody::Stream(held) => {
                let stream = SupervisedStream::new(*held, attempt, witness, log.attempts, resume);
                AnswerBody::Stream(Box::new(stream))
            }
            AttemptBody::Opaque(body) => {
                let tried = attempts.len();
                let stream = OpaqueStream::new(*body, answer.outcome, attempt, witness, tried);
                AnswerBody::Opaque(Box::new(stream))
            }
            AttemptBody::Upgraded(connection) => {
                AnswerBody::Relay(Box::new(Relay::new(connection, attempt)))
            }
        };
        Answer {
            status: answer.status,
            headers: answer.headers,
            body,
            served_by,
            attempts,
            waited: log.waited,
            dropped: answer.dropped,
            continuation,
        }
    }
}
