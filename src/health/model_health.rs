//! A model at an upstream, and the upstream it belongs to: where evidence is weighed and guilt is decided.
//!
//! An attempt is evidence on its leaf and on the upstream. Who is convicted is decided by contrast: the upstream, if
//! another model of it is suspicious, too, or if no connection came about; else the one model.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::cooldown::Cooldown;
use super::counters::Counters;
use super::evidence::Evidence;
use super::network::Network;
use super::packed::Phase;
use super::permit::Permit;
use super::scope::{Admission, Scope};
use super::slow::{Baselines, Shape};
use super::time::{Epoch, Tick};
use super::{NotAdmitted, cooldown};
use crate::config::UpstreamId;
use crate::event::{HealthChange, ScopeId};

/// With one model blocked by its trial and no other in sight for so long, in seconds, the whole upstream is believed to
/// be broken.
const NO_OTHER_MODEL: f32 = 10.0;
/// Other models count as witnesses if they had traffic in this time, in seconds.
const WITNESS: f32 = 60.0;

/// What is believed about an upstream as a whole, and its keys.
#[derive(Debug)]
pub(super) struct UpstreamHealth {
    pub(super) id: UpstreamId,
    pub(super) scope: Scope,
    pub(super) models: ArcSwap<Vec<Weak<ModelHealth>>>,
    /// Gates for all models of a key.
    pub(super) keys: Vec<Cooldown>,
    /// Leaves whose trial failed while the upstream is half-open, by their index.
    blocked: AtomicU64,
    /// When the last connection failed in a way that our own network may have caused.
    pub(super) lost_at: AtomicU32,
    pub(super) in_flight: AtomicU32,
}

/// What is believed about one model at an upstream.
#[derive(Debug)]
pub struct ModelHealth {
    pub(super) upstream: Arc<UpstreamHealth>,
    pub(super) id: ScopeId,
    pub(super) index: u32,
    pub(super) scope: Scope,
    /// Gates for this model, one for each key.
    pub(super) cooldowns: Vec<Cooldown>,
    pub(super) baselines: Baselines,
    pub(super) counters: Counters,
    pub(super) epoch: Epoch,
    pub(super) network: Arc<Network>,
}

/// What one attempt found, and how much it weighs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finding {
    /// `None` for a success.
    pub(super) evidence: Option<Evidence>,
    pub(super) log_likelihood: f32,
}

impl UpstreamHealth {
    pub(super) fn new(id: UpstreamId, keys: usize) -> Self {
        Self {
            id,
            scope: Scope::new(),
            models: ArcSwap::default(),
            keys: (0..keys).map(|_| Cooldown::default()).collect(),
            blocked: AtomicU64::new(0),
            lost_at: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
        }
    }

    pub(super) fn all_models(&self) -> Vec<Arc<ModelHealth>> {
        self.models
            .load()
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }

    pub(super) fn scope_id(&self) -> ScopeId {
        ScopeId {
            upstream: self.id.clone(),
            model: None,
        }
    }

    fn trip(&self, epoch: u32, evidence: Evidence, now: Tick) -> Option<HealthChange> {
        let has_tripped = self.scope.trip(epoch, evidence, now, fastrand::f32());
        has_tripped.then(|| {
            self.blocked.store(0, Ordering::Release);
            opened(self.scope_id(), &self.scope, now)
        })
    }

    fn trip_now(&self, evidence: Evidence, now: Tick) -> Option<HealthChange> {
        let has_tripped = self.scope.trip_now(evidence, now, fastrand::f32());
        has_tripped.then(|| {
            self.blocked.store(0, Ordering::Release);
            opened(self.scope_id(), &self.scope, now)
        })
    }
}

fn opened(scope: ScopeId, of: &Scope, now: Tick) -> HealthChange {
    let core = of.core();
    HealthChange::Opened {
        scope,
        cause: core.cause.label(),
        retry_in: Duration::from_secs_f32(now.seconds_until(core.until)),
    }
}

fn healed(scope: ScopeId, cause: Evidence) -> HealthChange {
    HealthChange::Healed {
        scope,
        cause: cause.label(),
    }
}

impl ModelHealth {
    /// Its name.
    pub fn id(&self) -> &ScopeId {
        &self.id
    }

    /// Counts a request for which it is a candidate.
    pub fn demanded(&self, now: Instant) {
        let now = self.epoch.tick(now);
        self.scope.demanded(now);
        self.upstream.scope.demanded(now);
    }

    /// Asks whether an attempt may be made now, through one of the keys.
    pub fn admit(self: &Arc<Self>, key: usize, now: Instant) -> Result<Permit, NotAdmitted> {
        let tick = self.epoch.tick(now);
        if let Some((reason, until)) = self.cooldown(key, tick) {
            return Err(self.not_admitted(until, Some(reason)));
        }
        let is_probe_of_upstream = self.pass_upstream(tick)?;
        if !is_probe_of_upstream {
            match self.scope.admit(tick, fastrand::f32()) {
                Admission::Refused { until } => return Err(self.not_admitted(until, None)),
                Admission::Admitted | Admission::Probe => {}
            }
        }
        self.enter(key, is_probe_of_upstream, tick)
    }

