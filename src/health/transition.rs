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
        self.end_pause_if(|core| core.cause == Evidence::Connection, now)
    }

    /// It has answered another replica: if it is open, it may be probed now.
    pub(super) fn end_pause(&self, now: Tick) -> bool {
        self.end_pause_if(|_| true, now)
    }

    fn end_pause_if(&self, is_due: impl Fn(&Core) -> bool, now: Tick) -> bool {
        self.swap(|core| {
            let is_pausing = core.phase == Phase::Open && core.until > now;
            (is_pausing && is_due(&core)).then_some(Core { until: now, ..core })
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
mod tests;
