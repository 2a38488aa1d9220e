//! Trying candidates until one answers.
//!
//! ```text
//!     ┌─▶ plan       the next target that health admits          none left: every attempt is told
//!     │   attempt    send, wait, look at what comes              within the deadline and its timers
//!     │   record     tell health and whoever listens
//!     └── failed?    on to the next target at once, without a pause
//!         commit     the first real content is there: the answer goes out
//!         supervise  to the last byte; a stream that breaks off ends with an error, never as if it were whole,
//!         resume     or goes on from another upstream, where the route asks for it
//! ```
//!
//! A WebSocket goes the same way: its `handshake` is the attempt, and what follows is a `relay` instead of a stream.
//!
//! *Invariant:* nothing of an answer reaches the client before commit; after it, only what continues it does.

mod answer;
mod attempt;
mod budget;
mod commit;
mod deadline;
mod ending;
mod events;
mod explain;
mod forward;
mod handshake;
mod leg;
mod opaque;
mod order;
mod outbound;
mod plan;
mod race;
mod refusal;
mod relay;
mod resume;
mod running;
mod supervise;
mod timers;
mod trail;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

pub use answer::{Answer, AnswerBody, Continuability, Exhausted, PassedOver, StreamEnd, Watched};
pub use explain::{Explained, explain};
pub use opaque::OpaqueStream;
pub use order::Ask;
pub use relay::{Relay, RelayEnd};
pub use supervise::SupervisedStream;

use self::attempt::Attempt;
use self::budget::{Budget, Expense};
use self::deadline::Deadline;
use self::ending::{Won, WonBody};
use self::forward::EVENTS;
use self::order::order;
use self::plan::{Left, Plan, Target};
use self::race::{Alarm, Contender, Race, Step};
use self::resume::Resume;
use self::running::{Common, Running};
use self::trail::Trail;
use crate::config::{Refusals, TimeoutsConfig, UpstreamId};
use crate::dialect::openai::Transcript;
use crate::dialect::stream::StreamReader;
use crate::event::{Event, Events, Phase};
use crate::health::{Permit, Shape};
use crate::outcome::{Outcome, Retry};
use crate::pins::Pins;
use crate::request::{Endpoint, ModelRequest};
use crate::routing::Rule;
use crate::wire::headers::has_media_type;

/// No request makes more calls than that, whatever happens.
const MOST_ATTEMPTS: usize = 3;

/// An error as the last events of a stream whose head has gone out already. `error` is an error object in `OpenAI`'s
/// shape.
pub fn error_events(endpoint: Endpoint, error: &serde_json::Value) -> Vec<u8> {
    StreamReader::new(endpoint).interruption(error)
}

/// Runs requests against the candidates of a rule.
#[derive(Clone, Debug)]
pub struct Failover {
    timeouts: Arc<TimeoutsConfig>,
    /// By the name of the route.
    budgets: Arc<HashMap<Arc<str>, Budget>>,
    pins: Pins,
    events: Events,
}

impl Failover {
    /// With these limits of patience, a budget for each of these routes, noting who creates what, reporting to these
    /// listeners.
    pub fn new(
        timeouts: TimeoutsConfig,
        routes: impl Iterator<Item = Arc<str>>,
        pins: Pins,
        events: Events,
    ) -> Self {
        let now = Instant::now();
        Self {
            timeouts: Arc::new(timeouts),
            budgets: Arc::new(routes.map(|route| (route, Budget::new(now))).collect()),
            pins,
            events,
        }
    }

    /// Where something that a request refers to lives, if that is known.
    pub fn creator(&self, request: &ModelRequest) -> Option<UpstreamId> {
        self.pins.creator(request)
    }

