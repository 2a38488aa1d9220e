//! What we believe about each upstream, learnt from live requests: evidence, not a window.
//!
//! Every attempt leaves signs (`evidence`), which are weighed on two scopes: the upstream, and the model at it. A
//! `scope` that has gathered enough is taken out of rotation, tried again by a few live requests, and given its
//! traffic back step by step. Who is guilty, the upstream or one model, is decided by contrast (`model`). Waiting for
//! too long is a sign while it lasts (`slow`). Rate limits, refused keys and missing models are no signs of ill
//! health but `cooldown`s: facts with a deadline. If several upstreams vanish at once, it is our own `network`.
//!
//! *Invariant:* no I/O and no clock in here: `now` is an argument, changes of state are return values. No lock is
//! taken to admit or to report.

mod cooldown;
mod counters;
mod evidence;
mod model_health;
mod network;
mod packed;
mod permit;
mod preview;
mod scope;
mod score;
mod slow;
mod slow_start;
mod time;
mod transition;
mod view;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

pub use cooldown::CooldownReason;
pub use counters::Counts;
pub use model_health::ModelHealth;
pub use packed::Phase;
pub use permit::Permit;
pub use preview::AdmissionPreview;
pub use slow::Shape;
pub use view::{CooldownView, ScopeView};

use self::cooldown::Cooldown;
use self::model_health::UpstreamHealth;
use self::network::Network;
use self::time::Epoch;
use crate::config::UpstreamId;
use crate::event::{HealthChange, ScopeId};

/// Why no attempt may be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAdmitted {
    /// When asking again makes sense.
    pub until: Instant,
    /// What keeps even a last resort from calling it; `None`: it is only out of rotation.
    pub cooldown_reason: Option<CooldownReason>,
}

/// All that is believed. It outlives configurations: asking twice for the same leaf gives the same one.
#[derive(Debug)]
pub struct Health {
    epoch: Epoch,
    network: Arc<Network>,
    upstreams: Mutex<HashMap<UpstreamId, Arc<UpstreamHealth>>>,
    models: Mutex<HashMap<ScopeId, Arc<ModelHealth>>>,
    /// What makes an upstream the same account as before.
    identities: Mutex<HashMap<UpstreamId, u64>>,
}

impl Health {
    /// Nothing is known yet, so everything is trusted.
    pub fn new() -> Self {
        Self {
            epoch: Epoch::now(),
            network: Arc::default(),
            upstreams: Mutex::default(),
            models: Mutex::default(),
            identities: Mutex::default(),
        }
    }

    /// Takes over which upstreams there are, each with a number that stands for its URL and keys. What is believed of
    /// upstreams that are no more, or have become another account, is forgotten.
    pub fn adopt(&self, upstreams: HashMap<UpstreamId, u64>) {
        let mut known = locked(&self.identities);
        let is_same = |id: &UpstreamId| known.get(id) == upstreams.get(id);
        locked(&self.upstreams).retain(|id, _| is_same(id));
        locked(&self.models).retain(|scope, _| is_same(&scope.upstream));
        *known = upstreams;
    }

    /// Forgets the models of which `is_used` says no: no route leads to them any more.
    pub fn forget_unless(&self, is_used: impl Fn(&ScopeId) -> bool) {
        locked(&self.models).retain(|scope, _| is_used(scope));
    }

    /// The leaf for a model, as the configuration names it, at an upstream with so many keys.
    pub fn model(&self, upstream: &UpstreamId, model: &Arc<str>, keys: usize) -> Arc<ModelHealth> {
        let upstream_health = self.upstream(upstream, keys);
        let id = ScopeId {
            upstream: upstream.clone(),
            model: Some(Arc::clone(model)),
        };
        let mut models = locked(&self.models);
        if let Some(model) = models.get(&id) {
            return Arc::clone(model);
        }
        let siblings = upstream_health.all_models();
        let model = Arc::new(ModelHealth {
            index: siblings
                .iter()
                .map(|model| model.index + 1)
                .max()
                .unwrap_or(0),
            upstream: Arc::clone(&upstream_health),
            id: id.clone(),
            scope: scope::Scope::new(),
            cooldowns: (0..keys.max(1)).map(|_| Cooldown::default()).collect(),
            baselines: slow::Baselines::default(),
            counters: counters::Counters::default(),
            epoch: self.epoch,
            network: Arc::clone(&self.network),
        });
        let more = siblings.iter().chain([&model]).map(Arc::downgrade);
        upstream_health.models.store(Arc::new(more.collect()));
        models.insert(id, Arc::clone(&model));
        model
    }

    fn upstream(&self, upstream: &UpstreamId, keys: usize) -> Arc<UpstreamHealth> {
        let mut upstreams = locked(&self.upstreams);
        let upstream = upstreams
            .entry(upstream.clone())
            .or_insert_with(|| Arc::new(UpstreamHealth::new(upstream.clone(), keys.max(1))))
            .clone();
        self.network
            .upstreams
            .store(Arc::new(upstreams.values().map(Arc::downgrade).collect()));
        upstream
    }

    /// Whether our own network is believed to be lost.
    pub fn is_network_lost(&self) -> bool {
        self.network.lost_since().is_some()
    }

    /// Upstreams that a free probe may bring back: those out of rotation because no connection came about, or all of
    /// them while our own network is lost.
    pub fn to_check(&self) -> Vec<UpstreamId> {
        let is_lost = self.is_network_lost();
        let upstreams = locked(&self.upstreams);
        let waits = |scope: &scope::Scope| {
            let core = scope.core();
            core.phase == Phase::Open && core.cause == evidence::Evidence::Connection
        };
        upstreams
            .values()
            .filter(|upstream| {
                is_lost
                    || waits(&upstream.scope)
                    || upstream
                        .all_models()
                        .iter()
                        .any(|model| waits(&model.scope))
            })
            .map(|upstream| upstream.id.clone())
            .collect()
    }

    /// A free probe has reached an upstream: it may be tried now. It cannot close or trip anything.
    pub fn health_checked(&self, upstream: &UpstreamId, now: Instant) -> Option<HealthChange> {
        let now = self.epoch.tick(now);
        let is_network_back = self.network.reached(now);
        let upstreams = locked(&self.upstreams);
        if let Some(upstream) = upstreams.get(upstream) {
            upstream.scope.shorten(now);
            for model in upstream.all_models() {
                model.scope.shorten(now);
            }
        }
        is_network_back.then_some(HealthChange::NetworkBack)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, model))]
mod model_health;
#[cfg(all(test, not(model)))]
mod tests;
