//! Time in 16 ms ticks of 32 bits: small enough to share one atomic word with another value.

use std::time::Duration;

use tokio::time::Instant;

/// Ticks since an `Epoch`. They last for two years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(pub(super) u32);

const MILLIS: u64 = 16;
/// An epoch begins after one free hour: tick 0 means "never", and no interval of interest reaches back to it.
const FREE_MILLIS: u64 = 3_600_000;

impl Tick {
    /// The time from this tick to a later one, in seconds; zero if the other one is earlier.
    pub(super) fn seconds_until(self, later: Self) -> f32 {
        later.0.saturating_sub(self.0) as f32 * (MILLIS as f32 / 1000.0)
    }

    /// The tick this many seconds earlier.
    pub(super) fn minus(self, seconds: f32) -> Self {
        Self(self.0.saturating_sub(Self(0).plus(seconds).0))
    }

    /// The tick this many seconds later.
    pub(super) fn plus(self, seconds: f32) -> Self {
        let ticks = (seconds * (1000.0 / MILLIS as f32)).ceil();
        // The cast saturates: a float that is too large becomes the largest number there is.
        Self(self.0.saturating_add(ticks as u32))
    }
}

/// What is left of something after so many seconds, if it decays with this time constant: `e^(-seconds / constant)`.
pub(super) fn left_after(seconds: f32, constant: f32) -> f32 {
    let x = seconds / constant;
    // The first terms of the series are exact enough for a short time, and quick.
    if x < 0.1 {
        1.0 - x * (1.0 - x * (0.5 - x / 6.0))
    } else {
        (-x).exp()
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
        let passed = now.saturating_duration_since(self.0);
        // `as_millis` divides 128 bits.
        let millis = passed.as_secs() * 1000 + u64::from(passed.subsec_millis());
        Tick(u32::try_from((millis + FREE_MILLIS) / MILLIS).unwrap_or(u32::MAX))
    }

    pub(super) fn instant(self, tick: Tick) -> Instant {
        let millis = (u64::from(tick.0) * MILLIS).saturating_sub(FREE_MILLIS);
        self.0 + Duration::from_millis(millis)
    }
}

#[cfg(test)]
mod tests {
    use super::left_after;

    #[test]
    fn what_is_left_is_what_the_exponential_function_says() {
        for (seconds, left) in [
            (0.0, 1.0),
            (0.016, 0.999_733_4),
            (5.9, 0.906_348_8),
            (6.1, 0.903_332_6),
            (60.0, 0.367_879_5),
        ] {
            assert!((left_after(seconds, 60.0) - left).abs() < 1e-5, "{seconds}");
        }
    }
}
