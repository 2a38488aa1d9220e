//! The changes of a scope's state. Each is made by exactly one thread.

use super::evidence::Evidence;
use super::packed::atomic::Ordering;
use super::packed::{Core, Phase, SlowStart, halves, pair};
use super::scope::Scope;
use super::slow_start::LOWEST_FRACTION;
use super::time::Tick;
use crate::event::{HealthChange, ScopeId};

const HIGHEST_LEVEL: u64 = 6;
/// For so long after closing, in seconds, a relapse remembers how far the slow start had come.
const PROBATION: f32 = 60.0;
/// A try that follows after less than this part of the usual pause is soon: less than the shortest pause that the jitter makes.
const SOON: f32 = 0.75;

impl Scope {
    /// The score has reached the threshold: opens the scope, or sheds load if it works in part during its slow start.
    /// True if it opened.
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

    /// Opens the scope, unless its state has changed since `epoch`. `jitter` is a random number between 0 and 1.
    pub(super) fn trip(&self, epoch: u32, evidence: Evidence, now: Tick, jitter: f32) -> bool {
        let (closed_at, _) = halves(self.times.load(Ordering::Acquire));
        let closed_for = Tick(closed_at).seconds_until(now);
        let rate = self.rate();
        let tripped = self.swap(|core| {
            if core.phase == Phase::Open || core.epoch != epoch {
                return None;
            }
            // Each minute of health takes one level back.
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
                epoch: core.next_epoch(),
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
            Self::change(&self.times, |packed| pair(halves(packed).0, now.0));
        }
        self.probes.store(0, Ordering::Release);
        self.set_score(0.0, now);
        self.note_change(now);
        true
    }

    /// A probe succeeded. True if that was the last one needed, so that slow start begins.
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
                    epoch: core.next_epoch(),
                    ..core
                }
            } else {
                Core { good, ..core }
            })
        });
        let has_healed = step.is_some_and(|(_, new)| new.phase == Phase::SlowStart);
        if has_healed {
            // Probes that are still in flight belong to a state that is over.
            self.probes.store(0, Ordering::Release);
            self.begin_slow_start(now);
        }
        has_healed
    }

    /// Another replica has tried it in vain, and has come to this level: the next try is put off, as after one of our own, but
    /// by one level at most. At the highest level it is put off only if it would be much sooner than theirs: else two replicas
    /// would put each other off for ever.
    pub(super) fn put_off(&self, level: u64, now: Tick, jitter: f32) -> bool {
        let rate = self.rate();
        let put_off = self.swap(|core| {
            let usual = pause(core.cause, core.level, rate, 0.5);
            let is_soon =
                core.phase == Phase::HalfOpen || now.seconds_until(core.until) < SOON * usual;
            let is_longest = level >= HIGHEST_LEVEL && is_soon;
            let is_news = core.phase.is_out() && (level > core.level || is_longest);
            is_news.then_some(Core {
                phase: Phase::Open,
                level: (core.level + 1).min(HIGHEST_LEVEL),
                good: 0,
                is_forced: false,
                epoch: core.next_epoch(),
                until: now.plus(pause(core.cause, core.level, rate, jitter)),
                ..core
            })
        });
        if put_off.is_some() {
            self.probes.store(0, Ordering::Release);
            self.note_change(now);
        }
        put_off.is_some()
    }

    /// Another replica has tried it, and it has healed: slow start begins within a second. True if it was out.
    pub(super) fn heal(&self, now: Tick, jitter: f32) -> bool {
        let healed = self.swap(|core| {
            core.phase.is_out().then_some(Core {
                phase: Phase::SlowStart,
                epoch: core.next_epoch(),
                ..core
            })
        });
        if healed.is_some() {
            self.probes.store(0, Ordering::Release);
            self.begin_slow_start(now.plus(jitter));
        }
        healed.is_some()
    }

    /// Closes the scope of a model on probation, because its upstream has healed.
    pub(super) fn release(&self, now: Tick) -> bool {
        let released = self.swap(|core| {
            core.phase.is_out().then_some(Core {
                phase: Phase::Closed,
                epoch: core.next_epoch(),
                ..core
            })
        });
        if released.is_some() {
            Self::change(&self.times, |packed| pair(now.0, halves(packed).1));
            self.set_score(self.threshold() * 0.5, now);
            self.note_change(now);
        }
        released.is_some()
    }

    /// Remembers that a last-resort attempt is made while the scope is open.
    pub(super) fn force(&self) {
        self.swap(|core| {
            (core.phase == Phase::Open && !core.is_forced).then_some(Core {
                is_forced: true,
                ..core
            })
        });
    }

    /// A last-resort attempt succeeded: it counts as the first probe.
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

    /// A health check reached the upstream: a scope that is open for lost connections may be probed now.
    pub(super) fn shorten(&self, now: Tick) -> bool {
        self.swap(|core| {
            (core.phase == Phase::Open && core.cause == Evidence::Connection && core.until > now)
                .then_some(Core { until: now, ..core })
        })
        .is_some()
    }

    /// Undoes a trip for lost connections in the last `window` seconds, as if nothing had happened.
    pub(super) fn undo_trip(&self, now: Tick, window: f32) {
        let is_recent = self.changed_at().seconds_until(now) < window;
        let undone = self.swap(|core| {
            let is_due =
                is_recent && core.phase == Phase::Open && core.cause == Evidence::Connection;
            is_due.then_some(Core {
                phase: Phase::Closed,
                level: core.level.saturating_sub(1),
                epoch: core.next_epoch(),
                ..core
            })
        });
        if undone.is_some() || is_recent || self.core().phase == Phase::Closed {
            self.set_score(0.0, now);
        }
        if undone.is_some() {
            self.note_change(now);
        }
    }
}

