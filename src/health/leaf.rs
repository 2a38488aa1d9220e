//! A model at an upstream, and the upstream it belongs to: where evidence is weighed and guilt is decided.
//!
//! An attempt is evidence on its leaf and on the upstream. Who is convicted is decided by contrast: the upstream, if
//! another model of it is suspicious, too, or if no connection came about; else the one model.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::evidence::Sign;
use super::gate::Gate;
use super::network::Network;
use super::permit::Permit;
use super::scope::{Admission, Scope};
use super::slow::{Baselines, Shape};
use super::tallies::Tallies;
use super::time::{Epoch, Tick};
use super::word::Phase;
use super::{Refusal, gate};
use crate::config::UpstreamId;
use crate::event::{HealthChange, ScopeId};

/// With one model blocked by its trial and no other in sight for so long, in seconds, the whole upstream is believed to
/// be broken.
const NO_OTHER_MODEL: f32 = 10.0;
/// Other models count as witnesses if they had traffic in this time, in seconds.
const WITNESS: f32 = 60.0;

/// What is believed about an upstream as a whole, and its keys.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) id: UpstreamId,
    pub(super) scope: Scope,
    pub(super) leaves: ArcSwap<Vec<Weak<Leaf>>>,
    /// Gates for all models of a key.
    pub(super) keys: Vec<Gate>,
    /// Leaves whose trial failed while the upstream is half-open, by their index.
    blocked: AtomicU64,
    /// When the last connection failed in a way that our own network may have caused.
    pub(super) lost_at: AtomicU32,
    pub(super) in_flight: AtomicU32,
}

/// What is believed about one model at an upstream.
#[derive(Debug)]
pub struct Leaf {
    pub(super) account: Arc<Account>,
    pub(super) id: ScopeId,
    pub(super) index: u32,
    pub(super) scope: Scope,
    /// Gates for this model, one for each key.
    pub(super) gates: Vec<Gate>,
    pub(super) baselines: Baselines,
    pub(super) tallies: Tallies,
    pub(super) epoch: Epoch,
    pub(super) network: Arc<Network>,
}

/// What one attempt found, and how much it weighs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finding {
    /// `None` for a success.
    pub(super) sign: Option<Sign>,
    pub(super) weight: f32,
}

impl Account {
    pub(super) fn new(id: UpstreamId, keys: usize) -> Self {
        Self {
            id,
            scope: Scope::new(),
            leaves: ArcSwap::default(),
            keys: (0..keys).map(|_| Gate::default()).collect(),
            blocked: AtomicU64::new(0),
            lost_at: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
        }
    }

