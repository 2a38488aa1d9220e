//! Upstreams that an operator has taken out of rotation by hand.
//!
//! It is no verdict about health: the circuit breaker stays as it is, and goes on where it was. Nothing is sent to the
//! upstream while it is out, not even as a last resort: whoever takes it out may have a reason that backstop cannot know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::model_health::ModelHealth;
use super::registry::Health;
use super::time::Tick;
use crate::config::UpstreamId;

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
    fn take_out(&self, now: Tick) -> bool {
        let since = now.0.max(1);
        let taken = self
            .0
            .compare_exchange(0, since, Ordering::AcqRel, Ordering::Acquire);
        taken.is_ok()
    }

    /// Whether that changes anything.
    fn put_back(&self) -> bool {
        self.0.swap(0, Ordering::AcqRel) != 0
    }
}

impl Health {
    /// Takes an upstream out until it is put back: nothing is sent to it any more. What it is answering goes on. Says
    /// whether that changes anything; `None`: there is no such upstream.
    pub fn take_out(&self, upstream: &UpstreamId, now: Instant) -> Option<bool> {
        let now = self.epoch.tick(now);
        self.known_hand(upstream).map(|hand| hand.take_out(now))
    }

    /// Puts an upstream back that was taken out: from now on its circuit breaker decides again. Says whether that changes
    /// anything; `None`: there is no such upstream.
    pub fn put_back(&self, upstream: &UpstreamId) -> Option<bool> {
        self.known_hand(upstream).map(|hand| hand.put_back())
    }

    /// Whether an upstream has been taken out.
    pub fn is_taken_out(&self, upstream: &UpstreamId) -> bool {
        let hand = self.known_hand(upstream);
        hand.is_some_and(|hand| hand.is_out())
    }

    fn known_hand(&self, upstream: &UpstreamId) -> Option<Arc<ByHand>> {
        self.has(upstream).then(|| self.hand(upstream))
    }
}

impl ModelHealth {
    /// Whether its upstream has been taken out.
    pub fn is_taken_out(&self) -> bool {
        self.upstream.by_hand.is_out()
    }

    pub(super) fn taken_out_for(&self, now: Tick) -> Option<Duration> {
        self.upstream.taken_out_for(now)
    }
}
