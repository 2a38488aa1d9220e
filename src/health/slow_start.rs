//! Slow start: a scope that has healed gets its traffic back step by step, as in TCP. The fraction rises quickly up to
//! where the scope failed before, and slowly from there.

use super::packed::atomic::Ordering;
use super::packed::{Core, Phase, SlowStart, halves, pair};
use super::scope::Scope;
use super::time::Tick;

/// One step of the slow start, in seconds. A request that is refused may ask again after as long.
pub(super) const STEP: f32 = 1.0;
/// The smallest fraction of its traffic that a scope in slow start gets.
pub(super) const LOWEST_FRACTION: f32 = 0.05;

impl Scope {
    pub(super) fn load_slow_start(&self) -> SlowStart {
        SlowStart::unpack(self.slow_start.load(Ordering::Acquire))
    }

    /// The fraction of its traffic that it gets.
    pub(super) fn fraction(&self) -> f32 {
        match self.core().phase {
            Phase::Closed => 1.0,
            Phase::SlowStart => self.load_slow_start().fraction,
            Phase::Open | Phase::HalfOpen => 0.0,
        }
    }

    /// Takes all steps that are due.
    pub(super) fn climb(&self, now: Tick) {
        while self.core().phase == Phase::SlowStart {
            let seen = self.slow_start.load(Ordering::Acquire);
            let slow_start = SlowStart::unpack(seen);
            let waited = slow_start.tick.seconds_until(now);
            if waited < STEP {
                return;
            }
            let (good, bad) = halves(self.counts.load(Ordering::Acquire));
            if is_too_bad(good, bad) {
                self.shed(now, 0.6);
                return;
            }
            // Thin traffic brings few successes, so time alone is enough.
            let fraction = if good > 0 || self.rate() * slow_start.fraction < 2.0 {
                let factor = if slow_start.fraction < slow_start.threshold {
                    1.5
                } else {
                    1.15
                };
                (slow_start.fraction * factor).min(1.0)
            } else {
                slow_start.fraction
            };
            let from = if waited > 30.0 {
                now
            } else {
                slow_start.tick.plus(STEP)
            };
            let next = SlowStart {
                fraction,
                tick: from,
                ..slow_start
            };
            if self
                .slow_start
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

    fn close(&self, now: Tick) {
        let closed = self.swap(|core| {
            (core.phase == Phase::SlowStart).then_some(Core {
                phase: Phase::Closed,
                ..core
            })
        });
        if closed.is_some() {
            Self::change(&self.times, |packed| pair(now.0, packed as u32));
            self.note_change(now);
        }
    }

    /// Sheds load: reduces the traffic of a scope that works in part.
    pub(super) fn shed(&self, now: Tick, factor: f32) {
        let shed = self.swap(|core| {
            (!core.phase.is_out()).then_some(Core {
                phase: Phase::SlowStart,
                epoch: core.next_epoch(),
                ..core
            })
        });
        if shed.is_some() {
            let fraction = (self.load_slow_start().fraction * factor).max(LOWEST_FRACTION);
            let slow_start = SlowStart {
                fraction,
                threshold: fraction,
                tick: now,
            };
            self.slow_start.store(slow_start.pack(), Ordering::Release);
            self.counts.store(0, Ordering::Release);
            self.set_score(self.threshold() * 0.5, now);
        }
    }

    /// Begins with half of the traffic after a short outage, with less after a long one, but never with less than one
    /// request a second.
    pub(super) fn begin_slow_start(&self, now: Tick) {
        let (_, left_at) = halves(self.times.load(Ordering::Acquire));
        let out = Tick(left_at).seconds_until(now);
        let first = match out {
            ..10.0 => 0.5,
            ..30.0 => 0.15,
            _ => LOWEST_FRACTION,
        };
        let fraction = (1.0 / self.rate()).max(first).min(1.0);
        let slow_start = SlowStart {
            fraction,
            tick: now,
            ..self.load_slow_start()
        };
        self.slow_start.store(slow_start.pack(), Ordering::Release);
        self.counts.store(0, Ordering::Release);
        self.set_score(self.threshold() * 0.5, now);
        self.note_change(now);
    }
}

/// More failures than two standard deviations above one in ten, and at least three.
fn is_too_bad(good: u32, bad: u32) -> bool {
    let expected = 0.1 * (good + bad) as f32;
    bad >= 3 && bad as f32 > expected + 2.0 * expected.sqrt()
}
