//! Time in sixteenths of a 256th of a second or so: 16 ms ticks in 32 bits, small enough to share a word with a value.

use std::time::Duration;

use tokio::time::Instant;

/// Ticks since the process began to care. Enough for two years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(pub(super) u32);

const MILLIS: u128 = 16;

impl Tick {
    /// The time since this one, in seconds; zero if this one is yet to come.
    pub(super) fn seconds_until(self, later: Self) -> f32 {
        later.0.saturating_sub(self.0) as f32 * (MILLIS as f32 / 1000.0)
    }

    /// The tick this many seconds later.
    pub(super) fn plus(self, seconds: f32) -> Self {
        let ticks = (seconds * (1000.0 / MILLIS as f32)).ceil();
        // A float that is too large becomes the largest number there is.
        Self(self.0.saturating_add(ticks as u32))
    }
}

/// Where ticks are counted from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch(Instant);

impl Epoch {
    pub(super) fn now() -> Self {
        Self(Instant::now())
    }

    pub(super) fn tick(self, now: Instant) -> Tick {
        // The first hour is kept free, so that "long ago" can be told.
        let millis = now.saturating_duration_since(self.0).as_millis() + 3_600_000;
        Tick(u32::try_from(millis / MILLIS).unwrap_or(u32::MAX))
    }

    pub(super) fn instant(self, tick: Tick) -> Instant {
        let millis = (u128::from(tick.0) * MILLIS).saturating_sub(3_600_000);
        self.0 + Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}
