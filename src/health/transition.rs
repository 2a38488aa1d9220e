//! The changes of a scope's state, each made by exactly one thread.

use super::packed::atomic::Ordering;

use super::evidence::Evidence;
use super::packed::{Core, EPOCHS, Phase, SlowStart, halves, pair};
use super::scope::Scope;
use super::slow_start::LOWEST_FRACTION;
use super::time::Tick;

const HIGHEST_LEVEL: u64 = 6;
/// For so long after closing, in seconds, a relapse remembers how far the ramp had come.
const PROBATION: f32 = 60.0;

impl Scope {
    /// The evidence is enough: opens it, or sheds load if it works in part on the ramp. True if it opened.
    pub(super) fn trip_now(&self, evidence: Evidence, now: Tick, jitter: f32) -> bool {
        let (good, bad) = halves(self.counts.load(Ordering::Acquire));
        let share = good as f32 / (good + bad).max(1) as f32;
        let core = self.core();
        match core.phase {
            Phase::SlowStart
                if share >= 0.2 && self.load_slow_start().fraction > 1.5 * LOWEST_FRACTION =>
            {
                self.shed(now, share.clamp(0.25, 0.8));
                false
            }
            Phase::Closed | Phase::SlowStart => self.trip(core.epoch, evidence, now, jitter),
            Phase::Open | Phase::HalfOpen => false,
        }
    }

    /// Opens it, unless it has changed since `epoch`. `jitter` is a random number between 0 and 1.
    pub(super) fn trip(&self, epoch: u32, evidence: Evidence, now: Tick, jitter: f32) -> bool {
        let (closed_at, _) = halves(self.times.load(Ordering::Acquire));
        let closed_for = Tick(closed_at).seconds_until(now);
        let rate = self.rate();
        let tripped = self.swap(|core| {
            if core.phase == Phase::Open || core.epoch != epoch {
                return None;
            }
            // One level is forgiven for each minute of health.
            let forgiven = if core.phase == Phase::Closed {
                (closed_for / 60.0) as u64
            } else {
                0
            };
            let level = core.level.saturating_sub(forgiven);
            Some(Core {
                phase: Phase::Open,
                level: (level + 1).min(HIGHEST_LEVEL),
                cause: evidence,
                good: 0,
                is_forced: false,
                epoch: epoch.wrapping_add(1) & EPOCHS,
                until: now.plus(pause(evidence, level, rate, jitter)),
            })
        });
        let Some((old, _)) = tripped else {
            return false;
        };
        let slow_start = self.load_slow_start();
        let is_relapse = old.phase == Phase::SlowStart || closed_for < PROBATION;
        let threshold = if is_relapse {
            (slow_start.fraction * 0.5).max(0.1)
        } else {
            1.0
        };
        self.slow_start.store(
            SlowStart {
                threshold,
                ..slow_start
            }
            .pack(),
            Ordering::Release,
        );
        if old.phase == Phase::Closed {
            Self::change(&self.times, |packed| pair((packed >> 32) as u32, now.0));
        }
        self.probes.store(0, Ordering::Release);
        self.set_score(0.0, now);
        self.note_change(now);
        true
    }

    /// A trial ended well; true if that was enough to leave HALF-OPEN.
    pub(super) fn succeed_probe(&self, epoch: u32, now: Tick) -> bool {
        self.end_probe();
        let step = self.swap(|core| {
            if core.phase != Phase::HalfOpen || core.epoch != epoch {
                return None;
            }
            let good = core.good + 1;
            Some(if good >= core.cause.successes_to_heal() {
                Core {
                    phase: Phase::SlowStart,
                    good,
                    epoch: epoch.wrapping_add(1) & EPOCHS,
                    ..core
                }
            } else {
                Core { good, ..core }
            })
        });
        let has_healed = matches!(
            step,
            Some((
                _,
                Core {
                    phase: Phase::SlowStart,
                    ..
                }
            ))
        );
        if has_healed {
            // Probes that are still under way belong to a state that is over.
            self.probes.store(0, Ordering::Release);
            self.begin_slow_start(now);
        }
        has_healed
    }

    /// Closes it on probation, because the scope above it has healed.
    pub(super) fn release(&self, now: Tick) -> bool {
        let released = self.swap(|core| {
            matches!(core.phase, Phase::Open | Phase::HalfOpen).then_some(Core {
                phase: Phase::Closed,
                epoch: core.epoch.wrapping_add(1) & EPOCHS,
                ..core
            })
        });
        if released.is_some() {
            Self::change(&self.times, |packed| pair(now.0, packed as u32));
            self.set_score(self.threshold() * 0.5, now);
            self.note_change(now);
        }
        released.is_some()
    }

    /// A last-resort attempt succeeded: that counts as the first trial.
    pub(super) fn revive(&self, epoch: u32, now: Tick) -> bool {
        let revived = self.swap(|core| {
            let is_due = core.phase == Phase::Open
                && core.is_forced
                && core.epoch == epoch
                && core.cause != Evidence::BrokenStream;
            is_due.then_some(Core {
                phase: Phase::HalfOpen,
                good: 0,
                ..core
            })
        });
        if revived.is_some() {
            self.probes.store(pair(1, now.0), Ordering::Release);
            self.note_change(now);
            self.succeed_probe(epoch, now);
        }
        revived.is_some()
    }

    pub(super) fn note_change(&self, now: Tick) {
        Self::change(&self.since, |packed| pair((packed >> 32) as u32, now.0));
    }

    /// Takes back a trip for a lost connection in the last `window` seconds, as if nothing had happened.
    pub(super) fn undo_trip(&self, now: Tick, window: f32) {
        let is_recent = self.changed_at().seconds_until(now) < window;
        let undo_trip = self.swap(|core| {
            let is_due =
                is_recent && core.phase == Phase::Open && core.cause == Evidence::Connection;
            is_due.then_some(Core {
                phase: Phase::Closed,
                level: core.level.saturating_sub(1),
                epoch: core.epoch.wrapping_add(1) & EPOCHS,
                ..core
            })
        });
        if undo_trip.is_some() || is_recent || self.core().phase == Phase::Closed {
            self.set_score(0.0, now);
        }
        if undo_trip.is_some() {
            self.note_change(now);
        }
    }

    /// When its state last changed.
    pub(super) fn changed_at(&self) -> Tick {
        Tick(halves(self.since.load(Ordering::Relaxed)).1)
    }
}

/// How long to stay open, in seconds: twice as long each time, but so that trials cost at most a twelfth of the traffic.
/// After a connection failure the free probe decides, and a live trial is only insurance.
fn pause(evidence: Evidence, level: u64, rate: f32, jitter: f32) -> f32 {
    if evidence == Evidence::Connection {
        return 300.0;
    }
    let first = (2.0 / rate).clamp(2.0, 20.0);
    let longest = (12.0 / rate).clamp(30.0, 120.0);
    (first * (1u32 << level) as f32).min(longest) * (0.8 + 0.4 * jitter)
}
