//! Telling the loss of our own network from the failure of upstreams.
//!
//! If two upstreams cannot be connected to within seconds and nothing at all succeeds in between, the fault is most
//! likely ours: nobody is blamed, and what was blamed on them is taken back. An upstream that refuses a connection has
//! been reached, so refusals never count. If something succeeds shortly after, the suspicion was wrong, and is not
//! raised again for a minute.

use std::sync::Weak;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwap;

use super::model_health::UpstreamHealth;
use super::time::Tick;
use crate::outcome::{Outcome, Unreachable};

/// Losses count together if they happen within this time, in seconds.
const TOGETHER: f32 = 10.0;
/// How long a refuted suspicion is not raised again, in seconds.
const REFUTED: f32 = 60.0;
/// A suspicion that is refuted so soon, in seconds, was wrong; later, the network has come back.
const SOON: f32 = 1.0;

/// What is believed about our own network.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) upstreams: ArcSwap<Vec<Weak<UpstreamHealth>>>,
    reached_at: AtomicU32,
    /// Since when it is believed to be lost; 0: it is not.
    lost_since: AtomicU32,
    refuted_at: AtomicU32,
}

impl Network {
    /// Since when it is believed to be lost.
    pub(super) fn lost_since(&self) -> Option<Tick> {
        Some(Tick(self.lost_since.load(Ordering::Acquire))).filter(|tick| tick.0 != 0)
    }

    /// Something succeeded, so it is there. True if it was believed to be lost.
    pub(super) fn reached(&self, now: Tick) -> bool {
        self.reached_at.store(now.0, Ordering::Release);
        if self.lost_since.load(Ordering::Acquire) == 0 {
            return false;
        }
        let since = self.lost_since.swap(0, Ordering::AcqRel);
        if since != 0 && Tick(since).seconds_until(now) < SOON {
            self.refuted_at.store(now.0, Ordering::Release);
        }
        since != 0
    }

    /// A connection failed. True if that is our own network's fault.
    pub(super) fn lost(&self, upstream: &UpstreamHealth, outcome: &Outcome, now: Tick) -> bool {
        let may_be_ours = matches!(
            outcome,
            Outcome::Unreachable(Unreachable::Dns | Unreachable::TimedOut | Unreachable::Other)
        );
        if !may_be_ours {
            self.reached(now);
            return false;
        }
        upstream.lost_at.store(now.0, Ordering::Release);
        if self.lost_since().is_some() {
            return true;
        }
        if self.is_refuted(now) || self.lost_upstreams(now) < 2 {
            return false;
        }
        self.lost_since.store(now.0.max(1), Ordering::Release);
        self.undo_trip(now);
        true
    }

    fn is_refuted(&self, now: Tick) -> bool {
        let refuted_at = self.refuted_at.load(Ordering::Acquire);
        refuted_at != 0 && Tick(refuted_at).seconds_until(now) < REFUTED
    }

    /// How many upstreams were lost since anything succeeded.
    fn lost_upstreams(&self, now: Tick) -> usize {
        let reached_at = self.reached_at.load(Ordering::Acquire);
        self.upstreams
            .load()
            .iter()
            .filter_map(Weak::upgrade)
            .map(|upstream| upstream.lost_at.load(Ordering::Acquire))
            .filter(|lost_at| *lost_at > reached_at && Tick(*lost_at).seconds_until(now) < TOGETHER)
            .count()
    }

    /// Takes back what the loss was blamed on upstreams before there was a second witness.
    fn undo_trip(&self, now: Tick) {
        for upstream in self.upstreams.load().iter().filter_map(Weak::upgrade) {
            upstream.scope.undo_trip(now, TOGETHER);
            for model in upstream.all_models() {
                model.scope.undo_trip(now, TOGETHER);
            }
        }
    }
}
