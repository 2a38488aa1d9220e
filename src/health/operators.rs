//! What operators do to health: take an upstream out by hand, and put it back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::by_hand::ByHand;
use super::model_health::ModelHealth;
use super::registry::Health;
use super::time::Tick;
use crate::config::UpstreamId;

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
