//! What a scope has to do with other replicas: who tries it, and what of its state is another's word.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::fleet_probe::FleetProbe;
use super::scope::Scope;

/// What a scope has to do with other replicas.
#[derive(Debug, Default)]
pub(super) struct Hearsay {
    pub(super) fleet_probe: FleetProbe,
    /// The epoch into which another's word has brought the scope, plus one.
    hearsay_epoch: AtomicU32,
    /// Whether another replica could not connect, so that a health check is to find out whether we can.
    is_doubted: AtomicBool,
}

impl Hearsay {
    /// Another replica could not connect.
    pub(super) fn doubt(&self) {
        self.is_doubted.store(true, Ordering::Release);
    }

    pub(super) fn is_doubted(&self) -> bool {
        self.is_doubted.load(Ordering::Acquire)
    }

    /// The doubt is settled. Whether there was one.
    pub(super) fn settle(&self) -> bool {
        self.is_doubted.swap(false, Ordering::AcqRel)
    }

    /// The state that the scope is in now is another's word.
    pub(super) fn mark(&self, scope: &Scope) {
        self.hearsay_epoch
            .store(scope.core().epoch + 1, Ordering::Release);
    }

    /// Whether that epoch began with another's word.
    pub(super) fn is_told(&self, epoch: u32) -> bool {
        self.hearsay_epoch.load(Ordering::Acquire) == epoch + 1
    }
}
