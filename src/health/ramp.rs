//! Giving a scope its traffic back step by step, as TCP does: quickly up to where it failed before, slowly from there.

use super::word::atomic::Ordering;

use super::scope::{STEP, Scope};
use super::time::Tick;
use super::word::{Core, EPOCHS, Phase, Ramp, halves, pair};

/// The smallest fraction of its traffic that a scope on the ramp gets.
pub(super) const LOWEST_FRACTION: f32 = 0.05;

impl Scope {
    pub(super) fn load_ramp(&self) -> Ramp {
        Ramp::unpack(self.ramp.load(Ordering::Acquire))
    }

    /// The fraction of its traffic that it gets.
    pub(super) fn fraction(&self) -> f32 {
        match self.core().phase {
            Phase::Closed => 1.0,
            Phase::Ramp => self.load_ramp().fraction,
            Phase::Open | Phase::HalfOpen => 0.0,
        }
    }

    /// Takes all steps of the ramp that are due.
    pub(super) fn climb(&self, now: Tick) {
        while self.core().phase == Phase::Ramp {
            let seen = self.ramp.load(Ordering::Acquire);
            let ramp = Ramp::unpack(seen);
            let waited = ramp.tick.seconds_until(now);
            if waited < STEP {
                return;
            }
            let (good, bad) = halves(self.counts.load(Ordering::Acquire));
            if is_too_bad(good, bad) {
                self.shed(now, 0.6);
                return;
            }
            // With thin traffic, time alone is evidence.
            let fraction = if good > 0 || self.rate() * ramp.fraction < 2.0 {
                let factor = if ramp.fraction < ramp.threshold {
                    1.5
                } else {
                    1.15
                };
                (ramp.fraction * factor).min(1.0)
            } else {
                ramp.fraction
            };
            let from = if waited > 30.0 {
                now
            } else {
                ramp.tick.plus(STEP)
            };
            let next = Ramp {
                fraction,
                tick: from,
                ..ramp
            };
            if self
                .ramp
                .compare_exchange(seen, next.pack(), Ordering::AcqRel, Ordering::Acquire)
                .is_err()
            {
                continue;
            }
            self.counts.store(0, Ordering::Release);
            if fraction >= 1.0 {
                self.close(now);
            }
        }
    }

    pub(super) fn close(&self, now: Tick) {
        let closed = self.swap(|core| {
            (core.phase == Phase::Ramp).then_some(Core {
                phase: Phase::Closed,
                ..core
            })
        });
        if closed.is_some() {
            Self::change(&self.times, |word| pair(now.0, word as u32));
            self.note_change(now);
        }
    }

    /// Takes load off a scope that works in part.
    pub(super) fn shed(&self, now: Tick, factor: f32) {
        let shed = self.swap(|core| {
            matches!(core.phase, Phase::Ramp | Phase::Closed).then_some(Core {
                phase: Phase::Ramp,
                epoch: core.epoch.wrapping_add(1) & EPOCHS,
                ..core
            })
        });
        if shed.is_some() {
            let fraction = (self.load_ramp().fraction * factor).max(LOWEST_FRACTION);
            let ramp = Ramp {
                fraction,
                threshold: fraction,
                tick: now,
            };
            self.ramp.store(ramp.pack(), Ordering::Release);
            self.counts.store(0, Ordering::Release);
            self.set_score(self.threshold() * 0.5, now);
        }
    }

    /// After a short blip at half speed, after a long outage with care, but never below one request a second.
    pub(super) fn start_ramp(&self, now: Tick) {
        let (_, left_at) = halves(self.times.load(Ordering::Acquire));
        let out = Tick(left_at).seconds_until(now);
        let first = match out {
            ..10.0 => 0.5,
            ..30.0 => 0.15,
            _ => LOWEST_FRACTION,
        };
        let fraction = (1.0 / self.rate()).max(first).min(1.0);
        let ramp = Ramp {
            fraction,
            tick: now,
            ..self.load_ramp()
        };
        self.ramp.store(ramp.pack(), Ordering::Release);
        self.counts.store(0, Ordering::Release);
        self.set_score(self.threshold() * 0.5, now);
        self.note_change(now);
    }
}

/// Two standard deviations above one failure in ten, and at least three.
fn is_too_bad(good: u32, bad: u32) -> bool {
    let expected = 0.1 * (good + bad) as f32;
    bad >= 3 && bad as f32 > expected + 2.0 * expected.sqrt()
}
