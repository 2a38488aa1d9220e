//! Time in 16 ms ticks of 32 bits: small enough to share one atomic word with another value.

use std::time::Duration;

use tokio::time::Instant;

/// Ticks since an [`Epoch`]. They last for two years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(pub(super) u32);

const MILLIS: u128 = 16;
/// An epoch begins after one free hour: tick 0 means "never", and no interval of interest reaches back to it.
const FREE_MILLIS: u64 = 3_600_000;

impl Tick {
    /// The time from this tick to a later one, in seconds; zero if the other one is earlier.
    pub(super) fn seconds_until(self, later: Self) -> f32 {
        later.0.saturating_sub(self.0) as f32 * (MILLIS as f32 / 1000.0)
    }

    /// The tick this many seconds later.
    pub(super) fn plus(self, seconds: f32) -> Self {
        let ticks = (seconds * (1000.0 / MILLIS as f32)).ceil();
        // The cast saturates: a float that is too large becomes the largest number there is.
        Self(self.0.saturating_add(ticks as u32))
    }
}

/// The moment from which ticks are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch(Instant);

impl Epoch {
    pub(super) fn starting_at(now: Instant) -> Self {
        Self(now)
    }

    pub(super) fn tick(self, now: Instant) -> Tick {
        let millis = now.saturating_duration_since(self.0).as_millis() + u128::from(FREE_MILLIS);
        Tick(u32::try_from(millis / MILLIS).unwrap_or(u32::MAX))
    }

    pub(super) fn instant(self, tick: Tick) -> Instant {
        let millis = (u128::from(tick.0) * MILLIS).saturating_sub(u128::from(FREE_MILLIS));
        self.0 + Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}
