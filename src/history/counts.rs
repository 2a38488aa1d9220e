//! What is counted about one subject in one span of time, and the shares that follow from it.

use std::borrow::Cow;

use super::durations::Durations;
use super::varint::{Reader, put, put_text};
use crate::event::Tokens;

/// A minute in which so many requests of a hundred failed is lost as a whole.
const LOST_FROM: u64 = 5;
/// The parts of a minute in which its loss is counted.
const WHOLE: i64 = 1_000_000;
/// Shares have this many decimals: a percent with four.
const PARTS: u128 = 1_000_000;
/// The first byte of a row, so that a later version can tell its own rows from these.
const VERSION: u64 = 1;

/// The counts of one subject: all clients, one of them, an upstream or a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests of clients, without those that were rejected and those whose client left; attempts at an upstream or a
    /// model, without those that were given up.
    pub requests: u64,
    /// Those of them that failed or broke off; for attempts, by the fault of the upstream.
    pub failed: u64,
    /// Requests that were wrong themselves.
    pub rejected: u64,
    /// Requests whose client left; attempts that were given up, for whatever reason of our own.
    pub gone: u64,
    /// Requests that were answered in full though an upstream failed or was passed over.
    pub saved: u64,
    /// Requests that others served because this one was out of rotation; for clients, all such.
    pub skipped: u64,
    /// Those of `rejected` that were refused by a rule of their client.
    pub limited: u64,
    /// What the answers cost.
    pub tokens: Tokens,
    /// Whether it was out of rotation for a while.
    pub is_out: bool,
    /// What follows from its minutes.
    pub time: Time,
    /// Failures by the labels of their outcomes, in the order of their names.
    pub failures: Failures,
    /// The time to the first token, of those that did not fail.
    pub first_token: Durations,
    /// The time to the end of the answer, of those that did not fail.
    pub total: Durations,
}

/// Minutes, and how much of them was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// The minutes in which somebody wanted something of it.
    pub minutes: i64,
    /// How much of them was lost, in millionths of a minute.
    pub lost: i64,
}

/// How often which kind of failure occurred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures(pub Vec<(Cow<'static, str>, u64)>);

impl Failures {
    pub(super) fn note(&mut self, label: impl Into<Cow<'static, str>>, count: u64) {
        let label = label.into();
        match self.0.binary_search_by(|(known, _)| known.cmp(&label)) {
            Ok(place) => self.0[place].1 += count,
            Err(place) => self.0.insert(place, (label, count)),
        }
    }
}

impl Counts {
    /// Whether nothing has been counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The percentage of requests that did not fail, cut off after four decimals; `None` without any.
    pub fn by_requests(&self) -> Option<f64> {
        percent(
            u128::from(self.requests - self.failed.min(self.requests)),
            u128::from(self.requests),
        )
    }

    /// The percentage of minutes that were not lost, cut off after four decimals; `None` without any.
    pub fn by_time(&self) -> Option<f64> {
        let whole = u128::from(self.time.minutes.max(0).unsigned_abs()) * WHOLE as u128;
        let lost = u128::from(self.time.lost.max(0).unsigned_abs());
        percent(whole.saturating_sub(lost), whole)
    }

    /// Whether anybody wanted something of it: a request was sent to it, or would have been if it had been in rotation.
    pub fn is_wanted(&self) -> bool {
        self.requests > 0 || self.skipped > 0
    }

    /// What a whole minute with these counts amounts to: it is lost if it was out of rotation in it, or if 5 % or more of
    /// its requests failed; else by the share that failed, however small. A minute in which nobody wanted it does not
    /// count: else a night out of rotation would weigh more than all days of somebody who asks now and then.
    pub(super) fn time_of_minute(&self) -> Time {
        if !self.is_wanted() {
            return Time::default();
        }
        let (requests, failed) = (self.requests, self.failed);
        let lost = if self.is_out || failed * 100 >= requests * LOST_FROM && failed > 0 {
            WHOLE
        } else if requests > 0 {
            (failed * WHOLE as u64).div_ceil(requests) as i64
        } else {
            0
        };
        Time { minutes: 1, lost }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.rejected += other.rejected;
        self.gone += other.gone;
        self.saved += other.saved;
        self.skipped += other.skipped;
        self.limited += other.limited;
        self.tokens += other.tokens;
        self.is_out |= other.is_out;
        self.time.minutes += other.time.minutes;
        self.time.lost += other.time.lost;
        for (label, count) in &other.failures.0 {
            self.failures.note(label.clone(), *count);
        }
        self.first_token.merge(&other.first_token);
        self.total.merge(&other.total);
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        let Time { minutes, lost } = self.time;
        let numbers = [
            VERSION,
            self.requests,
            self.failed,
            self.rejected,
            self.gone,
            self.saved,
            self.skipped,
            self.tokens.input,
            self.tokens.cached,
            self.tokens.output,
            u64::from(self.is_out),
            minutes.max(0).unsigned_abs(),
            lost.max(0).unsigned_abs(),
            self.failures.0.len() as u64,
        ];
        for number in numbers {
            put(&mut bytes, number);
        }
        for (label, count) in &self.failures.0 {
            put_text(&mut bytes, label);
            put(&mut bytes, *count);
        }
        self.first_token.write(&mut bytes);
        self.total.write(&mut bytes);
        put(&mut bytes, self.limited);
        bytes
    }

