//! The breaker of one scope: out of rotation after failures in a row, back through a single live trial.
//!
//! Three failures in a row open it for two seconds, each failed trial for twice as long, half a minute at the most.
//! A 429 that says how long to wait closes the gate for just that long, without counting as ill health. Verdicts
//! from before the last change of state count for nothing (the epoch).

use std::time::Duration;

use tokio::time::Instant;

use crate::event::{BreakerChange, BreakerState, ScopeId};
use crate::outcome::Outcome;

const FAILURES_TO_OPEN: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Per-minute limits refill within two minutes; a longer wait would only be believed at our own cost.
const LONGEST_GATE: Duration = Duration::from_secs(120);

/// Pure state: the caller brings the time.
#[derive(Debug)]
pub struct Breaker {
    state: State,
    /// How many trials in a row have failed.
    level: u32,
    epoch: u64,
    /// Until when the upstream asked us to stay away.
    gate: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen { since: Instant },
}

/// Why no attempt may be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When asking again makes sense.
    pub until: Instant,
    /// Whether the upstream itself asked us to stay away; then not even a last resort may call it.
    pub is_gated: bool,
}

/// A change that does not know yet whose it is.
#[derive(Debug)]
pub(super) struct Change {
    state: BreakerState,
    cause: Outcome,
    retry_in: Option<Duration>,
}

impl Change {
    pub(super) fn of(self, scope: &ScopeId) -> BreakerChange {
        BreakerChange {
            scope: scope.clone(),
            state: self.state,
            cause: self.cause,
            retry_in: self.retry_in,
        }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: State::Closed { failures: 0 },
            level: 0,
            epoch: 0,
            gate: None,
        }
    }
}

impl Breaker {
    /// Whether an attempt may be made; after the pause of an open breaker, one may, as a trial.
    pub(super) fn admit(&mut self, now: Instant) -> Result<u64, Refusal> {
        if let Some(until) = self.gate {
            if now < until {
                return Err(Refusal {
                    until,
                    is_gated: true,
                });
            }
            self.gate = None;
        }
        match self.state {
            State::Closed { .. } => {}
            State::Open { until } if now < until => {
                return Err(Refusal {
                    until,
                    is_gated: false,
                });
            }
            State::Open { .. } => self.enter(State::HalfOpen { since: now }),
            State::HalfOpen { .. } => {
                return Err(Refusal {
                    until: now + FIRST_PAUSE,
                    is_gated: false,
                });
            }
        }
        Ok(self.epoch)
    }

    /// Makes this attempt the trial, whatever the state.
    pub(super) fn force(&mut self, now: Instant) -> u64 {
        if matches!(self.state, State::Open { .. }) {
            self.enter(State::HalfOpen { since: now });
        }
        self.epoch
    }

