//! What is believed about one scope: eight words of atomics, one cache line.
//!
//! ```text
//! CLOSED ──score ≥ threshold──▶ OPEN ──pause over, or a free probe──▶ HALF-OPEN ──enough successes──▶ RAMP ──▶ CLOSED
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

use super::word::atomic::{AtomicU64, Ordering};

use super::evidence::Sign;
use super::time::Tick;
use super::word::{Core, Phase, Ramp, halves, pair};
/// A trial without a verdict for so long, in seconds, is handed on.
const LEASE: f32 = 35.0;
const MOST_TRIALS: u32 = 4;
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
    pub(super) ramp: AtomicU64,
    /// Successes, failures since the last step.
    pub(super) counts: AtomicU64,
    /// Trials under way, tick of the last one.
    pub(super) trials: AtomicU64,
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
    Trial,
    Refused { until: Tick },
}
impl Scope {
    /// A scope that is trusted.
    pub(super) fn new() -> Self {
        let whole = Ramp {
            fraction: 1.0,
            threshold: 1.0,
            tick: Tick(0),
        };
        let core = Core {
            phase: Phase::Closed,
            level: 0,
            cause: Sign::Failure,
            good: 0,
            is_forced: false,
            epoch: 0,
            until: Tick(0),
        };
        Self {
            core: AtomicU64::new(core.pack()),
            score: AtomicU64::new(0),
            ramp: AtomicU64::new(whole.pack()),
            counts: AtomicU64::new(0),
            trials: AtomicU64::new(0),
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

    pub(super) fn change(word: &AtomicU64, change: impl Fn(u64) -> u64) -> u64 {
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let new = change(seen);
            match word.compare_exchange_weak(seen, new, Ordering::AcqRel, Ordering::Relaxed) {
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
                Phase::Open => self.begin_trials(now),
                Phase::HalfOpen => return self.admit_trial(core, now),
                Phase::Ramp => {
                    self.climb(now);
                    let ramp = self.load_ramp();
                    let is_on_ramp = self.core().phase == Phase::Ramp;
                    if !is_on_ramp || ramp.fraction >= 1.0 || draw < ramp.fraction {
                        return Admission::Admitted;
                    }
                    return Admission::Refused {
                        until: now.plus(STEP),
                    };
                }
            }
        }
    }

    fn begin_trials(&self, now: Tick) {
        let begun = self.swap(|core| {
            (core.phase == Phase::Open && now >= core.until).then_some(Core {
                phase: Phase::HalfOpen,
                good: 0,
                ..core
            })
        });
        if begun.is_some() {
            self.trials.store(0, Ordering::Release);
            self.note_change(now);
        }
    }

    fn admit_trial(&self, core: Core, now: Tick) -> Admission {
        let (running, last) = halves(self.trials.load(Ordering::Acquire));
        let is_lost = Tick(last).seconds_until(now) > LEASE;
        if running < MOST_TRIALS.min(1 + core.good) || is_lost {
            Admission::Trial
        } else {
            Admission::Refused {
                until: now.plus(STEP),
            }
        }
    }

    /// Takes a place for a trial that `admit` offered; false if somebody else was quicker.
    pub(super) fn begin_trial(&self, now: Tick) -> bool {
        let core = self.core();
        if core.phase != Phase::HalfOpen {
            return false;
        }
        let most = MOST_TRIALS.min(1 + core.good);
        let mut seen = self.trials.load(Ordering::Acquire);
        loop {
            let (running, last) = halves(seen);
            let is_lost = Tick(last).seconds_until(now) > LEASE;
            if running >= most && !is_lost {
                return false;
            }
            let running = if is_lost { 1 } else { running + 1 };
            match self.trials.compare_exchange_weak(
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
    pub(super) fn end_trial(&self) {
        Self::change(&self.trials, |word| {
            let (running, last) = halves(word);
            pair(running.saturating_sub(1), last)
        });
    }

    /// How many trials are under way.
    pub(super) fn trials(&self) -> u32 {
        halves(self.trials.load(Ordering::Acquire)).0
    }

    pub(super) fn last_trial(&self) -> Tick {
        Tick(halves(self.trials.load(Ordering::Acquire)).1)
    }

    pub(super) fn touch_trials(&self, now: Tick) {
        Self::change(&self.trials, |word| pair(halves(word).0, now.0));
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
            (core.phase == Phase::Open && core.cause == Sign::Connection && core.until > now)
                .then_some(Core { until: now, ..core })
        })
        .is_some()
    }
}
