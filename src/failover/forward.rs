//! Requests that are not understood: they are forwarded unchanged, and so are the replies, except that an error never
//! repeats our key.
//!
//! They are sent once, because nobody knows what a second time would do. There are these exceptions:
//!
//! - If nothing could be sent, or if the path stores nothing, another candidate is asked; beside the first one, if the
//!   client would not wait until that one has failed.
//! - If an upstream has no such path, or does not have what the client wants to read, it has done nothing, and another
//!   candidate may have it.
//! - If the first key is refused (401, 402, 403, 429), nothing has happened, and another key of the same upstream is
//!   asked.
//!
//! Replies at such paths are no evidence about the health of models, good or bad.

use bytes::Bytes;
use http::Method;
use tokio::time::Instant;

use super::answers::answer::Answer;
use super::attempts::ending::{
    AttemptAnswer, AttemptBody, Ended, Failure, ReceivedError, UpstreamError,
};
use super::attempts::forwarded::ForwardedAttempt;
use super::attempts::in_flight::InFlightAttempt;
use super::course::WinningAttempt;
use super::decisions::decide::{InFlight, Next, Situation, next};
use super::decisions::target::Target;
use super::decisions::targets::{Targets, is_stateless};
use super::engine::Failover;
use super::exhausted::Exhausted;
use super::log::AttemptLog;
use super::race::{Race, Racer, Step};
use super::run::Run;
use crate::event::Phase;
use crate::outcome::{Blame, Outcome};
use crate::request::ModelRequest;
use crate::routing::{Candidate, Rule};
use crate::wire::alarm::within;

impl Failover {
    /// Forwards a request to the owner of what it refers to, or to the candidates that speak its API, and returns the
    /// reply unchanged.
    pub async fn forward(&self, request: &ModelRequest, rule: &Rule) -> Result<Answer, Exhausted> {
        let run = Run::new(self, request, rule, None).await;
        let forwarding = Forwarding {
            run: &run,
            targets: Targets::new(rule, request),
            asked: Vec::new(),
            log: AttemptLog::default(),
            race: Race::default(),
            refusal: None,
        };
        forwarding.finish().await
    }
}

/// How far a request has got.
struct Forwarding<'r, 'a> {
    run: &'r Run<'a>,
    targets: Targets<'a>,
    asked: Vec<Target<'a>>,
    log: AttemptLog,
    race: Race<'a>,
    /// The answer, if nobody has a better one.
    refusal: Option<Refusal>,
}

/// A refusal after which others were asked.
struct Refusal {
    weight: Weight,
    received: ReceivedError,
}

/// How much an error says about the request, from little to much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// There is nothing at this path.
    Lacking,
    /// The upstream has failed.
    Failing,
    /// The API itself refuses the request.
    Refusing,
}

