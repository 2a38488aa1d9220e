//! Rows: what was counted about a subject in one minute, hour or day. A minute that is noted is added to its hour and
//! its day at once, so that nothing has to be summed up later.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use redb::Error;

use super::counts::{Counts, Time};
use super::subject::Subject;

/// Minutes in an hour, and hours in a day.
const HOUR: u64 = 60;
const DAY: u64 = 24;

/// How long the span of a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tier {
    Minute,
    Hour,
    Day,
}

impl Tier {
    pub(super) const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Its length in minutes.
    pub(super) fn minutes(self) -> u64 {
        match self {
            Self::Minute => 1,
            Self::Hour => HOUR,
            Self::Day => HOUR * DAY,
        }
    }

    /// The number of the span in which a minute lies. Minutes are counted from 1970 on.
    pub(super) fn of(self, minute: u64) -> u64 {
        minute / self.minutes()
    }
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) tier: Tier,
    /// The number of its span since 1970.
    pub(super) at: u64,
    pub(super) subject: Subject,
}

/// Rows that can be read and replaced.
pub(super) trait Rows {
    fn get(&self, key: Key) -> Result<Option<Counts>, Error>;
    fn put(&mut self, key: Key, counts: &Counts) -> Result<(), Error>;
}

/// Adds counts to the rows of a minute, its hour and its day.
pub(super) fn add(
    rows: &mut (impl Rows + ?Sized),
    minute: u64,
    subject: Subject,
    counts: &Counts,
) -> Result<(), Error> {
    let key = |tier: Tier| Key {
        tier,
        at: tier.of(minute),
        subject,
    };
    let before = rows.get(key(Tier::Minute))?;
    let (row, added) = joined(before, counts);
    rows.put(key(Tier::Minute), &row)?;
    for tier in [Tier::Hour, Tier::Day] {
        let mut row = rows.get(key(tier))?.unwrap_or_default();
        row.merge(&added);
        rows.put(key(tier), &row)?;
    }
    Ok(())
}

/// The row of a minute with further counts, and what that adds to longer spans: whether a minute is lost shows only in
/// all of its counts.
pub(super) fn joined(before: Option<Counts>, counts: &Counts) -> (Counts, Counts) {
    let mut row = before.unwrap_or_default();
    let time_before = row.time;
    row.merge(counts);
    row.time = row.time_of_minute();
    let mut added = counts.clone();
    added.time = Time {
        minutes: row.time.minutes - time_before.minutes,
        lost: row.time.lost - time_before.lost,
    };
    (row, added)
}

/// The rows that make up the time from a minute to another one, as few as possible.
pub(super) fn cover(first: u64, last: u64) -> Vec<(Tier, RangeInclusive<u64>)> {
    let mut parts = Vec::new();
    let mut from = first;
    for (tier, longer) in [(Tier::Minute, Tier::Hour), (Tier::Hour, Tier::Day)] {
        let next = from.next_multiple_of(longer.minutes());
        if next > last {
            parts.push((tier, tier.of(from)..=tier.of(last)));
            return parts;
        }
        if next > from {
            parts.push((tier, tier.of(from)..=tier.of(next - 1)));
        }
        from = next;
    }
    parts.push((Tier::Day, Tier::Day.of(from)..=Tier::Day.of(last)));
    parts
}

/// The first of the last `kept` spans that have rows, up to the span `last`; none if there are fewer. `before` finds the last
/// span with rows before another one.
pub(super) fn first_kept(
    last: u64,
    kept: usize,
    mut before: impl FnMut(u64) -> Result<Option<u64>, Error>,
) -> Result<Option<u64>, Error> {
    let mut first = last + 1;
    for _ in 0..kept {
        match before(first)? {
            Some(at) => first = at,
            None => return Ok(None),
        }
    }
    Ok(Some(first))
}

/// Rows in memory.
#[derive(Debug, Default)]
pub(super) struct MemoryRows(pub(super) BTreeMap<Key, Box<[u8]>>);