    pub(super) fn blocked_until(&self, now: Instant) -> Option<Instant> {
        let pause = match self.state {
            State::Open { until } => Some(until),
            _ => None,
        };
        pause.max(self.gate).filter(|until| *until > now)
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Content has come: the trial is passed.
    pub(super) fn answered(&mut self, epoch: u64) -> Option<Change> {
        if epoch != self.epoch || !self.is_on_trial() {
            return None;
        }
        self.level = 0;
        self.enter(State::Closed { failures: 0 });
        Some(Change {
            state: BreakerState::Closed,
            cause: Outcome::Success,
            retry_in: None,
        })
    }

    /// The verdict on an attempt.
    pub(super) fn finish(&mut self, epoch: u64, outcome: &Outcome, now: Instant) -> Option<Change> {
        if epoch != self.epoch {
            return None;
        }
        if let Some(wait) = asked_to_wait(outcome) {
            self.gate = Some(now + wait.min(LONGEST_GATE));
            self.abandon(epoch);
            return None;
        }
        match self.state {
            State::Closed { .. } if *outcome == Outcome::Success => {
                self.state = State::Closed { failures: 0 };
                None
            }
            State::HalfOpen { .. } if *outcome == Outcome::Success => self.answered(epoch),
            _ if !outcome.hurts_health() => {
                self.abandon(epoch);
                None
            }
            State::Closed { failures } if failures + 1 < FAILURES_TO_OPEN => {
                self.state = State::Closed {
                    failures: failures + 1,
                };
                None
            }
            State::Closed { .. } | State::HalfOpen { .. } => Some(self.open(outcome, now)),
            State::Open { .. } => None,
        }
    }

    /// A trial that ended without a verdict leaves room for the next one at once.
    pub(super) fn abandon(&mut self, epoch: u64) {
        if let State::HalfOpen { since } = self.state
            && epoch == self.epoch
        {
            self.enter(State::Open { until: since });
        }
    }

    fn is_on_trial(&self) -> bool {
        matches!(self.state, State::HalfOpen { .. })
    }

    fn open(&mut self, cause: &Outcome, now: Instant) -> Change {
        let pause = FIRST_PAUSE
            .saturating_mul(1 << self.level.min(8))
            .min(LONGEST_PAUSE);
        self.level += 1;
        self.enter(State::Open { until: now + pause });
        Change {
            state: BreakerState::Open,
            cause: cause.clone(),
            retry_in: Some(pause),
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

/// The time for which an upstream that is well asks us to send it less.
fn asked_to_wait(outcome: &Outcome) -> Option<Duration> {
    match outcome {
        Outcome::RateLimited { retry_after } => *retry_after,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Breaker, FAILURES_TO_OPEN, FIRST_PAUSE, LONGEST_PAUSE};
    use crate::event::BreakerState;
    use crate::outcome::Outcome;

    const FAILURE: Outcome = Outcome::ServerError { status: 500 };

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_TO_OPEN {
            let epoch = breaker.admit(now).unwrap();
            breaker.finish(epoch, &FAILURE, now);
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for outcome in [FAILURE, FAILURE, Outcome::Success, FAILURE, FAILURE] {
            let epoch = breaker.admit(now).unwrap();
            assert!(breaker.finish(epoch, &outcome, now).is_none());
        }
        let epoch = breaker.admit(now).unwrap();
        let change = breaker.finish(epoch, &FAILURE, now).unwrap();
        assert_eq!(change.state, BreakerState::Open);
        assert!(!breaker.admit(now).unwrap_err().is_gated);
    }

    #[test]
    fn after_its_pause_exactly_one_trial_is_admitted() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + FIRST_PAUSE;
        let epoch = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_err());
        assert_eq!(breaker.answered(epoch).unwrap().state, BreakerState::Closed);
        assert!(breaker.admit(later).is_ok());
    }

    #[test]
    fn each_failed_trial_doubles_the_pause_up_to_a_bound() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            now = breaker.admit(now).unwrap_err().until;
            let epoch = breaker.admit(now).unwrap();
            pauses.push(
                breaker
                    .finish(epoch, &FAILURE, now)
                    .unwrap()
                    .retry_in
                    .unwrap(),
            );
        }
        assert_eq!(pauses[..3], [4, 8, 16].map(Duration::from_secs));
        assert_eq!(pauses[5], LONGEST_PAUSE);
    }

    #[test]
    fn a_trial_without_a_verdict_frees_its_slot() {
        let now = Instant::now() + FIRST_PAUSE;
        let mut breaker = opened(now - FIRST_PAUSE);
        let epoch = breaker.admit(now).unwrap();
        breaker.abandon(epoch);
        assert!(breaker.admit(now).is_ok());
    }

    #[test]
    fn verdicts_from_before_the_last_change_count_for_nothing() {
        let now = Instant::now();
        let stale = Breaker::default().admit(now).unwrap();
        let mut breaker = opened(now);
        let later = now + FIRST_PAUSE;
        let trial = breaker.admit(later).unwrap();
        assert!(breaker.finish(stale, &FAILURE, later).is_none());
        assert!(breaker.finish(trial, &Outcome::Success, later).is_some());
    }

    #[test]
    fn a_rate_limit_gates_for_as_long_as_it_says_and_is_no_failure() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        let limited = Outcome::RateLimited {
            retry_after: Some(Duration::from_secs(7)),
        };
        let epoch = breaker.admit(now).unwrap();
        assert!(breaker.finish(epoch, &limited, now).is_none());
        let refusal = breaker.admit(now).unwrap_err();
        assert!(refusal.is_gated);
        assert_eq!(refusal.until, now + Duration::from_secs(7));
        assert!(breaker.admit(refusal.until).is_ok());
    }

    #[test]
    fn a_clients_fault_changes_nothing() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..20 {
            let epoch = breaker.admit(now).unwrap();
            assert!(
                breaker
                    .finish(epoch, &Outcome::RejectedRequest { status: 400 }, now)
                    .is_none()
            );
        }
        assert!(breaker.admit(now).is_ok());
    }
}
