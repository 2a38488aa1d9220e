//! Admission: what a scope answers to a request that wants to make an attempt.

use tokio::time::Instant;

use super::cooldown::CooldownReason;
use super::packed::Phase;
use super::scope::Scope;
use super::slow_start::STEP;
use super::time::Tick;

/// Why no attempt may be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAdmitted {
    /// When it makes sense to ask again.
    pub until: Instant,
    /// The cooldown, which forbids even a last-resort attempt; `None`: the circuit breaker alone does not admit it.
    pub cooldown_reason: Option<CooldownReason>,
    /// Whether an operator has taken it out, which forbids even a last-resort attempt.
    pub is_taken_out: bool,
    /// Whether a health check may bring it back at any moment, because no connection came about: then `until` is only
    /// the latest time.
    pub is_checked: bool,
}

impl NotAdmitted {
    /// Whether not even a last-resort attempt may be made.
    pub fn forbids_last_resort(&self) -> bool {
        self.is_taken_out || self.cooldown_reason.is_some()
    }
}

/// What a scope answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Admission {
    Admitted,
    /// As a half-open probe, which has yet to begin.
    Probe,
    Refused {
        until: Tick,
    },
}

impl Scope {
    /// Whether a request may go here. `draw` is a random number between 0 and 1.
    pub(super) fn admit(&self, now: Tick, draw: f32) -> Admission {
        loop {
            let core = self.core();
            match core.phase {
                Phase::Closed => return Admission::Admitted,
                Phase::Open if now < core.until => return Admission::Refused { until: core.until },
                Phase::Open => self.begin_probes(now),
                Phase::HalfOpen if self.has_room(core, now) => return Admission::Probe,
                Phase::HalfOpen => return refused_for_a_step(now),
                Phase::SlowStart => {
                    self.climb(now);
                    if draw < self.load_slow_start().fraction {
                        return Admission::Admitted;
                    }
                    return refused_for_a_step(now);
                }
            }
        }
    }
}

fn refused_for_a_step(now: Tick) -> Admission {
    Admission::Refused {
        until: now.plus(STEP),
    }
}