/// How long a scope stays open, in seconds. The pause doubles with each level, but probes cost at most a twelfth of the
/// traffic. After lost connections a health check decides, and a live probe is only insurance.
fn pause(evidence: Evidence, level: u64, rate: f32, jitter: f32) -> f32 {
    if evidence == Evidence::Connection {
        return 300.0;
    }
    let first = (2.0 / rate).clamp(2.0, 20.0);
    let longest = (12.0 / rate).clamp(30.0, 120.0);
    (first * (1u32 << level) as f32).min(longest) * (0.8 + 0.4 * jitter)
}

/// What observers are told of a scope that has just opened.
pub(super) fn opened(id: ScopeId, scope: &Scope, now: Tick) -> HealthChange {
    HealthChange::Opened {
        scope: id,
        cause: scope.core().cause.label(),
        retry_in: scope.probed_in(now),
    }
}

/// What observers are told of a scope that has healed from a cause.
pub(super) fn healed(id: ScopeId, cause: Evidence) -> HealthChange {
    HealthChange::Healed {
        scope: id,
        cause: cause.label(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Core, Evidence, HIGHEST_LEVEL, Phase, Scope, Tick, pause};

    const NOW: Tick = Tick(1_000_000);

    fn open(evidence: Evidence) -> Scope {
        let scope = Scope::new();
        assert!(scope.trip(scope.core().epoch, evidence, NOW, 0.5));
        scope
    }

    #[test]
    fn the_pause_doubles_within_bounds_that_follow_the_traffic() {
        let of_failures = |level, rate, jitter| pause(Evidence::Failure, level, rate, jitter);
        for (level, rate, jitter, expected) in [
            (0, 0.5, 0.5, 4.0),
            (0, 0.5, 0.0, 3.2),
            (0, 0.5, 1.0, 4.8),
            (3, 1.0, 0.5, 16.0),
            (6, 1.0, 0.5, 30.0),
            (0, 0.05, 0.5, 20.0),
            (6, 0.05, 0.5, 120.0),
        ] {
            let seconds = of_failures(level, rate, jitter);
            assert!(
                (seconds - expected).abs() < 0.01,
                "{level} {rate}: {seconds}"
            );
        }
        assert_eq!(pause(Evidence::Connection, 0, 1.0, 0.5), 300.0);
    }

    #[test]
    fn a_probe_of_another_state_heals_nothing() {
        let scope = open(Evidence::Failure);
        let later = NOW.plus(60.0);
        scope.begin_probes(later);
        let Core { epoch, .. } = scope.core();
        assert!(scope.begin_probe(later));
        assert!(!scope.succeed_probe(epoch + 1, later));
        assert_eq!(scope.core().good, 0);
        while !scope.succeed_probe(epoch, later) {
            assert!(scope.core().good < 5);
        }
        assert_ne!(scope.core().epoch, epoch);
    }

    #[test]
    fn who_is_released_is_closed_but_watched() {
        let scope = open(Evidence::Failure);
        let Core { epoch, .. } = scope.core();
        assert!(scope.release(NOW));
        assert_eq!(scope.core().phase, Phase::Closed);
        assert_ne!(scope.core().epoch, epoch);
        assert!((scope.score(NOW) - scope.threshold() / 2.0).abs() < 0.01);
        assert!(!scope.release(NOW), "there is nothing to release");
    }

    #[test]
    fn a_trial_of_another_puts_the_next_one_off_by_a_level() {
        let closed = Scope::new();
        assert!(!closed.put_off(3, NOW, 0.5));
        let scope = open(Evidence::Failure);
        let Core { epoch, .. } = scope.core();
        assert!(!scope.put_off(1, NOW, 0.5), "it has failed alike");
        scope.force();
        let later = NOW.plus(9.0);
        assert!(scope.put_off(5, later, 0.5));
        let core = scope.core();
        assert_eq!((core.phase, core.level), (Phase::Open, 2));
        assert!(core.until > later.plus(1.0) && !core.is_forced);
        assert_ne!(core.epoch, epoch);
        scope.begin_probes(NOW.plus(100.0));
        assert!(scope.put_off(5, NOW.plus(100.0), 0.5));
        assert_eq!((scope.core().phase, scope.core().level), (Phase::Open, 3));
    }

    /// Each puts the other off by its own trial, and neither does so again because it was put off.
    #[test]
    fn at_the_highest_level_a_trial_of_another_puts_off_only_what_would_follow_soon() {
        let scope = open(Evidence::Failure);
        for _ in 1..HIGHEST_LEVEL {
            assert!(scope.put_off(HIGHEST_LEVEL, NOW, 0.0));
        }
        assert_eq!(scope.core().level, HIGHEST_LEVEL);
        assert!(
            !scope.put_off(HIGHEST_LEVEL, NOW, 0.5),
            "the pause has just begun"
        );
        let half = NOW.seconds_until(scope.core().until) / 2.0;
        assert!(scope.put_off(HIGHEST_LEVEL, NOW.plus(half), 0.5));
    }

    #[test]
    fn what_another_has_healed_begins_its_slow_start() {
        assert!(!Scope::new().heal(NOW, 0.5));
        let scope = open(Evidence::Failure);
        let Core { epoch, .. } = scope.core();
        assert!(scope.heal(NOW.plus(1.0), 0.5));
        assert_eq!(scope.core().phase, Phase::SlowStart);
        assert_ne!(scope.core().epoch, epoch);
    }

    #[test]
    fn only_what_was_asked_while_it_was_open_brings_it_back() {
        let closed = Scope::new();
        closed.force();
        assert!(!closed.core().is_forced);
        for evidence in [Evidence::Failure, Evidence::BrokenStream] {
            let scope = open(evidence);
            let Core { epoch, .. } = scope.core();
            assert!(!scope.revive(epoch, NOW), "nobody has asked");
            scope.force();
            assert!(!scope.revive(epoch + 1, NOW), "that was before");
            let is_proof = evidence == Evidence::Failure;
            assert_eq!(scope.revive(epoch, NOW), is_proof);
            assert_eq!(scope.core().phase == Phase::HalfOpen, is_proof);
        }
    }

    #[test]
    fn a_health_check_ends_only_the_pause_after_lost_connections() {
        assert!(!Scope::new().shorten(NOW));
        assert!(!open(Evidence::Failure).shorten(NOW));
        let scope = open(Evidence::Connection);
        assert!(scope.shorten(NOW));
        assert_eq!(scope.core().until, NOW);
        assert!(!scope.shorten(NOW), "it is over");
    }

    #[test]
    fn a_trip_that_is_undone_leaves_no_trace() {
        let scope = open(Evidence::Connection);
        let Core { epoch, level, .. } = scope.core();
        scope.undo_trip(NOW.plus(5.0), 10.0);
        let Core {
            phase, level: now, ..
        } = scope.core();
        assert_eq!((phase, now), (Phase::Closed, level - 1));
        assert_ne!(scope.core().epoch, epoch);

        let failing = open(Evidence::Failure);
        for (scope, later, is_kept) in [
            (&failing, 5.0, false),
            (&failing, 50.0, true),
            (&Scope::new(), 50.0, false),
        ] {
            scope.set_score(2.0, NOW.plus(later));
            scope.undo_trip(NOW.plus(later), 10.0);
            let score = scope.score(NOW.plus(later));
            assert_eq!(score > 1.0, is_kept, "{later}");
        }
        assert_eq!(failing.core().phase, Phase::Open);
    }
    #[test]
    fn at_the_highest_level_only_what_is_being_tried_is_put_off_again() {
        let scope = open(Evidence::Failure);
        while scope.core().level < 6 {
            assert!(scope.put_off(6, NOW, 0.5));
        }
        assert!(!scope.put_off(6, NOW, 0.5), "that is known");
        let later = NOW.plus(200.0);
        scope.begin_probes(later);
        assert!(scope.begin_probe(later));
        assert!(!scope.succeed_probe(scope.core().epoch, later));
        assert!(!scope.put_off(5, later, 0.5), "that is less");
        assert_eq!(scope.core().phase, Phase::HalfOpen);
        assert!(scope.put_off(6, later, 0.5));
        let core = scope.core();
        assert_eq!((core.phase, core.level, core.good), (Phase::Open, 6, 0));
    }

    #[test]
    fn each_minute_of_health_takes_one_level_back() {
        for (seconds, level) in [(0.0, 5), (150.0, 3), (900.0, 1)] {
            let scope = open(Evidence::Failure);
            while scope.core().level < 4 {
                assert!(scope.put_off(4, NOW, 0.5));
            }
            assert!(scope.release(NOW));
            let (epoch, later) = (scope.core().epoch, NOW.plus(seconds));
            assert!(!scope.trip(epoch + 1, Evidence::Failure, later, 0.5));
            assert!(scope.trip(epoch, Evidence::Failure, later, 0.5));
            assert_eq!(scope.core().level, level, "{seconds}");
        }
    }
}
