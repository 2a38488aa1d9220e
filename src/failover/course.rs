//! The course of one request: decides what comes next, does it, and notes what came of it, until there is an answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::attempts::ending::{AttemptAnswer, Ended, Failure, ReceivedError};
use super::attempts::in_flight::InFlightAttempt;
use super::decisions::budget::Expense;
use super::decisions::decide::{InFlight, Next, Situation, StartReason, at_once, next};
use super::decisions::entry::Force;
use super::decisions::plan::AttemptPlan;
use super::decisions::queue::Place;
use super::decisions::skip::SkipReason;
use super::decisions::target::Target;
use super::exhausted::Exhausted;
use super::log::AttemptLog;
use super::race::{Alarm, Race, Step};
use super::run::{Chosen, Run};
use super::waiting::{Waiting, unawaited};
use crate::config::UpstreamId;
use crate::event::{Event, InPlaceOf, Phase};
use crate::health::{ModelHealth, Permit};
use crate::outcome::Outcome;
use crate::wire::alarm::within;
use crate::wire::offload;

/// How far a request has got.
pub(super) struct Course<'r, 'a> {
    run: &'r Run<'a>,
    plan: AttemptPlan<'a>,
    log: AttemptLog,
    race: Race<'a>,
    /// Whether the attempt in flight is so late that the route hedges.
    is_late: bool,
    /// When the request began to wait, and its place in the queue.
    waiting: Option<Waiting<'a>>,
    has_turn: bool,
    /// The candidates whose rejection is doubted.
    doubted: Vec<usize>,
}

/// The attempt that won, and the log of all attempts.
pub(super) struct WinningAttempt {
    pub(super) answer: Box<AttemptAnswer>,
    pub(super) attempt: Box<InFlightAttempt>,
    pub(super) log: AttemptLog,
    /// Who should have answered, if somebody else did.
    pub(super) in_place_of: Option<InPlaceOf>,
}

impl WinningAttempt {
    /// `race`: those that are still in flight come too late.
    pub(super) fn new(
        answer: Box<AttemptAnswer>,
        attempt: Box<InFlightAttempt>,
        mut log: AttemptLog,
        race: Race<'_>,
        in_place_of: Option<InPlaceOf>,
    ) -> Self {
        for loser in race.into_losers() {
            log.attempts.push(loser.superseded_by(attempt.elapsed()));
        }
        Self {
            answer,
            attempt,
            log,
            in_place_of,
        }
    }
}

impl<'r, 'a> Course<'r, 'a> {
    pub(super) fn new(run: &'r Run<'a>, plan: AttemptPlan<'a>, log: AttemptLog) -> Self {
        Self {
            run,
            plan,
            log,
            race: Race::default(),
            is_late: false,
            waiting: None,
            has_turn: false,
            doubted: Vec::new(),
        }
    }

    /// Finds the first candidate. A large request waits for its turn to be looked at.
    pub(super) async fn find_first(&mut self) {
        let size = self.run.request.body.len();
        offload::scan(size, || self.plan.has(0)).await;
    }

    /// Goes on until there is an answer, or nothing can help any more.
    pub(super) async fn finish(&mut self) -> Result<WinningAttempt, Exhausted> {
        let mut now = Instant::now();
        self.run.requested(&self.plan, now);
        loop {
            match self.next(now) {
                Next::Start {
                    choice,
                    expense,
                    reason,
                } => self.start(choice, expense, reason).await,
                Next::Await { alarm } => {
                    if let Some((place, result)) = self.step(alarm, now).await
                        && let Some(end) = self.ended(place, result).await
                    {
                        return match end {
                            End::Answered(choice, answer, attempt) => {
                                Ok(self.won(choice, answer, attempt))
                            }
                            End::Final => Err(self.exhausted()),
                        };
                    }
                }
                Next::Pause { until } => sleep_until(until).await,
                Next::Queue { opens_at } => self.queue(opens_at, None).await,
                Next::Done => return Err(self.exhausted()),
            }
            now = Instant::now();
        }
    }

    fn exhausted(&mut self) -> Exhausted {
        let end = if self.run.request.control.is_once {
            SkipReason::OneAttempt
        } else if Instant::now() >= self.run.until() {
            SkipReason::NoTime
        } else {
            SkipReason::NoBudget
        };
        std::mem::take(&mut self.log).exhausted(&mut self.plan, end)
    }

    fn next(&mut self, now: Instant) -> Next {
        if self.run.request.control.is_once && self.log.started() > 0 {
            return match self.race.is_empty() {
                true => Next::Done,
                false => Next::Await { alarm: None },
            };
        }
        let wait = if self.log.has_answer() {
            Duration::ZERO
        } else {
            self.run.wait()
        };
        let waits_until = self.waiting.as_ref().map(|waiting| waiting.until);
        let mut situation = Situation {
            now,
            until: self.run.until(),
            patience: self.run.patience(),
            wait_until: waits_until.map_or(now + wait, |until| until.min(now + wait)),
            choices: &[],
            started: self.log.started(),
            last_start: self.log.last_start().unwrap_or(now),
            last_took: self.log.last_took(),
            in_flight: InFlight {
                count: self.race.len(),
                is_lost_cause: self.race.needs_ejection_hedge(),
                is_late: self.is_late && self.race.len() == 1,
            },
            tokens: self.run.tokens(),
            has_turn: self.has_turn,
        };
        if let Some(next) = at_once(&situation, || self.plan.untried(now)) {
            return next;
        }
        let choices = self.plan.choices(self.run.common.shape, wait, now);
        situation.choices = &choices;
        next(&situation)
    }

