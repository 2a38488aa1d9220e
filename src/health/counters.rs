//! Counts of successes and failures in the last five minutes. People read them; decisions use the score.

use std::sync::atomic::{AtomicU64, Ordering};

use super::time::Tick;

const BUCKETS: usize = 30;
/// Ten seconds, in ticks.
const LENGTH: u32 = 625;

/// A ring of ten-second buckets. A bucket is 64 bits: its number (32 bits), successes and failures (16 bits each).
#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; BUCKETS]);

/// Successes and failures in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Requests that got a first token.
    pub good: u32,
    /// Requests that failed, as far as that is evidence against the upstream.
    pub bad: u32,
}

impl Counters {
    pub(super) fn count(&self, is_good: bool, now: Tick) {
        let number = now.0 / LENGTH;
        let bucket = &self.0[number as usize % BUCKETS];
        let mut seen = bucket.load(Ordering::Relaxed);
        loop {
            let is_current = (seen >> 32) as u32 == number;
            let counted = if is_current { seen } else { 0 };
            let (good, bad) = ((counted >> 16) as u16, counted as u16);
            let (good, bad) = if is_good {
                (good.saturating_add(1), bad)
            } else {
                (good, bad.saturating_add(1))
            };
            let packed = u64::from(number) << 32 | u64::from(good) << 16 | u64::from(bad);
            match bucket.compare_exchange_weak(seen, packed, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(actual) => seen = actual,
            }
        }
    }

    /// The counts of the last few minutes.
    pub(super) fn last_minutes(&self, minutes: u32, now: Tick) -> Counts {
        let newest = now.0 / LENGTH;
        let oldest = newest.saturating_sub(minutes * 6 - 1);
        let mut counts = Counts::default();
        for bucket in &self.0 {
            let packed = bucket.load(Ordering::Relaxed);
            if (oldest..=newest).contains(&((packed >> 32) as u32)) {
                counts.good += u32::from((packed >> 16) as u16);
                counts.bad += u32::from(packed as u16);
            }
        }
        counts
    }
}

impl Counts {
    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            good: self.good + other.good,
            bad: self.bad + other.bad,
        }
    }

    /// The share of failures; `None` without any request.
    pub fn error_ratio(self) -> Option<f64> {
        let all = f64::from(self.good) + f64::from(self.bad);
        (all > 0.0).then(|| f64::from(self.bad) / all)
    }

    /// The 95 % confidence interval of the share of failures (Wilson, 1927).
    pub fn error_bounds(self) -> Option<(f64, f64)> {
        const Z: f64 = 1.96;
        let ratio = self.error_ratio()?;
        let all = f64::from(self.good) + f64::from(self.bad);
        let denominator = 1.0 + Z * Z / all;
        let centre = (ratio + Z * Z / (2.0 * all)) / denominator;
        let spread =
            Z / denominator * (ratio * (1.0 - ratio) / all + Z * Z / (4.0 * all * all)).sqrt();
        Some(((centre - spread).max(0.0), (centre + spread).min(1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Counters, Counts, LENGTH};
    use crate::health::time::Tick;

    #[test]
    fn old_counts_leave_the_shorter_window_first() {
        let counters = Counters::default();
        let start = 1000 * LENGTH;
        counters.count(false, Tick(start));
        counters.count(true, Tick(start + 12 * LENGTH));
        let now = Tick(start + 12 * LENGTH);
        assert_eq!(counters.last_minutes(1, now), Counts { good: 1, bad: 0 });
        assert_eq!(counters.last_minutes(5, now), Counts { good: 1, bad: 1 });
        assert_eq!(
            counters.last_minutes(5, Tick(start + 50 * LENGTH)),
            Counts::default()
        );
    }

    #[test]
    fn a_minute_is_six_buckets_and_a_bucket_begins_anew_in_the_next_round() {
        let counters = Counters::default();
        let start = 1000 * LENGTH;
        for _ in 0..2 {
            counters.count(false, Tick(start));
        }
        let last =
            |minutes, buckets| counters.last_minutes(minutes, Tick(start + buckets * LENGTH));
        let two = Counts { good: 0, bad: 2 };
        assert_eq!((last(1, 5), last(1, 6)), (two, Counts::default()));
        assert_eq!((last(5, 29), last(5, 30)), (two, Counts::default()));
        counters.count(true, Tick(start + 30 * LENGTH));
        assert_eq!(last(5, 30), Counts { good: 1, bad: 0 });
    }

    #[test]
    fn few_requests_give_a_wide_confidence_interval() {
        let (low, high) = Counts { good: 9, bad: 1 }.error_bounds().unwrap();
        assert!(low < 0.02 && high > 0.4, "{low} {high}");
        let (low, high) = Counts {
            good: 9000,
            bad: 1000,
        }
        .error_bounds()
        .unwrap();
        assert!(low > 0.09 && high < 0.11, "{low} {high}");
        assert_eq!(Counts::default().error_bounds(), None);
    }

    /// Newcombe (1998), table I: the score interval for 81 of 263, 15 of 148, 0 of 20 and 1 of 29.
    #[test]
    fn the_confidence_interval_is_that_of_the_literature() {
        for (bad, all, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let counts = Counts {
                good: all - bad,
                bad,
            };
            let (lower, upper) = counts.error_bounds().unwrap();
            assert!((lower - low).abs() < 1e-4, "{bad} of {all}: {lower}");
            assert!((upper - high).abs() < 1e-4, "{bad} of {all}: {upper}");
        }
    }
}
