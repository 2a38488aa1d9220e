//! What we believe about each upstream, learnt from live requests: evidence, not a window.
//!
//! Every attempt leaves signs (`evidence`), which are weighed on two scopes: the upstream, and the model at it. A
//! `scope` that has gathered enough is taken out of rotation, tried again by a few live requests, and given its
//! traffic back step by step. Who is guilty, the upstream or one model, is decided by contrast (`leaf`). Waiting for
//! too long is a sign while it lasts (`slow`). Rate limits, refused keys and missing models are no signs of ill
//! health but `gate`s: facts with a deadline. If several upstreams vanish at once, it is our own `network`.
//!
//! *Invariant:* no I/O and no clock in here: `now` is an argument, changes of state are return values. No lock is
//! taken to admit or to report.

mod evidence;
mod gate;
mod leaf;
mod network;
mod outlook;
mod permit;
mod ramp;
mod scope;
mod score;
mod slow;
mod tallies;
mod time;
mod transition;
mod view;
mod word;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

pub use gate::Reason;
pub use leaf::Leaf;
pub use outlook::Outlook;
pub use permit::Permit;
pub use slow::Shape;
pub use tallies::Counts;
pub use view::{GateView, ScopeView};
pub use word::Phase;

use self::gate::Gate;
use self::leaf::Account;
use self::network::Network;
use self::time::Epoch;
use crate::config::UpstreamId;
use crate::event::{HealthChange, ScopeId};

/// Why no attempt may be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When asking again makes sense.
    pub until: Instant,
    /// What keeps even a last resort from calling it; `None`: it is only out of rotation.
    pub gated_by: Option<Reason>,
}

/// All that is believed. It outlives configurations: asking twice for the same leaf gives the same one.
#[derive(Debug)]
pub struct Health {
    epoch: Epoch,
    network: Arc<Network>,
    accounts: Mutex<HashMap<UpstreamId, Arc<Account>>>,
    leaves: Mutex<HashMap<ScopeId, Arc<Leaf>>>,
    /// What makes an upstream the same account as before.
    identities: Mutex<HashMap<UpstreamId, u64>>,
}

impl Health {
    /// Nothing is known yet, so everything is trusted.
    pub fn new() -> Self {
        Self {
            epoch: Epoch::now(),
            network: Arc::default(),
            accounts: Mutex::default(),
            leaves: Mutex::default(),
            identities: Mutex::default(),
        }
    }

    /// Takes over which upstreams there are, each with a number that stands for its URL and keys. What is believed of
    /// upstreams that are no more, or have become another account, is forgotten.
    pub fn adopt(&self, upstreams: HashMap<UpstreamId, u64>) {
        let mut known = locked(&self.identities);
        let is_same = |id: &UpstreamId| known.get(id) == upstreams.get(id);
        locked(&self.accounts).retain(|id, _| is_same(id));
        locked(&self.leaves).retain(|scope, _| is_same(&scope.upstream));
        *known = upstreams;
    }

    /// Forgets the models of which `is_used` says no: no route leads to them any more.
    pub fn forget_unless(&self, is_used: impl Fn(&ScopeId) -> bool) {
        locked(&self.leaves).retain(|scope, _| is_used(scope));
    }

    /// The leaf for a model, as the configuration names it, at an upstream with so many keys.
    pub fn leaf(&self, upstream: &UpstreamId, model: &Arc<str>, keys: usize) -> Arc<Leaf> {
        let account = self.account(upstream, keys);
        let id = ScopeId {
            upstream: upstream.clone(),
            model: Some(Arc::clone(model)),
        };
        let mut leaves = locked(&self.leaves);
        if let Some(leaf) = leaves.get(&id) {
            return Arc::clone(leaf);
        }
        let siblings = account.all_leaves();
        let leaf = Arc::new(Leaf {
            index: siblings
                .iter()
                .map(|leaf| leaf.index + 1)
                .max()
                .unwrap_or(0),
            account: Arc::clone(&account),
            id: id.clone(),
            scope: scope::Scope::new(),
            gates: (0..keys.max(1)).map(|_| Gate::default()).collect(),
            baselines: slow::Baselines::default(),
            tallies: tallies::Tallies::default(),
            epoch: self.epoch,
            network: Arc::clone(&self.network),
        });
        let more = siblings.iter().chain([&leaf]).map(Arc::downgrade);
        account.leaves.store(Arc::new(more.collect()));
        leaves.insert(id, Arc::clone(&leaf));
        leaf
    }

    fn account(&self, upstream: &UpstreamId, keys: usize) -> Arc<Account> {
        let mut accounts = locked(&self.accounts);
        let account = accounts
            .entry(upstream.clone())
            .or_insert_with(|| Arc::new(Account::new(upstream.clone(), keys.max(1))))
            .clone();
        self.network
            .accounts
            .store(Arc::new(accounts.values().map(Arc::downgrade).collect()));
        account
    }

    /// Whether our own network is believed to be lost.
    pub fn is_network_lost(&self) -> bool {
        self.network.lost_since().is_some()
    }

    /// Upstreams that a free probe may bring back: those out of rotation because no connection came about, or all of
    /// them while our own network is lost.
    pub fn to_probe(&self) -> Vec<UpstreamId> {
        let is_lost = self.is_network_lost();
        let accounts = locked(&self.accounts);
        let waits = |scope: &scope::Scope| {
            let core = scope.core();
            core.phase == Phase::Open && core.cause == evidence::Sign::Connection
        };
        accounts
            .values()
            .filter(|account| {
                is_lost
                    || waits(&account.scope)
                    || account.all_leaves().iter().any(|leaf| waits(&leaf.scope))
            })
            .map(|account| account.id.clone())
            .collect()
    }

    /// A free probe has reached an upstream: it may be tried now. It cannot close or trip anything.
    pub fn probed(&self, upstream: &UpstreamId, now: Instant) -> Option<HealthChange> {
        let now = self.epoch.tick(now);
        let is_network_back = self.network.reached(now);
        let accounts = locked(&self.accounts);
        if let Some(account) = accounts.get(upstream) {
            account.scope.shorten(now);
            for leaf in account.all_leaves() {
                leaf.scope.shorten(now);
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
mod model;
#[cfg(all(test, not(model)))]
mod tests;