    /// Starts an attempt, if health permits it and the budget still covers it.
    async fn start(&mut self, choice: usize, expense: Option<Expense>, reason: StartReason) {
        self.is_late = false;
        if !self.plan.is_able(choice).await {
            return;
        }
        let now = Instant::now();
        let Some((target, permit)) = self.plan.admit(choice, self.force(reason), now) else {
            // If it had a turn, that has passed.
            self.has_turn = false;
            return;
        };
        if self.may_give_way(&permit) && self.run.is_awaited(target.health) {
            if let Some(other) = unawaited(self.run, &mut self.plan, choice, now).await {
                drop(permit);
                self.plan.put_back(choice);
                return Box::pin(self.start(other, expense, reason)).await;
            }
            if let Some(waiting) = Waiting::give_way(self.run, target.health, now) {
                drop(permit);
                self.plan.put_back(choice);
                self.waiting = Some(waiting);
                return self.queue(now, Some(target.health)).await;
            }
        }
        if !self.run.pay(expense) {
            self.plan.put_back(choice);
            return;
        }
        self.has_turn = false;
        self.report_failover(&target);
        self.plan.started(choice, now);
        let phase = phase(reason, &permit);
        let number = self.log.begin(now);
        let is_limited = target.candidate.upstream.seats().is_some();
        let chosen = Chosen {
            choice,
            target,
            asking: self.plan.asking(choice),
            thinks: self.plan.thinks(choice),
            translated: self.plan.take_translated(choice),
            has_others: is_limited && self.plan.has_others(now).await,
        };
        let racer = self.run.attempt(chosen, permit, number, phase);
        self.race.start(racer.await);
    }

    fn force(&self, reason: StartReason) -> Force {
        match reason {
            _ if self.has_turn => Force::InTurn,
            StartReason::LastResort => Force::LastResort,
            _ => Force::Never,
        }
    }

    /// Waits for the attempts in flight, until one has ended or it is time to decide again.
    async fn step(&mut self, alarm: Option<Instant>, since: Instant) -> Option<(usize, Ended)> {
        let step = match alarm {
            None => Some(self.race.next().await),
            Some(alarm) => within(alarm, self.race.next()).await,
        };
        self.log.waited += since.elapsed();
        self.is_late = false;
        match step? {
            Step::Ended(place, result) => Some((place, result)),
            Step::Waits(alarm) => {
                self.is_late = alarm == Alarm::Hedge;
                None
            }
        }
    }

    /// The attempt at this place of the race has ended.
    async fn ended(&mut self, place: usize, result: Ended) -> Option<End> {
        let (choice, attempt) = self.race.take(place).into_attempt();
        let is_rejection = result.as_ref().is_ok_and(|answer| answer.is_rejection());
        let is_doubted = is_rejection && self.is_doubtful(choice).await;
        let failure = match result {
            Ok(answer) if is_doubted => {
                self.doubted.push(choice);
                Failure::doubtful(*answer)
            }
            Ok(answer) => return Some(End::Answered(choice, answer, attempt)),
            Err(failure) => failure,
        };
        self.failed(choice, attempt, failure).await
    }

    /// Whether a rejection may be the model's fault, so that somebody else is asked with the same bytes: the model suddenly
    /// rejects far more than usual.
    async fn is_doubtful(&mut self, choice: usize) -> bool {
        let now = Instant::now();
        self.plan.health(choice).rejects_unusually(now) && self.plan.has_others(now).await
    }

    async fn failed(
        &mut self,
        choice: usize,
        attempt: Box<InFlightAttempt>,
        failure: Failure,
    ) -> Option<End> {
        let is_silent = failure.is_silent();
        if let Some(error) = failure.error {
            self.log.received(ReceivedError {
                is_silent,
                upstream: attempt.upstream().clone(),
                error,
                place: self.log.attempts.len(),
                is_first_choices: self.plan.is_first_choice(choice),
                is_rejection: failure.is_doubtful,
            });
        }
        self.log.took(attempt.elapsed());
        let is_rejection = failure.is_doubtful;
        let is_final = self.run.is_final(&failure.outcome);
        // Before the plan looks at it: the failure may change what health says.
        let outcome = failure.outcome.clone();
        self.log
            .attempts
            .push(attempt.end(failure.outcome, failure.detail));
        let now = Instant::now();
        self.plan.failed(choice, &outcome, now);
        if let Some(Waiting {
            place: Some(place), ..
        }) = &mut self.waiting
        {
            place.failed(matches!(outcome, Outcome::RateLimited { .. }));
        }
        // Another attempt in flight may take what this one rejects.
        let is_raced = !self.race.is_empty() && is_rejection;
        let is_asked_again = is_raced || is_rejection && self.plan.has_others(now).await;
        (is_final && !is_asked_again).then_some(End::Final)
    }

