//! Everything that is believed, by upstream and model.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::by_hand::ByHand;
use super::cooldown::Cooldown;
use super::fleet_probe::FleetProbes;
use super::model_health::ModelHealth;
use super::network::Network;
use super::time::Epoch;
use super::upstream_health::UpstreamHealth;
use crate::config::UpstreamId;
use crate::event::{HealthChange, ScopeId};

/// The health of all upstreams and models. It outlives configurations: a model that is asked for again is as it was.
#[derive(Debug)]
pub struct Health {
    pub(super) epoch: Epoch,
    pub(super) network: Arc<Network>,
    pub(super) fleet_probes: Arc<FleetProbes>,
    /// In order, like the models, so that a simulation of replicas does the same each time.
    upstreams: Mutex<BTreeMap<UpstreamId, Arc<UpstreamHealth>>>,
    models: Mutex<BTreeMap<ScopeId, Arc<ModelHealth>>>,
    /// A number for the URL and keys of each upstream: with another number it is another account.
    identities: Mutex<HashMap<UpstreamId, u64>>,
    /// What was taken out by hand. It outlives what is believed about an upstream, which a new key is enough to end.
    hands: Mutex<HashMap<UpstreamId, Arc<ByHand>>>,
}

impl Health {
    /// Nothing is known yet, so everything is trusted. No later call may be given an earlier time than `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            epoch: Epoch::starting_at(now),
            network: Arc::default(),
            fleet_probes: Arc::default(),
            upstreams: Mutex::default(),
            models: Mutex::default(),
            identities: Mutex::default(),
            hands: Mutex::default(),
        }
    }

    /// Sets which upstreams there are, each with a number that stands for its URL and keys. What is believed about an
    /// upstream that is gone, or has become another account, is forgotten.
    pub fn adopt(&self, upstreams: HashMap<UpstreamId, u64>) {
        let mut known = locked(&self.identities);
        let is_same = |id: &UpstreamId| known.get(id) == upstreams.get(id);
        locked(&self.upstreams).retain(|id, _| is_same(id));
        locked(&self.models).retain(|scope, _| is_same(&scope.upstream));
        locked(&self.hands).retain(|id, _| upstreams.contains_key(id));
        *known = upstreams;
    }

    /// Forgets the models for which `is_used` is false: no route leads to them any more.
    pub fn forget_unless(&self, is_used: impl Fn(&ScopeId) -> bool) {
        locked(&self.models).retain(|scope, _| is_used(scope));
    }

    /// The health of a model, as the configuration names it, at an upstream that has so many keys.
    pub fn model(&self, upstream: &UpstreamId, model: &Arc<str>, keys: usize) -> Arc<ModelHealth> {
        let keys = keys.max(1);
        let upstream_health = self.upstream(upstream, keys);
        let id = ScopeId {
            upstream: upstream.clone(),
            model: Some(Arc::clone(model)),
        };
        let mut models = locked(&self.models);
        let known = models.entry(id).or_insert_with_key(|id| {
            let scope = upstream_health.models.add(id.clone());
            let network = Arc::clone(&self.network);
            Arc::new(ModelHealth::new(
                upstream_health,
                scope,
                keys,
                self.epoch,
                network,
            ))
        });
        Arc::clone(known)
    }

    /// An upstream's key, by its position, has been replaced: it is not refused any more.
    pub fn key_renewed(&self, upstream: &UpstreamId, key: usize) {
        for model in self.models() {
            if model.id().upstream == *upstream {
                let cooldowns = model.family().flat_map(|model| model.cooldowns_of(key));
                cooldowns.for_each(Cooldown::key_renewed);
            }
        }
    }

    fn upstream(&self, id: &UpstreamId, keys: usize) -> Arc<UpstreamHealth> {
        let mut upstreams = locked(&self.upstreams);
        let new = || {
            let upstream = UpstreamHealth::new(id.clone(), keys).with_hand(self.hand(id));
            Arc::new(upstream.with_trials(Arc::clone(&self.fleet_probes)))
        };
        let upstream = Arc::clone(upstreams.entry(id.clone()).or_insert_with(new));
        self.network.lead_to(upstreams.values());
        upstream
    }

    /// Whether there is such an upstream.
    pub(super) fn has(&self, upstream: &UpstreamId) -> bool {
        locked(&self.identities).contains_key(upstream)
    }

    pub(super) fn hand(&self, upstream: &UpstreamId) -> Arc<ByHand> {
        let mut hands = locked(&self.hands);
        Arc::clone(hands.entry(upstream.clone()).or_default())
    }

    pub(super) fn upstreams(&self) -> Vec<Arc<UpstreamHealth>> {
        locked(&self.upstreams).values().cloned().collect()
    }

    pub(super) fn models(&self) -> Vec<Arc<ModelHealth>> {
        locked(&self.models).values().cloned().collect()
    }

    /// Whether our own network is believed to be lost.
    pub fn is_network_lost(&self) -> bool {
        self.network.lost_since().is_some()
    }

    /// Since when our own network is believed to be lost.
    pub fn network_lost_for(&self, now: Instant) -> Option<Duration> {
        let now = self.epoch.tick(now);
        let since = self.network.lost_since()?;
        Some(Duration::from_secs_f32(since.seconds_until(now)))
    }

    /// The upstreams that a health check may bring back, or take out: those out of rotation because no connection came
    /// about, those that another replica could not connect to, or all while our own network is believed to be lost. What was taken out by hand is left alone.
    pub fn to_check(&self) -> Vec<UpstreamId> {
        let is_lost = self.is_network_lost();
        let may_come_back = |upstream: &UpstreamHealth| {
            let mut models = upstream.models.all().into_iter();
            let waits = is_lost
                || upstream.scope.waits_for_check()
                || upstream.hearsay.is_doubted()
                || models.any(|model| model.scope.waits_for_check());
            waits && !upstream.by_hand.is_out()
        };
        locked(&self.upstreams)
            .values()
            .filter(|upstream| may_come_back(upstream))
            .map(|upstream| upstream.id.clone())
            .collect()
    }

    /// A health check has reached an upstream, so that a half-open probe may be made now. A health check alone neither
    /// closes nor trips a scope.
    pub fn health_checked(&self, upstream: &UpstreamId, now: Instant) -> Option<HealthChange> {
        let now = self.epoch.tick(now);
        let is_network_back = self.network.reached(now);
        if let Some(upstream) = locked(&self.upstreams).get(upstream) {
            if upstream.hearsay.settle() {
                upstream.scope.calm(now);
            }
            upstream.scope.shorten(now);
            for model in upstream.models.all() {
                model.scope.shorten(now);
            }
        }
        is_network_back.then_some(HealthChange::NetworkBack)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