    /// `None`: another version has written it.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.number()? != VERSION {
            return None;
        }
        let mut next = || reader.number();
        let mut counts = Self {
            requests: next()?,
            failed: next()?,
            rejected: next()?,
            gone: next()?,
            saved: next()?,
            skipped: next()?,
            tokens: Tokens {
                input: next()?,
                cached: next()?,
                output: next()?,
            },
            is_out: next()? == 1,
            time: Time {
                minutes: i64::try_from(next()?).ok()?,
                lost: i64::try_from(next()?).ok()?,
            },
            ..Self::default()
        };
        for _ in 0..next()? {
            let label = reader.text()?.to_owned();
            counts.failures.note(label, reader.number()?);
        }
        counts.first_token = Durations::read(&mut reader)?;
        counts.total = Durations::read(&mut reader)?;
        // Older rows end here.
        counts.limited = reader.number().unwrap_or(0);
        Some(counts)
    }
}

/// Cut off, never rounded: a single failure never shows 100.
fn percent(part: u128, whole: u128) -> Option<f64> {
    let parts = (part * PARTS).checked_div(whole)?;
    Some(parts as f64 / (PARTS / 100) as f64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Counts, Time, Tokens, WHOLE};

    fn counts(requests: u64, failed: u64) -> Counts {
        Counts {
            requests,
            failed,
            ..Counts::default()
        }
    }

    #[test]
    fn shares_are_cut_off_and_one_failure_never_shows_a_hundred() {
        assert_eq!(counts(0, 0).by_requests(), None);
        assert_eq!(counts(5, 0).by_requests(), Some(100.0));
        assert_eq!(counts(3, 1).by_requests(), Some(66.6666));
        let mut many = counts(u64::MAX, 1);
        assert_eq!(many.by_requests(), Some(99.9999));
        let minute = counts(1_000_000_000, 1).time_of_minute();
        assert_eq!(
            minute,
            Time {
                minutes: 1,
                lost: 1
            }
        );
        many.time = Time {
            minutes: 129_600,
            lost: 1,
        };
        assert_eq!(many.by_time(), Some(99.9999));
    }

    #[test]
    fn a_minute_is_lost_from_five_percent_on_or_out_of_rotation() {
        let lost = |requests, failed| counts(requests, failed).time_of_minute().lost;
        assert_eq!(lost(100, 5), WHOLE);
        assert_eq!(lost(100, 4), WHOLE / 25);
        assert_eq!(lost(100, 0), 0);
        assert_eq!(counts(0, 0).time_of_minute(), Time::default());
        let out = Counts {
            is_out: true,
            skipped: 1,
            ..Counts::default()
        };
        let lost = Time {
            minutes: 1,
            lost: WHOLE,
        };
        assert_eq!(out.time_of_minute(), lost);
        let unwanted = Counts { skipped: 0, ..out };
        assert_eq!(unwanted.time_of_minute(), Time::default());
    }

    #[test]
    fn bytes_give_back_what_they_were_made_of() {
        let mut all = counts(9, 3);
        all.failures.note("overloaded", 2);
        all.failures.note("connection_lost", 1);
        all.first_token.note(Duration::from_millis(320));
        all.total.note(Duration::from_secs(4));
        all.tokens = Tokens {
            input: 1,
            cached: 2,
            output: 300,
        };
        all.is_out = true;
        all.limited = 4;
        all.time = all.time_of_minute();
        assert_eq!(Counts::from_bytes(&all.to_bytes()), Some(all.clone()));
        let bytes = all.to_bytes();
        all.limited = 0;
        let older = Counts::from_bytes(&bytes[..bytes.len() - 1]);
        assert_eq!(older, Some(all.clone()));
        assert_eq!(Counts::from_bytes(&[]), None);
        assert_eq!(Counts::from_bytes(&all.to_bytes()[..9]), None);
    }
}
