//! The models of one upstream. When one of them fails, the others tell whether the upstream as a whole is the cause.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;

use super::hearsay::Hearsay;
use super::packed::Phase;
use super::scope::Scope;
use super::time::Tick;
use crate::event::ScopeId;

/// A model that was not asked for during so many seconds says nothing about its siblings.
const RECENT: f32 = 60.0;
/// A score of this part of the threshold is suspicious.
pub(super) const SUSPICIOUS: f32 = 0.25;

/// The circuit breaker of one model at an upstream.
#[derive(Debug)]
pub(super) struct ModelScope {
    pub(super) id: ScopeId,
    /// Which of the upstream's models it is.
    index: u32,
    pub(super) scope: Scope,
    pub(super) hearsay: Hearsay,
}

impl ModelScope {
    /// Its bit in a set of models. From the 65th model on, models share bits.
    pub(super) fn bit(&self) -> u64 {
        1 << (self.index % 64)
    }
}

/// All models of one upstream that are in use.
#[derive(Debug, Default)]
pub(super) struct Siblings {
    models: ArcSwap<Vec<Weak<ModelScope>>>,
    /// How many have been added.
    added: AtomicU32,
}

impl Siblings {
    pub(super) fn all(&self) -> Vec<Arc<ModelScope>> {
        let models = self.models.load();
        models.iter().filter_map(Weak::upgrade).collect()
    }

    /// Adds a model.
    pub(super) fn add(&self, id: ScopeId) -> Arc<ModelScope> {
        let model = Arc::new(ModelScope {
            id,
            index: self.added.fetch_add(1, Ordering::Relaxed),
            scope: Scope::new(),
            hearsay: Hearsay::default(),
        });
        self.models.rcu(|models| {
            let others = models.iter().filter(|other| other.strong_count() > 0);
            let others = others.cloned();
            others.chain([Arc::downgrade(&model)]).collect::<Vec<_>>()
        });
        model
    }

    /// The state of the worst of the other models.
    pub(super) fn worst_besides(&self, model: &ModelScope, now: Tick) -> SiblingState {
        let mut worst = SiblingState::Healthy;
        for sibling in self.all() {
            let scope = &sibling.scope;
            if sibling.index == model.index || scope.idle_for(now) > RECENT {
                continue;
            }
            if scope.core().phase == Phase::Open {
                worst = worst.max(SiblingState::Open);
            } else if scope.score(now) >= SUSPICIOUS * scope.threshold() {
                worst = SiblingState::Suspicious;
            }
        }
        worst
    }
}

/// The state of other models. The greatest says the most about their upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SiblingState {
    /// All are healthy, or there are none.
    Healthy,
    /// One is out of rotation already, for failures of its own.
    Open,
    /// One fails more than it should, too.
    Suspicious,
}
