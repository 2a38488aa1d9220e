//! What we believe about each upstream, learnt from live requests alone.
//!
//! A [`Scope`] is asked before an attempt (`admit`) and told afterwards (`answered`, `finish`). Scopes are kept per
//! upstream, model and key, so that one broken model or one revoked key takes nothing else out of rotation.
//!
//! *Invariant:* no I/O and no clock in here: `now` is an argument, changes of state are return values.

mod breaker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

pub use breaker::{Breaker, Refusal};

use crate::event::{BreakerChange, ScopeId};
use crate::outcome::Outcome;

/// All scopes there are. Asking twice for the same one gives the same one.
#[derive(Debug, Default)]
pub struct Health {
    scopes: Mutex<HashMap<ScopeId, Arc<Scope>>>,
}

impl Health {
    /// The scope of this name; a new one is trusted.
    pub fn scope(&self, id: ScopeId) -> Arc<Scope> {
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        scopes
            .entry(id)
            .or_insert_with_key(|id| Arc::new(Scope::new(id.clone())))
            .clone()
    }
}

/// One thing that can be healthy or not.
#[derive(Debug)]
pub struct Scope {
    id: ScopeId,
    breaker: Mutex<Breaker>,
}

impl Scope {
    /// A scope that is trusted until it fails.
    pub fn new(id: ScopeId) -> Self {
        Self {
            id,
            breaker: Mutex::default(),
        }
    }

    /// Its name.
    pub fn id(&self) -> &ScopeId {
        &self.id
    }

    /// Asks whether an attempt may be made now.
    pub fn admit(self: &Arc<Self>, now: Instant) -> Result<Permit, Refusal> {
        let epoch = self.breaker().admit(now)?;
        Ok(self.permit(epoch))
    }

    /// Permits an attempt although the scope is out of rotation, because nothing better is left.
    pub fn force(self: &Arc<Self>, now: Instant) -> Permit {
        let epoch = self.breaker().force(now);
        self.permit(epoch)
    }

    /// When it may be asked again, if it may not now.
    pub fn blocked_until(&self, now: Instant) -> Option<Instant> {
        self.breaker().blocked_until(now)
    }

    fn permit(self: &Arc<Self>, epoch: u64) -> Permit {
        Permit {
            scope: Arc::clone(self),
            epoch,
            is_finished: false,
        }
    }

    /// The lock is held for a few instructions only, never across an await.
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to make one attempt. Dropped without a verdict, it counts for nothing and frees its trial slot.
#[derive(Debug)]
pub struct Permit {
    scope: Arc<Scope>,
    epoch: u64,
    is_finished: bool,
}

impl Permit {
    /// The first content has come: enough to pass a trial, not yet a success.
    pub fn answered(&mut self) -> Option<BreakerChange> {
        let mut breaker = self.scope.breaker();
        let change = breaker.answered(self.epoch)?;
        // What follows belongs to the new state.
        self.epoch = breaker.epoch();
        Some(change.of(&self.scope.id))
    }

    /// The attempt is over.
    pub fn finish(mut self, outcome: &Outcome, now: Instant) -> Option<BreakerChange> {
        self.is_finished = true;
        let change = self.scope.breaker().finish(self.epoch, outcome, now)?;
        Some(change.of(&self.scope.id))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.is_finished {
            self.scope.breaker().abandon(self.epoch);
        }
    }
}
