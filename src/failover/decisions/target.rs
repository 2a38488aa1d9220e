//! A candidate with one of its keys.

use std::sync::Arc;

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::health::ModelHealth;
use crate::routing::Candidate;

/// A candidate with one of its keys.
#[derive(Clone, Copy, Debug)]
pub(in crate::failover) struct Target<'a> {
    pub(in crate::failover) candidate: &'a Candidate,
    /// The health of the model that the client asks for.
    pub(in crate::failover) health: &'a Arc<ModelHealth>,
    pub(in crate::failover) key: usize,
}

impl Target<'_> {
    pub(in crate::failover) fn blocked_until(&self, now: Instant) -> Option<Instant> {
        self.health.blocked_until(self.key, now)
    }

    /// When it may be asked again.
    pub(in crate::failover) fn back_at(&self, now: Instant) -> Instant {
        self.blocked_until(now).unwrap_or(now)
    }
}

/// Some of a candidate's keys, by their positions. Most upstreams have one.
pub(in crate::failover) type Keys = SmallVec<[usize; 2]>;

/// All keys of a candidate, beginning with the one whose turn it is.
pub(in crate::failover) fn keys_in_turn(candidate: &Candidate) -> Keys {
    let first = candidate.upstream.next_key();
    let count = candidate.upstream.key_count().max(1);
    (0..count).map(|offset| (first + offset) % count).collect()
}