    pub(super) fn all_leaves(&self) -> Vec<Arc<Leaf>> {
        self.leaves
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

    fn trip(&self, epoch: u32, sign: Sign, now: Tick) -> Option<HealthChange> {
        let has_tripped = self.scope.trip(epoch, sign, now, fastrand::f32());
        has_tripped.then(|| {
            self.blocked.store(0, Ordering::Release);
            opened(self.scope_id(), &self.scope, now)
        })
    }

    fn convict(&self, sign: Sign, now: Tick) -> Option<HealthChange> {
        let has_tripped = self.scope.convict(sign, now, fastrand::f32());
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

fn healed(scope: ScopeId, cause: Sign) -> HealthChange {
    HealthChange::Healed {
        scope,
        cause: cause.label(),
    }
}

impl Leaf {
    /// Its name.
    pub fn id(&self) -> &ScopeId {
        &self.id
    }

    /// Counts a request for which it is a candidate.
    pub fn demanded(&self, now: Instant) {
        let now = self.epoch.tick(now);
        self.scope.demanded(now);
        self.account.scope.demanded(now);
    }

    /// Asks whether an attempt may be made now, through one of the keys.
    pub fn admit(self: &Arc<Self>, key: usize, now: Instant) -> Result<Permit, Refusal> {
        let tick = self.epoch.tick(now);
        if let Some((reason, until)) = self.gate(key, tick) {
            return Err(self.refusal(until, Some(reason)));
        }
        let is_trial_of_account = self.pass_account(tick)?;
        if !is_trial_of_account {
            match self.scope.admit(tick, fastrand::f32()) {
                Admission::Refused { until } => return Err(self.refusal(until, None)),
                Admission::Admitted | Admission::Trial => {}
            }
        }
        self.enter(key, is_trial_of_account, tick)
    }

    /// Permits an attempt although the scope is out of rotation, because nothing better is left.
    pub fn force(self: &Arc<Self>, key: usize, now: Instant) -> Permit {
        self.scope.force();
        self.account.scope.force();
        Permit::new(self, key, (false, false), self.epoch.tick(now)).marked_last_resort()
    }

    /// When it may be asked again through a key, if it may not now.
    pub fn blocked_until(&self, key: usize, now: Instant) -> Option<Instant> {
        let tick = self.epoch.tick(now);
        let gate = self.gate(key, tick).map(|(_, until)| until);
        let open = [&self.scope, &self.account.scope]
            .into_iter()
            .filter_map(|scope| {
                let core = scope.core();
                (core.phase == Phase::Open && core.until > tick).then_some(core.until)
            });
        gate.into_iter()
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
        is_out(&self.scope) || is_out(&self.account.scope)
    }

    /// The fraction of its traffic that it gets.
    pub fn fraction(&self) -> f32 {
        self.scope.fraction().min(self.account.scope.fraction())
    }

    pub(super) fn gate(&self, key: usize, now: Tick) -> Option<(gate::Reason, Tick)> {
        let of_key = self.account.keys.get(key).and_then(|gate| gate.closed(now));
        of_key.or_else(|| self.gates.get(key).and_then(|gate| gate.closed(now)))
    }

    fn refusal(&self, until: Tick, gated_by: Option<gate::Reason>) -> Refusal {
        Refusal {
            until: self.epoch.instant(until),
            gated_by,
        }
    }

    /// Whether the upstream lets an attempt pass, and as its trial.
    fn pass_account(&self, now: Tick) -> Result<bool, Refusal> {
        let account = &self.account;
        let core = account.scope.core();
        if core.phase == Phase::Closed {
            return Ok(false);
        }
        if core.phase == Phase::HalfOpen {
            self.check_blocked(core.epoch, now)?;
        }
        match account.scope.admit(now, fastrand::f32()) {
            Admission::Refused { until } => Err(self.refusal(until, None)),
            Admission::Trial => Ok(true),
            Admission::Admitted => Ok(false),
        }
    }

    /// While the upstream is half-open, a model whose trial failed waits for another model to tell more.
    fn check_blocked(&self, epoch: u32, now: Tick) -> Result<(), Refusal> {
        let account = &self.account;
        let blocked = account.blocked.load(Ordering::Acquire);
        if blocked == 0 {
            return Ok(());
        }
        let waited = account.scope.last_trial().seconds_until(now);
        if waited > NO_OTHER_MODEL && account.scope.trials() == 0 {
            account.trip(epoch, Sign::Failure, now);
            return Err(self.refusal(account.scope.core().until, None));
        }
        if blocked & self.bit() != 0 {
            return Err(self.refusal(now.plus(1.0), None));
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
        is_trial_of_account: bool,
        now: Tick,
    ) -> Result<Permit, Refusal> {
        let busy = || self.refusal(now.plus(1.0), None);
        if is_trial_of_account && !self.account.scope.begin_trial(now) {
            return Err(busy());
        }
        let mut is_trial_of_leaf = false;
        match self.scope.core().phase {
            Phase::HalfOpen => {
                is_trial_of_leaf = self.scope.begin_trial(now);
                if !is_trial_of_leaf && !is_trial_of_account {
                    return Err(busy());
                }
            }
            Phase::Open => self.scope.force(),
            Phase::Closed | Phase::Ramp => {}
        }
        Ok(Permit::new(
            self,
            key,
            (is_trial_of_account, is_trial_of_leaf),
            now,
        ))
    }

    // === evidence

    /// The trial of the upstream that began in this epoch is over.
    pub(super) fn end_account_trial(
        &self,
        sign: Option<Sign>,
        epoch: u32,
        now: Tick,
    ) -> Vec<HealthChange> {
        let account = &self.account;
        match sign {
            None => {
                let cause = account.scope.core().cause;
                if account.scope.succeed_trial(epoch, now) {
                    return self.bring_leaves_back(cause, now);
                }
                Vec::new()
            }
            Some(Sign::Connection) => account
                .trip(epoch, Sign::Connection, now)
                .into_iter()
                .collect(),
            Some(sign) => {
                account.scope.end_trial();
                account.scope.touch_trials(now);
                let blocked = account.blocked.fetch_or(self.bit(), Ordering::AcqRel) | self.bit();
                let has_more = blocked.count_ones() >= 2;
                has_more
                    .then(|| account.trip(epoch, sign, now))
                    .flatten()
                    .into_iter()
                    .collect()
            }
        }
    }

    /// The upstream has healed, and its models with it, on probation; but not the one whose trial failed.
    fn bring_leaves_back(&self, cause: Sign, now: Tick) -> Vec<HealthChange> {
        let blocked = self.account.blocked.swap(0, Ordering::AcqRel);
        let mut changes = vec![healed(self.account.scope_id(), cause)];
        for leaf in self.account.all_leaves() {
            if blocked & leaf.bit() != 0 {
                let epoch = leaf.scope.core().epoch;
                if leaf.scope.trip(epoch, Sign::Failure, now, fastrand::f32()) {
                    changes.push(opened(leaf.id.clone(), &leaf.scope, now));
                }
            } else {
                leaf.scope.release(now);
            }
        }
        changes
    }

    /// The trial of the model that began in this epoch is over.
    pub(super) fn end_leaf_trial(
        &self,
        sign: Option<Sign>,
        epoch: u32,
        now: Tick,
    ) -> Option<HealthChange> {
        let cause = self.scope.core().cause;
        match sign {
            None => self
                .scope
                .succeed_trial(epoch, now)
                .then(|| healed(self.id.clone(), cause)),
            Some(sign) => self
                .scope
                .trip(epoch, sign, now, fastrand::f32())
                .then(|| opened(self.id.clone(), &self.scope, now)),
        }
    }

    /// Weighs a finding that is no trial's, and decides who is guilty if it is enough. Failures of attempts that began
    /// before the last change of state weigh nothing.
    pub(super) fn weigh(
        &self,
        finding: Finding,
        epochs: (u32, u32),
        now: Tick,
    ) -> Option<HealthChange> {
        let account = &self.account;
        let is_fresh = account.scope.core().epoch == epochs.0;
        let is_fresh_here = is_fresh && self.scope.core().epoch == epochs.1;
        let weight = |is_fresh: bool| {
            if is_fresh {
                finding.weight
            } else {
                finding.weight.min(0.0)
            }
        };
        let is_account_over = account.scope.weigh(weight(is_fresh), now);
        let is_leaf_over = self.scope.weigh(weight(is_fresh_here), now);
        let sign = finding.sign?;
        if !is_account_over && !is_leaf_over {
            return None;
        }
        let witness = self.witness(now);
        if is_account_over && (sign == Sign::Connection || witness != Witness::None) {
            return account.convict(sign, now);
        }
        if !is_leaf_over {
            return None;
        }
        let may_convict_account = matches!(account.scope.core().phase, Phase::Closed | Phase::Ramp);
        if witness == Witness::Suspicious && may_convict_account {
            let change = account.convict(sign, now);
            for leaf in account.all_leaves() {
                leaf.scope.calm(now);
            }
            return change;
        }
        self.scope
            .convict(sign, now, fastrand::f32())
            .then(|| opened(self.id.clone(), &self.scope, now))
    }

    /// What the other models of the upstream say.
    fn witness(&self, now: Tick) -> Witness {
        let mut witness = Witness::None;
        for leaf in self.account.all_leaves() {
            if leaf.index == self.index || leaf.scope.idle_for(now) > WITNESS {
                continue;
            }
            if leaf.scope.core().phase == Phase::Open {
                witness = witness.max(Witness::Open);
            } else if leaf.scope.score(now) >= 0.25 * leaf.scope.threshold() {
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
