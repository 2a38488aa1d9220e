//! How long things took: a sparse histogram with buckets that grow with what they count.

use std::time::Duration;

use super::varint::{Reader, put};

/// Values below this many milliseconds have a bucket each; from there on each doubling has this many. So a bucket is
/// nowhere wider than a sixteenth of what it counts, and its middle is off by 3 % at most.
const STEPS: u64 = 16;
/// The longest time that is told apart, in milliseconds: 24 days.
const LONGEST: u64 = (1 << 31) - 1;

/// How often which durations occurred, by bucket, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations(Vec<(u16, u64)>);

/// Three quantiles in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantiles {
    /// Half took no longer.
    pub p50: u64,
    /// 95 % took no longer.
    pub p95: u64,
    /// 99 % took no longer.
    pub p99: u64,
}

impl Durations {
    pub(super) fn note(&mut self, duration: Duration) {
        // `as_millis` divides 128 bits.
        let millis = duration.as_secs().min(LONGEST) * 1000 + u64::from(duration.subsec_millis());
        self.add(bucket(millis.min(LONGEST)), 1);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            self.add(*bucket, *count);
        }
    }

    /// `None`: nothing was noted.
    pub fn quantiles(&self) -> Option<Quantiles> {
        if self.0.is_empty() {
            return None;
        }
        Some(Quantiles {
            p50: self.quantile(50),
            p95: self.quantile(95),
            p99: self.quantile(99),
        })
    }

    /// The nearest rank: the least value that so many of a hundred do not exceed.
    fn quantile(&self, percent: u64) -> u64 {
        let total: u64 = self.0.iter().map(|(_, count)| count).sum();
        let rank = (total * percent).div_ceil(100);
        let mut seen = 0;
        let found = self.0.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        found.map_or(0, |(bucket, _)| middle(*bucket))
    }

    fn add(&mut self, bucket: u16, count: u64) {
        match self.0.binary_search_by_key(&bucket, |(known, _)| *known) {
            Ok(place) => self.0[place].1 += count,
            Err(place) => self.0.insert(place, (bucket, count)),
        }
    }

    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        put(bytes, self.0.len() as u64);
        for (bucket, count) in &self.0 {
            put(bytes, u64::from(*bucket));
            put(bytes, *count);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut durations = Self::default();
        for _ in 0..reader.number()? {
            let bucket = u16::try_from(reader.number()?).ok()?;
            durations.add(bucket, reader.number()?);
        }
        Some(durations)
    }
}

fn bucket(millis: u64) -> u16 {
    if millis < STEPS {
        return millis as u16;
    }
    let doublings = millis.ilog2() - STEPS.ilog2();
    let step = (millis >> doublings) - STEPS;
    (u64::from(doublings + 1) * STEPS + step) as u16
}

/// The middle of a bucket, in milliseconds.
fn middle(bucket: u16) -> u64 {
    let (doublings, step) = (u64::from(bucket) / STEPS, u64::from(bucket) % STEPS);
    match doublings {
        0 => step,
        _ => {
            let width = 1 << (doublings - 1);
            (STEPS + step) * width + width / 2
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Durations, LONGEST, bucket, middle};

    #[test]
    fn the_middle_of_a_bucket_is_close_to_what_it_counts() {
        for millis in (0..5000).chain([77_777, 3_600_000, LONGEST]) {
            let shown = middle(bucket(millis));
            assert!(
                shown.abs_diff(millis) * 100 <= millis * 4,
                "{millis}: {shown}"
            );
        }
        assert!(bucket(LONGEST) < 500);
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        let mut durations = Durations::default();
        assert_eq!(durations.quantiles(), None);
        for millis in 1..=100 {
            durations.note(Duration::from_millis(millis.min(10)));
        }
        durations.note(Duration::from_secs(100));
        let quantiles = durations.quantiles().unwrap();
        assert_eq!((quantiles.p50, quantiles.p99), (10, 10));
        durations.note(Duration::from_secs(100));
        durations.note(Duration::from_secs(100));
        assert!(durations.quantiles().unwrap().p99 > 95_000);
    }
}
