//! Upstreams that an operator has taken out of rotation by hand.
//!
//! It is no verdict about health: the circuit breaker stays as it is, and goes on where it was. Nothing is sent to the
//! upstream while it is out, not even as a last resort: whoever takes it out may have a reason that backstop cannot know.

use std::sync::atomic::{AtomicU32, Ordering};

use super::time::Tick;

/// Since when an upstream has been out by hand; 0: it is not.
#[derive(Debug, Default)]
pub(super) struct ByHand(AtomicU32);

impl ByHand {
    pub(super) fn since(&self) -> Option<Tick> {
        let since = Tick(self.0.load(Ordering::Acquire));
        (since.0 != 0).then_some(since)
    }

    pub(super) fn is_out(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    /// Whether that changes anything.
    pub(super) fn take_out(&self, now: Tick) -> bool {
        let since = now.0.max(1);
        let taken = self
            .0
            .compare_exchange(0, since, Ordering::AcqRel, Ordering::Acquire);
        taken.is_ok()
    }

    /// Whether that changes anything.
    pub(super) fn put_back(&self) -> bool {
        self.0.swap(0, Ordering::AcqRel) != 0
    }
}
