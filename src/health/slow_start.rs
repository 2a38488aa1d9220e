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

#[cfg(test)]
mod tests {
    use super::Scope;
    use crate::health::admission::Admission;
    use crate::health::evidence::Evidence;
    use crate::health::packed::Phase;
    use crate::health::time::Tick;

    /// A scope with ten requests a second that was out of rotation for so many seconds, and the time at which its slow start
    /// began.
    fn healed_after(seconds: f32) -> (Scope, Tick) {
        let scope = Scope::new();
        let mut now = Tick(1_000_000);
        for _ in 0..600 {
            scope.demanded(now);
            now = now.plus(0.1);
        }
        assert!(scope.trip(scope.core().epoch, Evidence::Failure, now, 0.5));
        now = now.plus(seconds);
        scope.begin_probes(now);
        while scope.core().phase == Phase::HalfOpen {
            assert!(scope.begin_probe(now));
            scope.succeed_probe(scope.core().epoch, now);
        }
        assert_eq!(scope.core().phase, Phase::SlowStart);
        (scope, now)
    }

    /// The share of draws that are admitted, in hundredths.
    fn admitted(scope: &Scope, now: Tick) -> usize {
        let admit = |draw: &f32| scope.admit(now, *draw) == Admission::Admitted;
        (0..100).map(|n| n as f32 / 100.0).filter(admit).count()
    }

    #[test]
    fn the_longer_it_was_out_the_less_it_begins_with_but_with_one_request_a_second() {
        for (seconds, share) in [(3.0, 50), (11.0, 15), (31.0, 11)] {
            let (scope, now) = healed_after(seconds);
            assert!(admitted(&scope, now).abs_diff(share) <= 1, "{seconds}");
        }
    }

    /// It is 0.11 at first: of nine requests a second one, then one and a half, then more than two.
    #[test]
    fn where_few_requests_come_time_alone_is_enough_but_not_all_of_it_at_once() {
        for (seconds, share) in [(0.9, 11), (1.0, 17), (2.5, 25), (9.0, 25), (40.0, 17)] {
            let (scope, now) = healed_after(31.0);
            assert!(
                admitted(&scope, now.plus(seconds)).abs_diff(share) <= 1,
                "{seconds}"
            );
        }
    }

    #[test]
    fn a_scope_that_works_in_part_sheds_load_and_any_other_one_opens() {
        let tripped = |good: usize, bad: usize, sheds: usize| {
            let (scope, now) = healed_after(3.0);
            (0..sheds).for_each(|_| scope.shed(now, 0.1));
            let before = scope.core();
            (0..good).for_each(|_| scope.count(true));
            (0..bad).for_each(|_| scope.count(false));
            let has_opened = scope.trip_now(Evidence::Failure, now, 0.5);
            assert_ne!(scope.core().epoch, before.epoch);
            let is_calm = (scope.score(now) - scope.threshold() / 2.0).abs() < 0.1;
            assert_eq!(is_calm, !has_opened);
            let hundredths = (scope.fraction() * 100.0).round() as u32;
            (has_opened, scope.core().phase, hundredths)
        };
        assert_eq!(tripped(30, 30, 0), (false, Phase::SlowStart, 25));
        assert_eq!(tripped(1, 19, 0), (true, Phase::Open, 0));
        assert_eq!(tripped(30, 30, 2), (true, Phase::Open, 0));
    }

    /// It rises quickly up to half of where it failed, if that is not long ago.
    #[test]
    fn whoever_relapses_is_remembered_for_a_minute() {
        let (scope, now) = healed_after(3.0);
        assert!((scope.score(now) - scope.threshold() / 2.0).abs() < 0.1);
        let limit = |scope: &Scope| scope.load_slow_start().threshold;
        let trip = |scope: &Scope, now: Tick| {
            assert!(scope.trip(scope.core().epoch, Evidence::Failure, now, 0.5));
            (limit(scope) * 100.0).round() as u32
        };
        assert_eq!(trip(&scope, now), 25);
        for (seconds, remembered) in [(30.0, 50), (61.0, 100)] {
            let (scope, mut now) = healed_after(3.0);
            while scope.core().phase != Phase::Closed {
                scope.count(true);
                now = now.plus(1.0);
                scope.climb(now);
            }
            assert_eq!(trip(&scope, now.plus(seconds)), remembered, "{seconds}");
        }
    }

    #[test]
    fn each_second_with_a_success_brings_half_as_much_again_until_it_has_all() {
        let (scope, mut now) = healed_after(3.0);
        let refused = Admission::Refused {
            until: now.plus(1.0),
        };
        assert_eq!(scope.admit(now, 0.9), refused);
        // No step without a success.
        now = now.plus(1.0);
        assert!(admitted(&scope, now).abs_diff(50) <= 1);
        scope.count(true);
        assert!(admitted(&scope, now.plus(0.9)).abs_diff(50) <= 1);
        now = now.plus(1.0);
        assert!(admitted(&scope, now).abs_diff(75) <= 1);
        scope.count(true);
        now = now.plus(1.0);
        assert_eq!(admitted(&scope, now), 100);
        assert_eq!(scope.core().phase, Phase::Closed);
    }

    #[test]
    fn too_many_failures_of_those_that_it_gets_take_a_part_of_them_back() {
        let (scope, now) = healed_after(3.0);
        for is_good in [true, true, false, false, false] {
            scope.count(is_good);
        }
        let later = now.plus(1.0);
        assert!(admitted(&scope, later).abs_diff(30) <= 1);
        // From where it failed before, the share rises slowly.
        scope.count(true);
        assert!(admitted(&scope, later.plus(1.0)).abs_diff(35) <= 1);
    }

    #[test]
    fn two_failures_or_one_in_ten_are_not_too_bad() {
        for (good, bad, is_too_bad) in [
            (0, 2, false),
            (0, 3, true),
            (90, 10, false),
            (84, 16, false),
            (83, 17, true),
        ] {
            assert_eq!(super::is_too_bad(good, bad), is_too_bad, "{good} {bad}");
        }
    }
}