    /// Tries the candidates of a rule, best first, until one answers or says that the request itself is wrong.
    pub async fn run(
        self,
        request: Arc<ModelRequest>,
        rule: Arc<Rule>,
    ) -> Result<Answer, Exhausted> {
        let run = self.prepare(&request, &rule, None);
        let continuation = run.continuation;
        let plan = Plan::new(order(&rule, Ask::of(&request), fastrand::f64));
        let victory = match run.to_the_end(plan, Trail::default()).await {
            Ok(victory) => victory,
            Err(exhausted) => return exhausted.or_verdict(),
        };
        let resume = matches!(continuation, Some(Continuability::Possible(_)))
            .then(|| Resume::new(&self, &request, &rule));
        Ok(victory.into_answer(&self.pins, continuation, resume))
    }

    /// `said`: what the client has been told by a stream that broke off and is to be continued.
    fn prepare<'a>(
        &'a self,
        request: &'a ModelRequest,
        rule: &'a Rule,
        said: Option<&'a Transcript>,
    ) -> Run<'a> {
        Run {
            failover: self,
            request,
            rule,
            common: self.common(request),
            deadline: Deadline::after(request.received_at, self.timeouts.total),
            budget: self.budgets.get(&rule.route),
            // What goes on with a stream is noted as part of it.
            continuation: match said {
                None => resume::continuability(request, rule),
                Some(_) => None,
            },
            said,
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
    said: Option<&'a Transcript>,
}

/// An attempt that won, and how it came to that.
struct Victory {
    won: Won,
    attempt: Running,
    trail: Trail,
}

impl<'a> Run<'a> {
    async fn to_the_end(&self, mut plan: Plan<'a>, mut trail: Trail) -> Result<Victory, Exhausted> {
        let mut race = Race::default();
        let mut is_hedge_due = false;
        self.requested(&plan);
        loop {
            if self.may_start(&race, &trail, &mut plan, is_hedge_due)
                && let Some((target, permit)) = plan.next(Instant::now())
            {
                self.report_failover(&race, &trail, &target);
                let beside = (!race.is_empty()).then_some(if is_hedge_due {
                    Phase::Hedge
                } else {
                    Phase::Rescue
                });
                race.start(self.attempt(target, permit, trail.begin(), beside));
            }
            is_hedge_due = false;
            if race.is_empty() {
                return Err(trail.exhausted(&plan));
            }
            let waiting_since = Instant::now();
            let step = race.next().await;
            trail.waited += waiting_since.elapsed();
            match step {
                Step::Waits(alarm) => is_hedge_due = alarm == Alarm::Hedge,
                Step::Ended(ended) => match *ended {
                    (attempt, Ok(won)) => {
                        for loser in race.into_losers() {
                            trail.attempts.push(loser.end(Outcome::Superseded, None));
                        }
                        self.succeeded();
                        attempt.allowed(&won.headers);
                        return Ok(Victory {
                            won,
                            attempt,
                            trail,
                        });
                    }
                    (attempt, Err(lost)) => {
                        if let Some(verdict) = lost.verdict {
                            let is_first = !plan.has_refused();
                            trail.heard(attempt.upstream(), verdict, is_first, lost.is_doubtful);
                        }
                        plan.failed(attempt.upstream(), &lost.outcome);
                        let has_others = !race.is_empty() || plan.left() == Left::Trusted;
                        let is_asked_again = lost.is_doubtful && has_others;
                        let is_final = self.is_final(&lost.outcome) && !is_asked_again;
                        trail.attempts.push(attempt.end(lost.outcome, lost.detail));
                        if is_final {
                            return Err(trail.exhausted(&plan));
                        }
                    }
                },
            }
        }
    }