    /// Permits an attempt although the scope is out of rotation, because nothing better is left.
    pub fn force(self: &Arc<Self>, key: usize, now: Instant) -> Permit {
        self.scope.force();
        self.upstream.scope.force();
        Permit::new(self, key, (false, false), self.epoch.tick(now)).marked_last_resort()
    }

    /// When it may be asked again through a key, if it may not now.
    pub fn blocked_until(&self, key: usize, now: Instant) -> Option<Instant> {
        let tick = self.epoch.tick(now);
        let cooldown = self.cooldown(key, tick).map(|(_, until)| until);
        let open = [&self.scope, &self.upstream.scope]
            .into_iter()
            .filter_map(|scope| {
                let core = scope.core();
                (core.phase == Phase::Open && core.until > tick).then_some(core.until)
            });
        cooldown
            .into_iter()
            .chain(open)
            .max()
            .map(|until| self.epoch.instant(until))
    }

    /// After how long a request without a first token is a sign.
    pub fn slow_after(&self, shape: Shape, limit: Duration) -> Option<Duration> {
        self.baselines.slow_after(shape, limit)
    }

    /// Whether requests that wait here had better be answered elsewhere.
    pub fn is_out(&self) -> bool {
        let is_out = |scope: &Scope| matches!(scope.core().phase, Phase::Open | Phase::HalfOpen);
        is_out(&self.scope) || is_out(&self.upstream.scope)
    }

    /// The fraction of its traffic that it gets.
    pub fn fraction(&self) -> f32 {
        self.scope.fraction().min(self.upstream.scope.fraction())
    }

    pub(super) fn cooldown(
        &self,
        key: usize,
        now: Tick,
    ) -> Option<(cooldown::CooldownReason, Tick)> {
        let of_key = self
            .upstream
            .keys
            .get(key)
            .and_then(|cooldown| cooldown.active(now));
        of_key.or_else(|| {
            self.cooldowns
                .get(key)
                .and_then(|cooldown| cooldown.active(now))
        })
    }

    fn not_admitted(
        &self,
        until: Tick,
        cooldown_reason: Option<cooldown::CooldownReason>,
    ) -> NotAdmitted {
        NotAdmitted {
            until: self.epoch.instant(until),
            cooldown_reason,
        }
    }

    /// Whether the upstream lets an attempt pass, and as its trial.
    fn pass_upstream(&self, now: Tick) -> Result<bool, NotAdmitted> {
        let upstream = &self.upstream;
        let core = upstream.scope.core();
        if core.phase == Phase::Closed {
            return Ok(false);
        }
        if core.phase == Phase::HalfOpen {
            self.check_blocked(core.epoch, now)?;
        }
        match upstream.scope.admit(now, fastrand::f32()) {
            Admission::Refused { until } => Err(self.not_admitted(until, None)),
            Admission::Probe => Ok(true),
            Admission::Admitted => Ok(false),
        }
    }

    /// While the upstream is half-open, a model whose trial failed waits for another model to tell more.
    fn check_blocked(&self, epoch: u32, now: Tick) -> Result<(), NotAdmitted> {
        let upstream = &self.upstream;
        let blocked = upstream.blocked.load(Ordering::Acquire);
        if blocked == 0 {
            return Ok(());
        }
        let waited = upstream.scope.last_probe().seconds_until(now);
        if waited > NO_OTHER_MODEL && upstream.scope.probes() == 0 {
            upstream.trip(epoch, Evidence::Failure, now);
            return Err(self.not_admitted(upstream.scope.core().until, None));
        }
        if blocked & self.bit() != 0 {
            return Err(self.not_admitted(now.plus(1.0), None));
        }
        Ok(())
    }

    fn bit(&self) -> u64 {
        1 << (self.index % 64)
    }

    /// Takes the places of trials, where scopes are half-open.
    fn enter(
        self: &Arc<Self>,
        key: usize,
        is_probe_of_upstream: bool,
        now: Tick,
    ) -> Result<Permit, NotAdmitted> {
        let busy = || self.not_admitted(now.plus(1.0), None);
        if is_probe_of_upstream && !self.upstream.scope.begin_probe(now) {
            return Err(busy());
        }
        let mut is_probe_of_model = false;
        match self.scope.core().phase {
            Phase::HalfOpen => {
                is_probe_of_model = self.scope.begin_probe(now);
                if !is_probe_of_model && !is_probe_of_upstream {
                    return Err(busy());
                }
            }
            Phase::Open => self.scope.force(),
            Phase::Closed | Phase::SlowStart => {}
        }
        Ok(Permit::new(
            self,
            key,
            (is_probe_of_upstream, is_probe_of_model),
            now,
        ))
    }

