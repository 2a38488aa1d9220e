//! What the attempts of one request have in common.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answers::continuability::{Continuability, continuability};
use super::attempts::attempt::Attempt;
use super::attempts::deadline::Deadline;
use super::attempts::in_flight::{Common, InFlightAttempt};
use super::decisions::budget::{Budget, Expense, Tokens};
use super::decisions::plan::AttemptPlan;
use super::decisions::queue::Queue;
use super::decisions::target::Target;
use super::engine::Failover;
use super::race::Racer;
use crate::config::Refusals;
use crate::dialect::continuation::Transcript;
use crate::dialect::{Asking, UpstreamRequest};
use crate::event::Phase;
use crate::health::{ModelHealth, Permit};
use crate::outcome::{Outcome, Retry};
use crate::request::{ClientPatience, Endpoint, ModelRequest};
use crate::routing::Rule;
use crate::wire::upload::{PIECE, Sending};

/// The bounds of [`margin`]. Who has less than twice the first gets half of its patience.
const MARGIN: Duration = Duration::from_millis(100);
const LONGEST_MARGIN: Duration = Duration::from_secs(1);
/// Libraries give a WebSocket's handshake 10 s, and do not say so: the error has to come before.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(5);

/// One request, and what its attempts have in common.
pub(super) struct Run<'a> {
    pub(super) failover: &'a Failover,
    pub(super) request: &'a ModelRequest,
    pub(super) rule: &'a Rule,
    pub(super) common: Common,
    /// Since when the client waits.
    begins: Instant,
    pub(super) deadline: Deadline,
    budget: Option<&'a Budget>,
    pub(super) queue: Option<&'a Queue>,
    pub(super) continuation: Option<Continuability>,
    transcript: Option<&'a Transcript>,
}

/// The candidate that is asked next.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    pub(super) choice: usize,
    pub(super) target: Target<'a>,
    /// How it is asked.
    pub(super) asking: Asking<'a>,
    /// Whether its model is known to think.
    pub(super) thinks: bool,
    /// The request in its API, if it has been put so already.
    pub(super) translated: Option<Box<UpstreamRequest>>,
    /// Whether there are others that could be asked.
    pub(super) has_others: bool,
}

impl<'a> Run<'a> {
    /// `transcript`: the part of a broken stream that the client has received, if the stream is to be continued.
    pub(super) async fn new(
        failover: &'a Failover,
        request: &'a ModelRequest,
        rule: &'a Rule,
        transcript: Option<&'a Transcript>,
    ) -> Self {
        let shared = failover.routes.get(&rule.route);
        // A stream that breaks off may have lasted for longer than a request may wait for its answer.
        let begins = transcript.map_or(request.received_at, |_| Instant::now());
        Self {
            failover,
            request,
            rule,
            common: failover.common(request),
            begins,
            deadline: Deadline::after(begins, rule.total),
            budget: shared.map(|shared| &shared.budget),
            queue: shared.map(|shared| &shared.queue),
            // A continuation is recorded as part of its stream.
            continuation: match transcript {
                None => continuability(request, rule, &failover.memory).await,
                Some(_) => None,
            },
            transcript,
        }
    }

    /// Counts the request at the route and at its candidates.
    pub(super) fn requested(&self, plan: &AttemptPlan<'_>, now: Instant) {
        plan.demand(now);
        if let Some(budget) = self.budget {
            budget.requested(now);
        }
    }

    /// The request has been answered.
    pub(super) fn succeeded(&self) {
        if let Some(budget) = self.budget {
            budget.succeeded();
        }
    }

    /// Takes what an attempt costs from the route's budget; false if there is not enough left.
    pub(super) fn pay(&self, expense: Option<Expense>) -> bool {
        match (expense, self.budget) {
            (Some(expense), Some(budget)) => budget.take(expense),
            (Some(_) | None, _) => true,
        }
    }

