//! The right to make one attempt: who gets it, and what follows when it is given back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::admission::{Admission, NotAdmitted};
use super::both::Both;
use super::cooldown::CooldownReason;
use super::model_health::ModelHealth;
use super::packed::Phase;
use super::scope::Scope;
use super::slow_start::STEP;
use super::time::Tick;

/// The right to make one attempt. A permit that is dropped without a result is no evidence, and its probes end.
#[derive(Debug)]
pub struct Permit {
    pub(super) model: Arc<ModelHealth>,
    pub(super) key: usize,
    /// The epochs in which the attempt began.
    pub(super) began_in: Both<u32>,
    /// Of which scopes it is a probe.
    pub(super) is_probe: Both<bool>,
    is_last_resort: bool,
    pub(super) started: Tick,
    pub(super) has_content: bool,
    pub(super) was_slow: bool,
    is_in_flight: bool,
}

impl ModelHealth {
    /// Asks for an attempt through one of the keys now.
    pub fn admit(self: &Arc<Self>, key: usize, now: Instant) -> Result<Permit, NotAdmitted> {
        let tick = self.epoch.tick(now);
        if self.is_taken_out() {
            return Err(NotAdmitted {
                is_taken_out: true,
                ..self.not_admitted(tick.plus(STEP))
            });
        }
        if let Some((reason, until)) = self.cooldown(key, tick) {
            return Err(self.in_cooldown(reason, until));
        }
        let refused = |until| self.not_admitted(until);
        let is_probe_of_upstream = match self.upstream.admit(&self.own, tick) {
            Admission::Refused { until } => return Err(refused(until)),
            Admission::Admitted => false,
            Admission::Probe => true,
        };
        // A probe of the upstream does not wait for the model's own pause.
        if !is_probe_of_upstream {
            let admission = self.scope().admit(tick, fastrand::f32());
            let agreed = self.upstream.agreed(admission, &self.own.hearsay, tick);
            if let Admission::Refused { until } = agreed {
                return Err(refused(until));
            }
        }
        let is_probe = self
            .begin_probes(is_probe_of_upstream, tick)
            .ok_or_else(|| refused(tick.plus(1.0)))?;
        Ok(Permit::new(self, key, is_probe, tick))
    }

    /// Permits a last-resort attempt: the scope is out of rotation, but nothing better is left.
    pub fn force(self: &Arc<Self>, key: usize, now: Instant) -> Permit {
        self.scope().force();
        self.upstream.scope.force();
        let mut permit = Permit::new(self, key, Both::default(), self.epoch.tick(now));
        permit.is_last_resort = true;
        permit
    }

    /// Permits an attempt of a request that the queue has given a turn, though the scope is out of rotation. In a fleet that is
    /// a trial until its pause is over, which one replica makes at a time; `None`: it is not this one, or not yet.
    pub fn force_in_turn(self: &Arc<Self>, key: usize, now: Instant) -> Option<Permit> {
        let tick = self.epoch.tick(now);
        if let Some((scope, hearsay)) = self.pausing(tick) {
            if !hearsay
                .fleet_probe
                .is_allowed(&self.upstream.fleet_probes, tick)
            {
                return None;
            }
            scope.touch_probes(tick);
        }
        Some(self.force(key, now))
    }

    fn in_cooldown(&self, reason: CooldownReason, until: Tick) -> NotAdmitted {
        NotAdmitted {
            until: self.epoch.instant(until),
            cooldown_reason: Some(reason),
            is_taken_out: false,
            is_checked: false,
        }
    }

    fn not_admitted(&self, until: Tick) -> NotAdmitted {
        let scopes = [self.scope(), &self.upstream.scope];
        NotAdmitted {
            until: self.epoch.instant(until),
            cooldown_reason: None,
            is_taken_out: false,
            is_checked: scopes.into_iter().any(Scope::waits_for_check),
        }
    }

    /// Begins the probes of the scopes that are half-open; `None` if other requests were faster.
    fn begin_probes(&self, is_probe_of_upstream: bool, now: Tick) -> Option<Both<bool>> {
        if is_probe_of_upstream && !self.upstream.scope.begin_probe(now) {
            return None;
        }
        let mut is_probe_of_model = false;
        match self.scope().core().phase {
            Phase::HalfOpen => {
                is_probe_of_model = self.scope().begin_probe(now);
                if !is_probe_of_model && !is_probe_of_upstream {
                    return None;
                }
            }
            Phase::Open => self.scope().force(),
            Phase::Closed | Phase::SlowStart => {}
        }
        Some(Both {
            upstream: is_probe_of_upstream,
            model: is_probe_of_model,
        })
    }
}

impl Permit {
    fn new(model: &Arc<ModelHealth>, key: usize, is_probe: Both<bool>, now: Tick) -> Self {
        model.upstream.in_flight.fetch_add(1, Ordering::Relaxed);
        Self {
            began_in: Both {
                upstream: model.upstream.scope.core().epoch,
                model: model.scope().core().epoch,
            },
            model: Arc::clone(model),
            key,
            is_probe,
            is_last_resort: false,
            started: now,
            has_content: false,
            was_slow: false,
            is_in_flight: true,
        }
    }

    /// Whether it is a half-open probe, of the model or of its upstream.
    pub fn is_probe(&self) -> bool {
        self.is_probe.upstream || self.is_probe.model
    }

    /// Whether the upstream is out of rotation, and is tried only because nothing better is left.
    pub fn is_last_resort(&self) -> bool {
        self.is_last_resort
    }

    /// Whether the attempt had better be hedged: its scope has gone out of rotation since it began, or it is slow, and
    /// its scope is out. A probe that is not slow tests a scope that is out, and waits for its answer.
    pub fn is_lost_cause(&self) -> bool {
        let scopes = [
            (self.model.scope(), self.began_in.model),
            (&self.model.upstream.scope, self.began_in.upstream),
        ];
        scopes.into_iter().any(|(scope, began_in)| {
            let core = scope.core();
            core.phase.is_out() && (self.was_slow || core.epoch != began_in)
        })
    }

    /// The model that it is for.
    pub fn health(&self) -> &Arc<ModelHealth> {
        &self.model
    }

    /// The attempt is no longer in flight.
    pub(super) fn land(&mut self) {
        if std::mem::take(&mut self.is_in_flight) {
            let in_flight = &self.model.upstream.in_flight;
            in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Forgets probes of states that are over.
    pub(super) fn forget_stale_probes(&mut self) {
        let is_current = |scope: &Scope, epoch: u32| {
            let core = scope.core();
            core.phase == Phase::HalfOpen && core.epoch == epoch
        };
        self.is_probe.upstream &= is_current(&self.model.upstream.scope, self.began_in.upstream);
        self.is_probe.model &= is_current(self.model.scope(), self.began_in.model);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.land();
        self.forget_stale_probes();
        if self.is_probe.upstream {
            self.model.upstream.scope.end_probe();
        }
        if self.is_probe.model {
            self.model.scope().end_probe();
        }
    }
}
