//! What is believed about an upstream as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::admission::Admission;
use super::by_hand::ByHand;
use super::cooldown::Cooldown;
use super::evidence::Evidence;
use super::fleet_probe::{AGAIN, FleetProbes};
use super::hearsay::Hearsay;
use super::odds::Odds;
use super::packed::Phase;
use super::scope::Scope;
use super::siblings::{ModelScope, Siblings};
use super::time::Tick;
use super::transition::{healed, opened};
use crate::config::UpstreamId;
use crate::event::{HealthChange, ScopeId};

/// A half-open upstream is believed to be broken if its only probed model failed, and no other model is asked for
/// during so many seconds.
const NO_OTHER_MODEL: f32 = 10.0;

/// An upstream, its models and its keys.
#[derive(Debug)]
pub(super) struct UpstreamHealth {
    pub(super) id: UpstreamId,
    pub(super) scope: Scope,
    pub(super) hearsay: Hearsay,
    pub(super) models: Siblings,
    /// Cooldowns that hold for all models of a key.
    pub(super) cooldowns: Vec<Cooldown>,
    /// The chance that a call succeeds, whatever its model.
    pub(super) odds: Odds,
    /// The models whose probe failed while the upstream is half-open, as a set of bits.
    blocked: AtomicU64,
    /// The tick of the last connection that failed in a way which our own network may have caused.
    pub(super) lost_at: AtomicU32,
    pub(super) in_flight: AtomicU32,
    /// Whether an operator has taken it out.
    pub(super) by_hand: Arc<ByHand>,
    pub(super) fleet_probes: Arc<FleetProbes>,
}

impl UpstreamHealth {
    pub(super) fn new(id: UpstreamId, keys: usize) -> Self {
        Self {
            id,
            scope: Scope::new(),
            hearsay: Hearsay::default(),
            models: Siblings::default(),
            cooldowns: (0..keys).map(|_| Cooldown::default()).collect(),
            odds: Odds::default(),
            blocked: AtomicU64::new(0),
            lost_at: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            by_hand: Arc::default(),
            fleet_probes: Arc::default(),
        }
    }

    /// The same, taken out with this.
    pub(super) fn with_hand(self, by_hand: Arc<ByHand>) -> Self {
        Self { by_hand, ..self }
    }

    /// The same, whose trials are agreed upon by these.
    pub(super) fn with_trials(self, fleet_probes: Arc<FleetProbes>) -> Self {
        Self {
            fleet_probes,
            ..self
        }
    }

    pub(super) fn scope_id(&self) -> ScopeId {
        ScopeId {
            upstream: self.id.clone(),
            model: None,
        }
    }

    /// For how long it has been out by hand.
    pub(super) fn taken_out_for(&self, now: Tick) -> Option<Duration> {
        let since = self.by_hand.since()?;
        Some(Duration::from_secs_f32(since.seconds_until(now)))
    }

    /// What the upstream as a whole answers to a request for one of its models.
    pub(super) fn admit(&self, model: &ModelScope, now: Tick) -> Admission {
        let core = self.scope.core();
        if core.phase == Phase::Closed {
            return Admission::Admitted;
        }
        if core.phase == Phase::HalfOpen
            && let Some(until) = self.blocked_until(model, core.epoch, now)
        {
            return Admission::Refused { until };
        }
        let admission = self.scope.admit(now, fastrand::f32());
        self.agreed(admission, &self.hearsay, now)
    }

    /// The same, unless it would be a trial that another replica makes.
    pub(super) fn agreed(&self, admission: Admission, of: &Hearsay, now: Tick) -> Admission {
        match admission {
            Admission::Probe if !of.fleet_probe.is_allowed(&self.fleet_probes, now) => {
                Admission::Refused {
                    until: now.plus(AGAIN),
                }
            }
            other => other,
        }
    }

    /// Whether a model waits while the upstream is half-open, because its probe has failed.
    pub(super) fn is_blocked(&self, model: &ModelScope, now: Tick) -> bool {
        let waited = self.scope.last_probe().seconds_until(now);
        // Then it is time to believe the model.
        let is_over = waited > NO_OTHER_MODEL && self.scope.probes() == 0;
        self.blocked.load(Ordering::Acquire) & model.bit() != 0 && !is_over
    }

    /// While the upstream is half-open, a model whose probe failed waits: the probe of another model tells more.
    fn blocked_until(&self, model: &ModelScope, epoch: u32, now: Tick) -> Option<Tick> {
        let blocked = self.blocked.load(Ordering::Acquire);
        if blocked == 0 {
            return None;
        }
        let waited = self.scope.last_probe().seconds_until(now);
        if waited > NO_OTHER_MODEL && self.scope.probes() == 0 {
            self.trip(epoch, Evidence::Failure, now);
            return Some(self.scope.core().until);
        }
        (blocked & model.bit() != 0).then(|| now.plus(1.0))
    }

    /// Opens the upstream, unless its state has changed since `epoch`.
    pub(super) fn trip(&self, epoch: u32, evidence: Evidence, now: Tick) -> Option<HealthChange> {
        let has_tripped = self.scope.trip(epoch, evidence, now, fastrand::f32());
        self.after_trip(has_tripped, now)
    }

    /// The evidence is enough: opens the upstream, or sheds load.
    pub(super) fn trip_now(&self, evidence: Evidence, now: Tick) -> Option<HealthChange> {
        let has_tripped = self.scope.trip_now(evidence, now, fastrand::f32());
        self.after_trip(has_tripped, now)
    }

    fn after_trip(&self, has_tripped: bool, now: Tick) -> Option<HealthChange> {
        has_tripped.then(|| {
            self.blocked.store(0, Ordering::Release);
            opened(self.scope_id(), &self.scope, now)
        })
    }

    /// A probe of the upstream, by a request for one of its models, has ended. It began in `epoch`.
    pub(super) fn end_probe(
        &self,
        model: &ModelScope,
        evidence: Option<Evidence>,
        epoch: u32,
        now: Tick,
    ) -> Vec<HealthChange> {
        match evidence {
            None => {
                let cause = self.scope.core().cause;
                if self.scope.succeed_probe(epoch, now) {
                    self.release_models(cause, now)
                } else {
                    Vec::new()
                }
            }
            Some(Evidence::Connection) => {
                let change = self.trip(epoch, Evidence::Connection, now);
                change.into_iter().collect()
            }
            // The failure may be the model's own. That of a second model is the upstream's.
            Some(
                evidence @ (Evidence::Failure
                | Evidence::Timeout
                | Evidence::Slow
                | Evidence::BrokenStream),
            ) => {
                self.scope.end_probe();
                self.scope.touch_probes(now);
                let bit = model.bit();
                let blocked = self.blocked.fetch_or(bit, Ordering::AcqRel) | bit;
                if blocked.count_ones() < 2 {
                    return Vec::new();
                }
                self.trip(epoch, evidence, now).into_iter().collect()
            }
        }
    }

    /// The upstream has healed. Its models are released with it, except those whose probe failed.
    pub(super) fn release_models(&self, cause: Evidence, now: Tick) -> Vec<HealthChange> {
        let blocked = self.blocked.swap(0, Ordering::AcqRel);
        let mut changes = vec![healed(self.scope_id(), cause)];
        for model in self.models.all() {
            let scope = &model.scope;
            if blocked & model.bit() == 0 {
                scope.release(now);
            } else if scope.trip(scope.core().epoch, Evidence::Failure, now, fastrand::f32()) {
                changes.push(opened(model.id.clone(), scope, now));
            }
        }
        changes
    }
}
