//! What is believed about one scope: eight words of atomics, one cache line.
//!
//! ```text
//! CLOSED ──score ≥ threshold──▶ OPEN ──pause over, or a free probe──▶ HALF-OPEN ──enough successes──▶ SLOW_START ──▶ CLOSED
//!                                ▲                                        │ one failure                │ score ≥ threshold
//!                                └────────────────────────────────────────┴────────────────────────────┘
//! ```
//!
//! The score is a CUSUM (Page, 1954): the sum of the weights of all signs, never below zero, half forgotten within
//! minutes. The threshold `ln(r·3600) + ½ ln(r)` follows the rate `r` of requests, so that an upstream which fails just
//! as often as tolerated trips about once an hour at any traffic (the mean time between false alarms of a CUSUM is at
//! least `e^h` samples; Lorden, 1971).
//!
//! *Invariant:* the word `core` changes by compare-and-swap only, and whoever changes it tidies up the others; so two
//! threads that trip at once make one transition.

use super::packed::atomic::{AtomicU64, Ordering};

use super::evidence::Evidence;
use super::packed::{Core, Phase, SlowStart, halves, pair};
use super::time::Tick;
/// A trial without a verdict for so long, in seconds, is handed on.
const LEASE: f32 = 35.0;
const MOST_PROBES: u32 = 4;
/// One step of the ramp, in seconds; also how soon a refused request may ask again.
pub(super) const STEP: f32 = 1.0;

/// One scope: a provider, or a model at it.
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
    /// Probes under way, tick of the last one.
    pub(super) probes: AtomicU64,
    /// Offered requests, averaged (f32), tick of the last one.
    pub(super) demand: AtomicU64,
    /// Tick of the last full close, tick of leaving CLOSED.
    pub(super) times: AtomicU64,
    /// Tick of the first request, tick of the last change of state.
    pub(super) since: AtomicU64,
}

/// What a scope says to a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Admission {
    Admitted,
    Probe,
    Refused { until: Tick },
}
impl Scope {
    /// A scope that is trusted.
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

    /// Changes the deciding word, if `change` still wants to when it sees the word that is there.
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
                Err(now) => seen = now,
            }
        }
    }

    pub(super) fn change(packed: &AtomicU64, change: impl Fn(u64) -> u64) -> u64 {
        let mut seen = packed.load(Ordering::Relaxed);
        loop {
            let new = change(seen);
            match packed.compare_exchange_weak(seen, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return new,
                Err(now) => seen = now,
            }
        }
    }

    /// Whether a request may go here. `draw` is a random number between 0 and 1.
    pub(super) fn admit(&self, now: Tick, draw: f32) -> Admission {
        loop {
            let core = self.core();
            match core.phase {
                Phase::Closed => return Admission::Admitted,
                Phase::Open if now < core.until => return Admission::Refused { until: core.until },
                Phase::Open => self.begin_probes(now),
                Phase::HalfOpen => return self.admit_probe(core, now),
                Phase::SlowStart => {
                    self.climb(now);
                    let slow_start = self.load_slow_start();
                    let is_in_slow_start = self.core().phase == Phase::SlowStart;
                    if !is_in_slow_start || slow_start.fraction >= 1.0 || draw < slow_start.fraction
                    {
                        return Admission::Admitted;
                    }
                    return Admission::Refused {
                        until: now.plus(STEP),
                    };
                }
            }
        }
    }

    fn begin_probes(&self, now: Tick) {
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

    fn admit_probe(&self, core: Core, now: Tick) -> Admission {
        let (running, last) = halves(self.probes.load(Ordering::Acquire));
        let is_lost = Tick(last).seconds_until(now) > LEASE;
        if running < MOST_PROBES.min(1 + core.good) || is_lost {
            Admission::Probe
        } else {
            Admission::Refused {
                until: now.plus(STEP),
            }
        }
    }

    /// Takes a place for a trial that `admit` offered; false if somebody else was quicker.
    pub(super) fn begin_probe(&self, now: Tick) -> bool {
        let core = self.core();
        if core.phase != Phase::HalfOpen {
            return false;
        }
        let most = MOST_PROBES.min(1 + core.good);
        let mut seen = self.probes.load(Ordering::Acquire);
        loop {
            let (running, last) = halves(seen);
            let is_lost = Tick(last).seconds_until(now) > LEASE;
            if running >= most && !is_lost {
                return false;
            }
            let running = if is_lost { 1 } else { running + 1 };
            match self.probes.compare_exchange_weak(
                seen,
                pair(running, now.0),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
    }

    /// Gives a trial's place back.
    pub(super) fn end_probe(&self) {
        Self::change(&self.probes, |packed| {
            let (running, last) = halves(packed);
            pair(running.saturating_sub(1), last)
        });
    }

    /// How many trials are under way.
    pub(super) fn probes(&self) -> u32 {
        halves(self.probes.load(Ordering::Acquire)).0
    }

    pub(super) fn last_probe(&self) -> Tick {
        Tick(halves(self.probes.load(Ordering::Acquire)).1)
    }

    pub(super) fn touch_probes(&self, now: Tick) {
        Self::change(&self.probes, |packed| pair(halves(packed).0, now.0));
    }

    /// Remembers that an attempt was made although it is open.
    pub(super) fn force(&self) {
        self.swap(|core| {
            (core.phase == Phase::Open && !core.is_forced).then_some(Core {
                is_forced: true,
                ..core
            })
        });
    }

    /// A free probe got through: an open scope may be tried now.
    pub(super) fn shorten(&self, now: Tick) -> bool {
        self.swap(|core| {
            (core.phase == Phase::Open && core.cause == Evidence::Connection && core.until > now)
                .then_some(Core { until: now, ..core })
        })
        .is_some()
    }
}
