//! Asking another upstream to continue a stream that broke off.

use std::sync::Arc;

use crate::catalogue::Prefill;
use crate::config::UpstreamId;
use crate::dialect::continuation::{Splicer, Transcript};
use crate::event::{AttemptReport, Event};
use crate::failover::attempts::ending::{AttemptBody, Held};
use crate::failover::attempts::in_flight::InFlightAttempt;
use crate::failover::course::Course;
use crate::failover::decisions::budget::Expense;
use crate::failover::decisions::order::{Fit, Order};
use crate::failover::decisions::plan::AttemptPlan;
use crate::failover::decisions::routing_request::RoutingRequest;
use crate::failover::engine::Failover;
use crate::failover::log::AttemptLog;
use crate::failover::run::Run;
use crate::failover::translation::reserve;
use crate::outcome::Outcome;
use crate::request::ModelRequest;
use crate::routing::Rule;
use crate::wire::offload;
use crate::wire::own_task::OwnTask;

/// No stream is continued more often.
const MOST_CONTINUATIONS: usize = 2;

/// What is needed to continue the stream of one request.
#[derive(Debug)]
pub(in crate::failover) struct Resume {
    failover: Failover,
    request: Arc<ModelRequest>,
    rule: Arc<Rule>,
    /// The upstreams whose streams broke off.
    broken: Vec<UpstreamId>,
}

/// Another upstream on its way to its first content. It is waited for by itself, as it must not seem slow while the client
/// reads slowly.
pub(super) type Resuming = OwnTask<Result<Resumed, NotResumed>>;

/// Another upstream continues.
#[derive(Debug)]
pub(super) struct Resumed {
    pub(super) held: Held,
    pub(super) attempt: Box<InFlightAttempt>,
    pub(super) splicer: Splicer,
    /// The attempts that failed before it.
    pub(super) attempts: Vec<AttemptReport>,
}

/// No upstream continues.
#[derive(Debug)]
pub(super) struct NotResumed {
    pub(super) reason: &'static str,
    pub(super) attempts: Vec<AttemptReport>,
}

impl Resume {
    pub(in crate::failover) fn new(
        failover: &Failover,
        request: &Arc<ModelRequest>,
        rule: &Arc<Rule>,
    ) -> Self {
        Self {
            failover: failover.clone(),
            request: Arc::clone(request),
            rule: Arc::clone(rule),
            broken: Vec::new(),
        }
    }

    /// Starts to ask for the rest of what the client has received, after so many attempts; returns why not, if that
    /// makes no sense.
    pub(super) fn begin(
        &mut self,
        transcript: Option<&Transcript>,
        broken: UpstreamId,
        attempts: usize,
    ) -> Result<Resuming, &'static str> {
        let transcript = transcript.ok_or("no text")?;
        if let Some(obstacle) = transcript.obstacle() {
            return Err(obstacle);
        }
        if self.broken.len() >= MOST_CONTINUATIONS {
            return Err("it broke off too often");
        }
        self.broken.push(broken);
        let next = Next {
            failover: self.failover.clone(),
            request: Arc::clone(&self.request),
            rule: Arc::clone(&self.rule),
            broken: self.broken.clone(),
            unwilling: Vec::new(),
            transcript: transcript.clone(),
        };
        Ok(OwnTask::start(next.ask(attempts)))
    }
}

/// One continuation.
struct Next {
    failover: Failover,
    request: Arc<ModelRequest>,
    rule: Arc<Rule>,
    broken: Vec<UpstreamId>,
    /// The upstreams that did not accept the prefill.
    unwilling: Vec<UpstreamId>,
    transcript: Transcript,
}

impl Next {
    async fn ask(mut self, already: usize) -> Result<Resumed, NotResumed> {
        let mut attempts = Vec::new();
        loop {
            let not = |reason, attempts| Err(NotResumed { reason, attempts });
            let mut plan = self.plan().await;
            // Whoever was unwilling may have been the last.
            if plan.is_empty() {
                return not("no candidate could continue it", attempts);
            }
            if !self.can_pay() {
                return not("the route's budget is used up", attempts);
            }
            let transcript = Some(&self.transcript);
            let run = Run::new(&self.failover, &self.request, &self.rule, transcript).await;
            let log = AttemptLog::after(already + attempts.len());
            let winner = match Course::new(&run, plan, log).finish().await {
                Ok(winner) => winner,
                Err(exhausted) => {
                    attempts.extend(exhausted.attempts);
                    return not("no candidate could continue it", attempts);
                }
            };
            attempts.extend(winner.log.attempts);
            let upstream = winner.attempt.upstream().clone();
            match winner.answer.body {
                AttemptBody::Stream(held) if winner.answer.outcome == Outcome::Success => {
                    self.report(upstream);
                    return Ok(Resumed {
                        splicer: self.splicer(held.prefill).await,
                        held: *held,
                        attempt: winner.attempt,
                        attempts,
                    });
                }
                // It did not accept the prefill as its last message.
                _ => {
                    attempts.push(winner.attempt.end(winner.answer.outcome, None));
                    self.unwilling.push(upstream);
                }
            }
        }
    }

    /// The text so far is billed once more.
    fn can_pay(&self) -> bool {
        let shared = self.failover.routes.get(&self.rule.route);
        shared.is_none_or(|shared| shared.budget.take(Expense::PAID))
    }

    async fn splicer(&self, prefill: Prefill) -> Splicer {
        let body = &self.request.body;
        offload::run(body.len(), || {
            // What has gone out must go on, so it is read even if the memory is used up.
            let _share = reserve(body, &self.failover.memory);
            Splicer::new(body, &self.transcript, prefill)
        })
        .await
    }

    async fn plan(&self) -> AttemptPlan<'_> {
        let request = RoutingRequest {
            continuation: self.rule.continuation,
            ..RoutingRequest::of(&self.request)
        };
        let is_in = |list: &[UpstreamId], fit: &Fit<'_>| list.contains(fit.candidate.upstream.id());
        let order = offload::scan(self.request.body.len(), || {
            let mut order = Order::new(&self.rule, request, fastrand::f64);
            order.settle(|candidates| {
                candidates.retain(|fit| !is_in(&self.unwilling, fit));
                // Whose stream broke off is asked only when nobody else can go on.
                candidates.sort_by_key(|fit| is_in(&self.broken, fit));
            });
            order
        })
        .await;
        AttemptPlan::new(order, &self.failover.memory)
    }

    fn report(&self, to: UpstreamId) {
        if let Some(from) = self.broken.last() {
            self.failover.events.emit(&Event::Continued {
                request: self.request.id.clone(),
                from: from.clone(),
                to,
            });
        }
    }
}