    /// Prepares an attempt. `phase`: why it runs, if it is not just the next one.
    pub(super) async fn attempt(
        &self,
        chosen: Chosen<'a>,
        permit: Permit,
        number: usize,
        phase: Option<Phase>,
    ) -> Racer<'a> {
        let target = chosen.target;
        let is_limited = target.candidate.upstream.seats().is_some();
        let sending = (is_limited || self.request.body.len() > PIECE).then(Sending::soon);
        let exchange = Attempt {
            timeouts: &target.candidate.timeouts,
            memory: &self.failover.memory,
            events: &self.failover.events,
            request: self.request,
            target,
            asking: chosen.asking,
            thinks: chosen.thinks,
            number,
            is_first_choice: self.rule.is_first(target.candidate),
            deadline: self.deadline,
            hold: self.rule.hold,
            refusals: self.rule.refusals,
            is_noted: matches!(self.continuation, Some(Continuability::Possible(_))),
            transcript: self.transcript,
            sending: sending.clone(),
            may_queue: !chosen.has_others,
        };
        let limit = exchange.limit();
        let translated = match chosen.translated.filter(|_| self.transcript.is_none()) {
            Some(translated) => Ok(*translated),
            None => exchange.translated().await,
        };
        // Boxed where it is made: it is large, and would be copied on its way.
        let exchange = Box::pin(exchange.run(translated));
        let mut attempt =
            InFlightAttempt::start(&self.common, &target, Some(permit), number, limit);
        attempt.sending(sending);
        if let Some(phase) = phase {
            attempt.in_phase(phase);
        }
        let hedge_after = match self.rule.is_hedged {
            true => attempt.hedge_after(),
            false => None,
        };
        Racer::new(chosen.choice, attempt, exchange, hedge_after)
    }

    /// What is left of the route's budget.
    pub(super) fn tokens(&self) -> Tokens {
        self.budget.map_or(Tokens::FULL, Budget::tokens)
    }

    /// When an answer is of no use any more. The client of a stream gets comments while it waits, so it waits on.
    pub(super) fn until(&self) -> Instant {
        let until = self.deadline.until();
        match self.request.patience.and_then(ClientPatience::said) {
            Some(said) if !self.request.streaming => {
                // The error must reach the client before it leaves.
                until.min(self.request.received_at + said - margin(said))
            }
            Some(_) | None => until,
        }
    }

    /// When the client is expected to give up, if that is known and before all time is over.
    pub(super) fn patience(&self) -> Option<Instant> {
        let patience = self.request.patience?;
        let gives_up = self.begins + patience.time();
        (gives_up < self.deadline.until()).then_some(gives_up)
    }

    /// How long the request may wait for somebody to open. Tokens are estimated at once instead.
    pub(super) fn wait(&self) -> Duration {
        match self.request.endpoint {
            _ if self.request.control.is_once => Duration::ZERO,
            Endpoint::CountTokens => Duration::ZERO,
            Endpoint::Realtime => self.rule.wait.min(HANDSHAKE_WAIT),
            _ => self.rule.wait,
        }
    }

    /// Whether somebody waits in the queue for this door.
    pub(super) fn is_awaited(&self, door: &Arc<ModelHealth>) -> bool {
        self.queue.is_some_and(|queue| queue.is_awaited(door))
    }

    /// Whether those who wait already go first. The rest of a stream that broke off is no new request.
    pub(super) fn may_give_way(&self) -> bool {
        self.transcript.is_none() && !self.wait().is_zero()
    }

    /// Whether this outcome rules out a failover.
    pub(super) fn is_final(&self, outcome: &Outcome) -> bool {
        let is_refusal = matches!(outcome, Outcome::ContentRefused { .. });
        let is_asked_elsewhere = is_refusal && self.rule.refusals == Refusals::Next;
        outcome.retry() == Retry::Never && !is_asked_elsewhere
    }
}

/// How long before a client gives up it gets its error.
fn margin(said: Duration) -> Duration {
    (said / 10).clamp(MARGIN.min(said / 2), LONGEST_MARGIN)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn the_error_comes_a_tenth_of_the_patience_before_its_end_within_bounds() {
        // (the client's patience, the margin), in milliseconds
        for (said, expected) in [
            (600_000, 1000),
            (10_000, 1000),
            (5_000, 500),
            (300, 100),
            (100, 50),
        ] {
            let margin = super::margin(Duration::from_millis(said));
            assert_eq!(margin, Duration::from_millis(expected), "{said} ms");
        }
    }
}