    fn won(
        &mut self,
        choice: usize,
        answer: Box<AttemptAnswer>,
        attempt: Box<InFlightAttempt>,
    ) -> WinningAttempt {
        if let Some(place) = self.place() {
            place.succeeded();
        }
        self.run.succeeded();
        if answer.outcome == Outcome::Success {
            self.refute();
        }
        attempt.note_rate_limit(&answer.headers);
        let in_place_of = self.in_place_of(choice, attempt.upstream());
        let log = std::mem::take(&mut self.log);
        let race = std::mem::take(&mut self.race);
        WinningAttempt::new(answer, attempt, log, race, in_place_of)
    }

    /// Who should have answered in place of the one that does.
    fn in_place_of(&self, choice: usize, upstream: &UpstreamId) -> Option<InPlaceOf> {
        let (preferred, why_not) = self.plan.preferred_to(choice)?;
        if preferred.upstream == *upstream {
            return None;
        }
        let attempts = self.log.attempts.iter().rev();
        let failed = || {
            attempts
                .clone()
                .find(|attempt| attempt.upstream == preferred.upstream)
        };
        let reason = match why_not {
            Some(reason) => reason.label(),
            None => match failed() {
                Some(attempt) => attempt.outcome.label(),
                // It is still in flight.
                None => Outcome::Superseded.label(),
            },
        };
        Some(InPlaceOf {
            upstream: preferred.upstream.clone(),
            model: preferred.model.clone(),
            reason,
            is_passed_over: why_not.is_some(),
        })
    }

    /// Somebody took the bytes that others had rejected.
    fn refute(&self) {
        for choice in &self.doubted {
            for change in self.plan.health(*choice).refuted(Instant::now()) {
                let events = &self.run.failover.events;
                events.emit(&Event::HealthChanged(change));
            }
        }
    }

    /// Waits for a turn. `open`: the door that is open, where others go first.
    async fn queue(&mut self, opens_at: Instant, open: Option<&Arc<ModelHealth>>) {
        let now = Instant::now();
        let run = self.run;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Waiting::begin(run, opens_at, now));
        let until = waiting.until.min(run.until());
        if let Some(place) = &mut waiting.place {
            let mut doors = self.plan.cooling_down(now);
            doors.extend(open.cloned());
            self.has_turn = place.turn(opens_at, until, doors).await;
        }
        self.log.waited += now.elapsed();
    }

    /// Whether those who wait already go first. Who makes a trial need not be replaced by somebody else.
    fn may_give_way(&self, permit: &Permit) -> bool {
        let is_new = self.log.started() == 0 && self.waiting.is_none();
        let is_trial = permit.is_probe() || permit.is_last_resort();
        is_new && !is_trial && self.run.may_give_way()
    }

    fn place(&self) -> Option<&Place<'a>> {
        self.waiting.as_ref()?.place.as_ref()
    }

    fn report_failover(&self, target: &Target<'_>) {
        let to = target.candidate.upstream.id();
        if self.race.is_empty()
            && let Some(event) = self.log.failover_to(&self.run.common.request, to)
        {
            self.run.failover.events.emit(&event);
        }
    }
}

/// What ends the course of a request.
enum End {
    /// By the candidate of this number.
    Answered(usize, Box<AttemptAnswer>, Box<InFlightAttempt>),
    /// The failure rules out a failover.
    Final,
}

/// What an attempt is called, unless it is just the next one.
fn phase(reason: StartReason, permit: &Permit) -> Option<Phase> {
    match reason {
        StartReason::Next | StartReason::LastResort => None,
        StartReason::Again if permit.is_probe() || permit.is_last_resort() => None,
        StartReason::Again => Some(Phase::Retry),
        StartReason::Ejected => Some(Phase::EjectionHedge),
        StartReason::Late => Some(Phase::Hedge),
        StartReason::Impatient => Some(Phase::PatienceHedge),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::phase;
    use crate::config::UpstreamId;
    use crate::event::Phase;
    use crate::failover::decisions::decide::StartReason;
    use crate::health::Health;

    #[test]
    fn who_is_asked_again_is_retried_unless_it_is_tested() {
        let now = Instant::now();
        let model = Health::new(now).model(&UpstreamId::from("a"), &"m".into(), 1);
        let admitted = model.admit(0, now).unwrap();
        let forced = model.force(0, now);
        assert_eq!(phase(StartReason::Again, &admitted), Some(Phase::Retry));
        assert_eq!(phase(StartReason::Again, &forced), None);
        assert_eq!(phase(StartReason::Next, &admitted), None);
        assert_eq!(phase(StartReason::LastResort, &forced), None);
    }
}