    // === evidence

    /// The trial of the upstream that began in this epoch is over.
    pub(super) fn end_upstream_probe(
        &self,
        evidence: Option<Evidence>,
        epoch: u32,
        now: Tick,
    ) -> Vec<HealthChange> {
        let upstream = &self.upstream;
        match evidence {
            None => {
                let cause = upstream.scope.core().cause;
                if upstream.scope.succeed_probe(epoch, now) {
                    return self.bring_models_back(cause, now);
                }
                Vec::new()
            }
            Some(Evidence::Connection) => upstream
                .trip(epoch, Evidence::Connection, now)
                .into_iter()
                .collect(),
            Some(evidence) => {
                upstream.scope.end_probe();
                upstream.scope.touch_probes(now);
                let blocked = upstream.blocked.fetch_or(self.bit(), Ordering::AcqRel) | self.bit();
                let has_more = blocked.count_ones() >= 2;
                has_more
                    .then(|| upstream.trip(epoch, evidence, now))
                    .flatten()
                    .into_iter()
                    .collect()
            }
        }
    }

    /// The upstream has healed, and its models with it, on probation; but not the one whose trial failed.
    fn bring_models_back(&self, cause: Evidence, now: Tick) -> Vec<HealthChange> {
        let blocked = self.upstream.blocked.swap(0, Ordering::AcqRel);
        let mut changes = vec![healed(self.upstream.scope_id(), cause)];
        for model in self.upstream.all_models() {
            if blocked & model.bit() != 0 {
                let epoch = model.scope.core().epoch;
                if model
                    .scope
                    .trip(epoch, Evidence::Failure, now, fastrand::f32())
                {
                    changes.push(opened(model.id.clone(), &model.scope, now));
                }
            } else {
                model.scope.release(now);
            }
        }
        changes
    }

    /// The trial of the model that began in this epoch is over.
    pub(super) fn end_model_probe(
        &self,
        evidence: Option<Evidence>,
        epoch: u32,
        now: Tick,
    ) -> Option<HealthChange> {
        let cause = self.scope.core().cause;
        match evidence {
            None => self
                .scope
                .succeed_probe(epoch, now)
                .then(|| healed(self.id.clone(), cause)),
            Some(evidence) => self
                .scope
                .trip(epoch, evidence, now, fastrand::f32())
                .then(|| opened(self.id.clone(), &self.scope, now)),
        }
    }

    /// Weighs a finding that is no trial's, and decides who is guilty if it is enough. Failures of attempts that began
    /// before the last change of state weigh nothing.
    pub(super) fn add_evidence(
        &self,
        finding: Finding,
        epochs: (u32, u32),
        now: Tick,
    ) -> Option<HealthChange> {
        let upstream = &self.upstream;
        let is_fresh = upstream.scope.core().epoch == epochs.0;
        let is_fresh_here = is_fresh && self.scope.core().epoch == epochs.1;
        let log_likelihood = |is_fresh: bool| {
            if is_fresh {
                finding.log_likelihood
            } else {
                finding.log_likelihood.min(0.0)
            }
        };
        let is_upstream_over = upstream.scope.add_evidence(log_likelihood(is_fresh), now);
        let is_model_over = self.scope.add_evidence(log_likelihood(is_fresh_here), now);
        let evidence = finding.evidence?;
        if !is_upstream_over && !is_model_over {
            return None;
        }
        let witness = self.witness(now);
        if is_upstream_over && (evidence == Evidence::Connection || witness != Witness::None) {
            return upstream.trip_now(evidence, now);
        }
        if !is_model_over {
            return None;
        }
        let may_convict_account = matches!(
            upstream.scope.core().phase,
            Phase::Closed | Phase::SlowStart
        );
        if witness == Witness::Suspicious && may_convict_account {
            let change = upstream.trip_now(evidence, now);
            for model in upstream.all_models() {
                model.scope.calm(now);
            }
            return change;
        }
        self.scope
            .trip_now(evidence, now, fastrand::f32())
            .then(|| opened(self.id.clone(), &self.scope, now))
    }

    /// What the other models of the upstream say.
    fn witness(&self, now: Tick) -> Witness {
        let mut witness = Witness::None;
        for model in self.upstream.all_models() {
            if model.index == self.index || model.scope.idle_for(now) > WITNESS {
                continue;
            }
            if model.scope.core().phase == Phase::Open {
                witness = witness.max(Witness::Open);
            } else if model.scope.score(now) >= 0.25 * model.scope.threshold() {
                witness = Witness::Suspicious;
            }
        }
        witness
    }
}

/// What other models tell about an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Witness {
    None,
    /// One is out of rotation already, for itself.
    Open,
    /// One fails more than it should, too.
    Suspicious,
}