    /// `beside`: why it runs beside another attempt.
    fn attempt(
        &self,
        target: Target<'a>,
        permit: Permit,
        number: usize,
        beside: Option<Phase>,
    ) -> Contender<'a> {
        let exchange = Attempt {
            timeouts: &self.failover.timeouts,
            request: self.request,
            target,
            is_first_choice: self.rule.is_first(target.candidate),
            deadline: self.deadline,
            hold: self.rule.hold,
            refusals: self.rule.refusals,
            is_noted: matches!(self.continuation, Some(Continuability::Possible(_))),
            said: self.said,
        };
        let limit = exchange.to_first_content();
        let mut attempt = Running::start(&self.common, &target, Some(permit), number, limit);
        if let Some(phase) = beside {
            attempt = attempt.beside(phase);
        }
        let hedge_after = attempt.hedge_after().filter(|_| self.rule.is_hedged);
        Contender::new(attempt, exchange.run(), hedge_after)
    }

    /// Whether a further attempt may begin now, and can be paid for.
    fn may_start(
        &self,
        race: &Race<'_>,
        trail: &Trail,
        plan: &mut Plan<'_>,
        is_hedge_due: bool,
    ) -> bool {
        let left = plan.left();
        if trail.started() >= MOST_ATTEMPTS || left == Left::Nobody {
            return false;
        }
        let expense = if race.is_empty() {
            // The first attempt and the first failover to somebody who is trusted are free.
            (trail.started() >= 2 || trail.started() == 1 && left == Left::LastResort)
                .then_some(Expense::Retry)
        } else if left == Left::LastResort {
            // Nobody would answer sooner than the one that is waited for.
            return false;
        } else if race.needs_rescue() || is_hedge_due && race.is_single() {
            Some(Expense::Paid)
        } else {
            return false;
        };
        match (expense, self.budget) {
            (Some(expense), Some(budget)) => budget.take(expense),
            _ => true,
        }
    }

    /// Whether nobody else is to be asked after this.
    fn is_final(&self, outcome: &Outcome) -> bool {
        let is_refusal = matches!(outcome, Outcome::ContentRefused { .. });
        let is_asked_elsewhere = is_refusal && self.rule.refusals == Refusals::Next;
        outcome.retry() == Retry::Never && !is_asked_elsewhere
    }

    fn requested(&self, plan: &Plan<'_>) {
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

    fn report_failover(&self, race: &Race<'_>, trail: &Trail, target: &Target<'_>) {
        if let Some(failed) = trail.attempts.last().filter(|_| race.is_empty()) {
            self.failover.events.emit(&Event::FailedOver {
                request: self.common.request.clone(),
                from: failed.upstream.clone(),
                to: target.candidate.upstream.id().clone(),
                reason: failed.outcome.clone(),
            });
        }
    }
}

impl Victory {
    /// What the client gets. `resume`: how a stream goes on if it breaks off.
    fn into_answer(
        self,
        pins: &Pins,
        continuation: Option<Continuability>,
        resume: Option<Resume>,
    ) -> Answer {
        let Self {
            won,
            mut attempt,
            trail,
        } = self;
        let served_by = attempt.upstream().clone();
        let is_stream = has_media_type(&won.headers, EVENTS);
        let witness = won.is_kept.then(|| pins.witness(&served_by, is_stream));
        if let Some(place) = won.created_at() {
            pins.put_at(place, &served_by);
        }
        let mut attempts = trail.attempts.clone();
        attempts.push(attempt.report(won.outcome.clone(), None));
        let body = match won.body {
            WonBody::Whole(bytes) => {
                if let Some(witness) = &witness {
                    witness.saw_whole(&bytes);
                }
                if won.outcome == Outcome::Success {
                    attempt.answered(Instant::now());
                }
                attempt.end(won.outcome, None);
                AnswerBody::Whole(bytes)
            }
            WonBody::Stream(held) => {
                let stream = SupervisedStream::new(*held, attempt, witness, trail.attempts, resume);
                AnswerBody::Stream(Box::new(stream))
            }
            WonBody::Opaque(body) => {
                let tried = attempts.len();
                let stream = OpaqueStream::new(*body, won.outcome, attempt, witness, tried);
                AnswerBody::Opaque(Box::new(stream))
            }
            WonBody::Switched(connection) => {
                AnswerBody::Relay(Box::new(Relay::new(connection, attempt)))
            }
        };
        Answer {
            status: won.status,
            headers: won.headers,
            body,
            served_by,
            attempts,
            waited: trail.waited,
            dropped: won.dropped,
            continuation,
        }
    }
}
