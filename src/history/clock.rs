//! The time of the history: the runtime's clock, from the time of day at the start on.
//!
//! The runtime's clock stands still while the machine sleeps, and does not see when the time of day is set. Both shift
//! the history's time as soon as they amount to more than a minute.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::SignedDuration;
use tokio::time::Instant;

/// A smaller difference is no sleep, but the usual correction of a clock.
const TOLERANCE: i64 = 60_000;

/// Milliseconds since 1970.
pub(super) type Millis = u64;

#[derive(Debug)]
pub(super) struct Clock {
    started_at: Instant,
    /// The time of day at the start.
    epoch: i64,
    /// How far the time of day has moved since, beside the time that has passed.
    shift: AtomicI64,
    /// The machine's own clock at the start. The runtime's may be paused.
    machine: MachineClock,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            started_at: Instant::now(),
            epoch: time_of_day(),
            shift: AtomicI64::new(0),
            machine: MachineClock::now(),
        }
    }

    pub(super) fn at(&self, now: Instant) -> Millis {
        let passed = now.saturating_duration_since(self.started_at);
        // `as_millis` divides 128 bits.
        let passed = passed.as_secs() as i64 * 1000 + i64::from(passed.subsec_millis());
        let millis = self.epoch + self.shift.load(Ordering::Relaxed) + passed;
        millis.max(0).unsigned_abs()
    }

    /// Follows the time of day. True if it was set, or the machine has slept.
    pub(super) fn follow(&self) -> bool {
        let moved = self.follow_to(time_of_day() - self.epoch, self.machine.passed());
        if let Some(millis) = moved {
            let direction = if millis < 0 { "back" } else { "ahead" };
            let by = SignedDuration::from_secs(millis.abs() / 1000);
            tracing::warn!(
                moved_ms = millis,
                "the time of day has moved {direction} by {by:#}: it was set, or this machine has slept; what is counted from \
                 now on belongs to the new time"
            );
        }
        moved.is_some()
    }

    /// So much time has passed by the time of day, and by the machine's clock. Returns by how much the one has moved.
    fn follow_to(&self, by_day: i64, by_machine: i64) -> Option<i64> {
        let shift = by_day - by_machine;
        let moved = shift - self.shift.load(Ordering::Relaxed);
        (moved.abs() > TOLERANCE).then(|| {
            self.shift.store(shift, Ordering::Relaxed);
            moved
        })
    }
}

fn time_of_day() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0))
}

#[expect(
    clippy::disallowed_types,
    reason = "a paused clock would look like a machine that sleeps"
)]
#[derive(Debug)]
struct MachineClock(std::time::Instant);

#[expect(
    clippy::disallowed_types,
    reason = "a paused clock would look like a machine that sleeps"
)]
impl MachineClock {
    fn now() -> Self {
        Self(std::time::Instant::now())
    }

    fn passed(&self) -> i64 {
        i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Clock;

    #[test]
    fn a_sleep_and_a_clock_that_is_set_move_it_and_corrections_do_not() {
        let clock = Clock::new();
        let now = Instant::now();
        let before = clock.at(now);
        assert_eq!(clock.at(now + Duration::from_secs(5)), before + 5000);
        assert_eq!(clock.follow_to(70_000, 60_000), None);
        assert_eq!(clock.at(now), before);
        assert_eq!(clock.follow_to(3_660_000, 60_000), Some(3_600_000));
        assert_eq!(clock.at(now), before + 3_600_000);
        assert_eq!(clock.follow_to(3_720_000, 120_000), None);
        assert_eq!(clock.follow_to(120_000, 120_000), Some(-3_600_000));
        assert_eq!(clock.at(now), before);
    }
}
