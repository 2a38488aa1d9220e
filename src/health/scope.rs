//! One scope, that is an upstream or a model at it: a circuit breaker in eight words of atomics, on one cache line.
//!
//! ```text
//! CLOSED ──score ≥ threshold──▶ OPEN ──pause over, or a health check──▶ HALF-OPEN ──enough successes──▶ SLOW START ──▶ CLOSED
//!                                ▲                                        │ one failure                │ score ≥ threshold
//!                                └────────────────────────────────────────┴────────────────────────────┘
//! ```
//!
//! *Invariant:* the word `core` changes by compare-and-swap only, and the thread that changes it updates the others. So
//! two threads that trip a scope at once make one transition.

use std::time::Duration;

use super::evidence::Evidence;
use super::packed::atomic::{AtomicU64, Ordering};
use super::packed::{Core, Phase, SlowStart, halves, pair};
use super::time::Tick;

/// A scope that is open for lost connections is checked so often, in seconds.
const CHECKED_EVERY: f32 = 5.0;

/// The circuit breaker of an upstream, or of a model at it.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Scope {
    pub(super) core: AtomicU64,
    /// Score (f32), tick of the last evidence.
    pub(super) score: AtomicU64,
    /// Fraction and slow-start threshold (16 bits each, of 65535), tick of the last step.
    pub(super) slow_start: AtomicU64,
    /// Successes, failures since the last step.
    pub(super) counts: AtomicU64,
    /// Probes in flight, tick of the last one.
    pub(super) probes: AtomicU64,
    /// Offered requests, averaged (f32), tick of the last one.
    pub(super) demand: AtomicU64,
    /// Tick of the last full close, tick of leaving CLOSED.
    pub(super) times: AtomicU64,
    /// Tick of the first request, tick of the last change of state.
    pub(super) since: AtomicU64,
}

impl Scope {
    /// A new scope is closed: it is trusted.
    pub(super) fn new() -> Self {
        let whole = SlowStart {
            fraction: 1.0,
            threshold: 1.0,
            tick: Tick(0),
        };
        let core = Core {
            phase: Phase::Closed,
            level: 0,
            cause: Evidence::Failure,
            good: 0,
            is_forced: false,
            epoch: 0,
            until: Tick(0),
        };
        Self {
            core: AtomicU64::new(core.pack()),
            score: AtomicU64::new(0),
            slow_start: AtomicU64::new(whole.pack()),
            counts: AtomicU64::new(0),
            probes: AtomicU64::new(0),
            demand: AtomicU64::new(0),
            times: AtomicU64::new(0),
            since: AtomicU64::new(0),
        }
    }

    pub(super) fn core(&self) -> Core {
        Core::unpack(self.core.load(Ordering::Acquire))
    }

    /// Changes `core`, unless `change` declines the state that it finds. Returns the state before and after.
    pub(super) fn swap(&self, change: impl Fn(Core) -> Option<Core>) -> Option<(Core, Core)> {
        let mut seen = self.core.load(Ordering::Acquire);
        loop {
            let old = Core::unpack(seen);
            let new = change(old)?;
            match self.core.compare_exchange_weak(
                seen,
                new.pack(),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some((old, new)),
                Err(actual) => seen = actual,
            }
        }
    }

    /// Changes one of the other packed values, and returns it.
    pub(super) fn change(packed: &AtomicU64, change: impl Fn(u64) -> u64) -> u64 {
        let mut seen = packed.load(Ordering::Relaxed);
        loop {
            let new = change(seen);
            match packed.compare_exchange_weak(seen, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return new,
                Err(actual) => seen = actual,
            }
        }
    }

    /// When it was closed last; tick 0: always.
    pub(super) fn closed_until(&self) -> Tick {
        Tick(halves(self.times.load(Ordering::Relaxed)).1)
    }

    /// When a half-open probe may be made, if it is open: soon, where health checks decide that.
    pub(super) fn probed_in(&self, now: Tick) -> Duration {
        let seconds = now.seconds_until(self.core().until);
        Duration::from_secs_f32(if self.waits_for_check() {
            seconds.min(CHECKED_EVERY)
        } else {
            seconds
        })
    }

    /// Whether it is open because no connection came about, so that a health check may bring it back.
    pub(super) fn waits_for_check(&self) -> bool {
        let core = self.core();
        core.phase == Phase::Open && core.cause == Evidence::Connection
    }

    pub(super) fn note_change(&self, now: Tick) {
        Self::change(&self.since, |packed| pair(halves(packed).0, now.0));
    }

    /// When its state last changed; tick 0: never.
    pub(super) fn changed_at(&self) -> Tick {
        Tick(halves(self.since.load(Ordering::Relaxed)).1)
    }
}