impl Rows for MemoryRows {
    fn get(&self, key: Key) -> Result<Option<Counts>, Error> {
        Ok(self.0.get(&key).and_then(|row| Counts::from_bytes(row)))
    }

    fn put(&mut self, key: Key, counts: &Counts) -> Result<(), Error> {
        self.0.insert(key, counts.to_bytes().into());
        Ok(())
    }
}

impl MemoryRows {
    /// Keeps the rows of a tier in its last spans that have some, up to a span, and those after it.
    pub(super) fn prune(&mut self, tier: Tier, last: u64, kept: usize) {
        let first = first_kept(last, kept, |at| {
            let mut before = self.0.range(first_of(tier, 0)..first_of(tier, at));
            Ok(before.next_back().map(|(key, _)| key.at))
        });
        if let Ok(Some(first)) = first {
            self.0.retain(|key, _| key.tier != tier || key.at >= first);
        }
    }

    /// The number of the first span of a tier that has a row, from a span on.
    pub(super) fn first(&self, tier: Tier, from: u64) -> Option<u64> {
        let mut rows = self.0.range(first_of(tier, from)..);
        let (key, _) = rows.next()?;
        (key.tier == tier).then_some(key.at)
    }

    pub(super) fn visit(
        &self,
        tier: Tier,
        spans: RangeInclusive<u64>,
        visit: &mut dyn FnMut(Key, Counts),
    ) {
        let key = |at, subject| Key { tier, at, subject };
        let range = key(*spans.start(), Subject(0))..=key(*spans.end(), Subject(u64::MAX));
        for (key, row) in self.0.range(range) {
            if let Some(counts) = Counts::from_bytes(row) {
                visit(*key, counts);
            }
        }
    }
}

/// The place before all rows of a span.
fn first_of(tier: Tier, at: u64) -> Key {
    Key {
        tier,
        at,
        subject: Subject(0),
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Key, MemoryRows, Rows, Subject, Tier, add, cover};

    #[test]
    fn a_span_is_covered_once_by_the_longest_rows() {
        let covered = |first: u64, last: u64| -> Vec<u64> {
            let parts = cover(first, last);
            let minutes = parts.into_iter().flat_map(|(tier, spans)| {
                spans.flat_map(move |at| at * tier.minutes()..(at + 1) * tier.minutes())
            });
            minutes.collect()
        };
        for (first, last) in [(0, 0), (59, 61), (61, 185), (1439, 1440), (61, 9000)] {
            let all = covered(first, last);
            // The last row may not be over yet.
            assert!(all.len() as u64 > last - first);
            assert!(all.iter().copied().eq(first..first + all.len() as u64));
        }
        assert_eq!(cover(61, 185).len(), 2);
        assert_eq!(cover(61, 9000).len(), 3);
        assert_eq!(cover(1440, 9000), [(Tier::Day, 1..=6)]);
    }

    #[test]
    fn a_minute_that_comes_in_parts_counts_once() {
        let mut rows = MemoryRows::default();
        let part = |requests, failed| Counts {
            requests,
            failed,
            ..Counts::default()
        };
        add(&mut rows, 61, Subject::CLIENTS, &part(1, 1)).unwrap();
        add(&mut rows, 61, Subject::CLIENTS, &part(99, 0)).unwrap();
        add(&mut rows, 62, Subject::CLIENTS, &part(100, 0)).unwrap();
        let key = |tier, at| Key {
            tier,
            at,
            subject: Subject::CLIENTS,
        };
        let hour = rows.get(key(Tier::Hour, 1)).unwrap().unwrap();
        assert_eq!((hour.requests, hour.failed), (200, 1));
        assert_eq!((hour.time.minutes, hour.time.lost), (2, 10_000));
        assert_eq!(rows.get(key(Tier::Day, 0)).unwrap(), Some(hour));
    }
}
