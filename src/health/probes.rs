//! Half-open probes: the few live requests that show whether a scope has healed.

use super::packed::atomic::Ordering;
use super::packed::{Core, Phase, halves, pair};
use super::scope::Scope;
use super::time::Tick;

/// A probe without a result for so long, in seconds, no longer keeps another one from starting.
const LEASE: f32 = 35.0;
const MOST_PROBES: u32 = 4;

impl Scope {
    /// The pause is over: an open scope becomes half-open.
    pub(super) fn begin_probes(&self, now: Tick) {
        let begun = self.swap(|core| {
            (core.phase == Phase::Open && now >= core.until).then_some(Core {
                phase: Phase::HalfOpen,
                good: 0,
                ..core
            })
        });
        if begun.is_some() {
            self.probes.store(0, Ordering::Release);
            self.note_change(now);
        }
    }

    /// Whether a half-open scope has room for one more probe. Each success makes room for another one.
    pub(super) fn has_room(&self, core: Core, now: Tick) -> bool {
        has_room(core, self.probes.load(Ordering::Acquire), now)
    }

    /// Starts a probe; false if the scope is not half-open, or another request was faster.
    pub(super) fn begin_probe(&self, now: Tick) -> bool {
        let core = self.core();
        if core.phase != Phase::HalfOpen {
            return false;
        }
        let mut seen = self.probes.load(Ordering::Acquire);
        loop {
            if !has_room(core, seen, now) {
                return false;
            }
            let (running, last) = halves(seen);
            let running = if is_overdue(last, now) {
                1
            } else {
                running + 1
            };
            match self.probes.compare_exchange_weak(
                seen,
                pair(running, now.0),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(actual) => seen = actual,
            }
        }
    }

    /// Ends a probe, so that another one may start.
    pub(super) fn end_probe(&self) {
        Self::change(&self.probes, |packed| {
            let (running, last) = halves(packed);
            pair(running.saturating_sub(1), last)
        });
    }

    /// How many probes are in flight.
    pub(super) fn probes(&self) -> u32 {
        halves(self.probes.load(Ordering::Acquire)).0
    }

    /// When the last probe began, or was noted.
    pub(super) fn last_probe(&self) -> Tick {
        Tick(halves(self.probes.load(Ordering::Acquire)).1)
    }

    /// Notes that a probe ended now, or that a request tries an open scope in its turn.
    pub(super) fn touch_probes(&self, now: Tick) {
        Self::change(&self.probes, |packed| pair(halves(packed).0, now.0));
    }
}

fn has_room(core: Core, probes: u64, now: Tick) -> bool {
    let (running, last) = halves(probes);
    running < MOST_PROBES.min(1 + core.good) || is_overdue(last, now)
}

fn is_overdue(last: u32, now: Tick) -> bool {
    Tick(last).seconds_until(now) > LEASE
}