impl<'a> Forwarding<'_, 'a> {
    /// Goes on until there is an answer, or nobody is left.
    async fn finish(mut self) -> Result<Answer, Exhausted> {
        let mut next = self.targets.next_candidate();
        loop {
            if let Some(target) = next {
                self.start(target);
            }
            if self.race.is_empty() {
                return Answer::or_upstream_error(self.in_vain());
            }
            next = match self.step().await {
                None => self.targets.next_candidate(),
                Some((place, ended)) => match self.ended(place, ended) {
                    Ok(winner) => {
                        return Ok(Answer::of(winner, self.run.failover, None, None, None));
                    }
                    Err(next) => next,
                },
            };
        }
    }

    fn start(&mut self, target: Target<'a>) {
        let Run {
            failover,
            request,
            rule,
            ..
        } = *self.run;
        let number = self.log.begin(Instant::now());
        let exchange = ForwardedAttempt {
            memory: &failover.memory,
            events: &failover.events,
            request,
            target,
            number,
            model: known_as(rule, target.candidate, request),
            deadline: self.run.deadline,
            may_queue: self.targets.may_queue(),
        };
        let limit = exchange.limit();
        let mut attempt = InFlightAttempt::start(&self.run.common, &target, None, number, limit);
        let to = target.candidate.upstream.id();
        if !self.race.is_empty() {
            attempt.in_phase(Phase::PatienceHedge);
        } else if let Some(event) = self.log.failover_to(&request.id, to) {
            failover.events.emit(&event);
        }
        let choice = self.asked.len();
        self.asked.push(target);
        self.race
            .start(Racer::new(choice, attempt, Box::pin(exchange.run()), None));
    }

    /// Waits until an attempt has ended; `None`: it is time for one beside it.
    async fn step(&mut self) -> Option<(usize, Ended)> {
        loop {
            let step = match self.beside() {
                Next::Start { expense, .. } if self.run.pay(expense) => return None,
                Next::Await { alarm: Some(alarm) } => within(alarm, self.race.next()).await,
                _ => Some(self.race.next().await),
            };
            if let Some(Step::Ended(place, ended)) = step {
                self.log.waited = self.run.request.received_at.elapsed();
                return Some((place, ended));
            }
        }
    }

    /// Whether one more attempt starts beside those in flight, by the same rule as for all requests.
    fn beside(&self) -> Next {
        let is_alone = self.run.request.control.is_once || !is_stateless(self.run.request);
        if is_alone {
            return Next::Await { alarm: None };
        }
        let now = Instant::now();
        let choices = self.targets.choices();
        next(&Situation {
            now,
            until: self.run.until(),
            patience: self.run.patience(),
            wait_until: now,
            choices: &choices,
            started: self.log.started(),
            last_start: self.log.last_start().unwrap_or(now),
            last_took: self.log.last_took(),
            in_flight: InFlight {
                count: self.race.len(),
                ..InFlight::default()
            },
            tokens: self.run.tokens(),
            has_turn: false,
        })
    }

    /// The attempt at this place has ended: with the answer, or with whom to ask now.
    fn ended(&mut self, place: usize, ended: Ended) -> Result<WinningAttempt, Option<Target<'a>>> {
        let (choice, attempt) = self.race.take(place).into_attempt();
        let target = self.asked[choice];
        let outcome = match &ended {
            Ok(answer) => &answer.outcome,
            Err(failure) => &failure.outcome,
        };
        let is_elsewhere = ended
            .as_ref()
            .is_ok_and(|answer| self.may_be_elsewhere(answer));
        let is_worth_another = !self.run.request.control.is_once
            && self.targets.may_do_better(target, outcome, is_elsewhere);
        let next = match is_worth_another && Instant::now() < self.run.until() {
            true => self.targets.after(target, outcome, is_elsewhere),
            false => None,
        };
        let is_last = !is_worth_another || next.is_none() && self.race.is_empty();
        let failure = match ended {
            Ok(answer) if is_last && self.stands(&answer) => {
                return Ok(self.won(answer, attempt));
            }
            Ok(answer) => self.refused(*answer, &target, is_elsewhere),
            Err(failure) => failure,
        };
        self.log.took(attempt.elapsed());
        self.log
            .attempts
            .push(attempt.end(failure.outcome, failure.detail));
        Err(next)
    }

    /// Whether an upstream has done nothing, because it has no such path, or not what the client wants to read: another one
    /// may have it.
    fn may_be_elsewhere(&self, answer: &AttemptAnswer) -> bool {
        let request = self.run.request;
        let is_read = matches!(request.method, Method::GET | Method::HEAD);
        answer.is_lacking || is_read && answer.status == 404 && !is_stateless(request)
    }

    /// Whether an answer is a better one than all refusals before.
    fn stands(&self, answer: &AttemptAnswer) -> bool {
        let refusal = self.refusal.as_ref();
        answer.outcome == Outcome::Success
            || refusal.is_none_or(|refusal| refusal.weight < Weight::of(answer))
    }

    /// Keeps a refusal that may become the answer: the first one of those that say most.
    fn refused(
        &mut self,
        answer: AttemptAnswer,
        target: &Target<'_>,
        is_elsewhere: bool,
    ) -> Failure {
        let weight = Weight::of(&answer);
        let is_answer = (is_elsewhere || weight == Weight::Refusing) && self.stands(&answer);
        let body = match answer.body {
            AttemptBody::Whole(body) => body,
            _ if self.run.request.method == Method::HEAD => Bytes::new(),
            _ => return answer.outcome.into(),
        };
        let error = UpstreamError {
            status: answer.status,
            headers: answer.headers,
            body,
        };
        let mut failure = Failure::by_upstream_error(answer.outcome, error);
        if let Some(error) = failure.error.take().filter(|_| is_answer) {
            let received = ReceivedError {
                upstream: target.candidate.upstream.id().clone(),
                error,
                place: self.log.attempts.len(),
                is_first_choices: true,
                is_silent: false,
                is_rejection: weight == Weight::Refusing,
            };
            self.refusal = Some(Refusal { weight, received });
        }
        failure
    }

    fn won(&mut self, answer: Box<AttemptAnswer>, attempt: Box<InFlightAttempt>) -> WinningAttempt {
        if answer.outcome == Outcome::Success && is_stateless(self.run.request) {
            self.run.succeeded();
        }
        let log = std::mem::take(&mut self.log);
        let race = std::mem::take(&mut self.race);
        WinningAttempt::new(answer, attempt, log, race, None)
    }

    fn in_vain(self) -> Exhausted {
        let pinned_to = self.run.request.pinned_to.as_ref();
        let mut exhausted = self.log.in_vain(&self.asked, pinned_to);
        exhausted.skipped = self.targets.into_taken_out();
        exhausted.error = self.refusal.map(|refusal| refusal.received);
        exhausted
    }
}

impl Weight {
    fn of(answer: &AttemptAnswer) -> Self {
        match answer.outcome.blame() {
            _ if answer.is_lacking => Self::Lacking,
            Blame::Client => Self::Refusing,
            _ => Self::Failing,
        }
    }
}

/// The candidate's name for the model, if this rule is about that model: the rule may have been chosen only because
/// it leads to the owner.
fn known_as<'a>(rule: &Rule, candidate: &'a Candidate, request: &ModelRequest) -> Option<&'a str> {
    let model = candidate.model.as_deref();
    model.filter(|_| rule.pattern.matches(request.model_name()))
}
