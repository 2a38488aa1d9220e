//! What is left of a rate limit, as the upstream said last. Nothing is decided by it: it is for operators.

use std::sync::atomic::{AtomicU64, Ordering};

use super::packed::{halves, pair};
use super::time::Tick;

/// For how long what an upstream said is worth telling, in seconds.
const LASTS: f32 = 600.0;

/// What is left of the rate limit of a key. Two threads may mix what two answers say, which are alike.
#[derive(Debug, Default)]
pub(super) struct RateLimit {
    /// How many more requests pass; the tick of the answer that said so, 0 for none.
    left: AtomicU64,
    /// How many requests pass when nothing has been used, 0 if that is not known. The highest bit: another replica was told so.
    limit: AtomicU64,
}

const TOLD: u64 = 1 << 63;

/// What is left of the rate limit of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitView {
    /// The position of the key among the upstream's keys, from 1.
    pub key: usize,
    /// How many more requests of usual size pass.
    pub requests: u32,
    /// How many pass when nothing has been used, if the upstream says so.
    pub limit: Option<u64>,
}

impl RateLimit {
    /// An answer says that so many more requests pass.
    pub(super) fn note(&self, requests: u64, limit: Option<u64>, now: Tick) {
        let requests = u32::try_from(requests).unwrap_or(u32::MAX);
        self.left.store(pair(requests, now.0), Ordering::Relaxed);
        self.limit
            .store(limit.unwrap_or_default() & !TOLD, Ordering::Relaxed);
    }

    /// Another replica was told that so many more requests pass.
    pub(super) fn note_told(&self, requests: u32, limit: Option<u64>, now: Tick) {
        self.left.store(pair(requests, now.0), Ordering::Relaxed);
        self.limit
            .store(limit.unwrap_or_default() | TOLD, Ordering::Relaxed);
    }

    /// What is left, if an answer to this replica has said so within so many seconds.
    pub(super) fn own(&self, key: usize, within: f32, now: Tick) -> Option<RateLimitView> {
        let (said, view) = self.view(key, now)?;
        let is_own = self.limit.load(Ordering::Relaxed) & TOLD == 0;
        (is_own && said.seconds_until(now) < within).then_some(view)
    }

    /// A request was refused: nothing is left.
    pub(super) fn used_up(&self, now: Tick) {
        self.left.store(pair(0, now.0), Ordering::Relaxed);
    }

    /// What is left, and when that was said.
    pub(super) fn view(&self, key: usize, now: Tick) -> Option<(Tick, RateLimitView)> {
        let (requests, tick) = halves(self.left.load(Ordering::Relaxed));
        let is_known = tick != 0 && Tick(tick).seconds_until(now) < LASTS;
        let limit = self.limit.load(Ordering::Relaxed) & !TOLD;
        let view = RateLimitView {
            key: key + 1,
            requests,
            limit: (limit > 0).then_some(limit),
        };
        is_known.then_some((Tick(tick), view))
    }
}

impl RateLimitView {
    /// What is left, as a share of the whole.
    pub fn share(&self) -> Option<f64> {
        let limit = self.limit?;
        Some((f64::from(self.requests) / limit as f64).min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{RateLimit, RateLimitView};
    use crate::health::time::Tick;

    #[test]
    fn what_an_upstream_said_is_told_until_it_is_old() {
        let (limit, now) = (RateLimit::default(), Tick(1000));
        assert_eq!(limit.view(0, now), None);
        limit.note(30, Some(120), now);
        let expected = RateLimitView {
            key: 2,
            requests: 30,
            limit: Some(120),
        };
        assert_eq!(limit.view(1, now), Some((now, expected)));
        assert_eq!(expected.share(), Some(0.25));
        limit.used_up(now);
        assert_eq!(limit.own(1, 2.0, now).map(|own| own.requests), Some(0));
        assert_eq!(limit.own(1, 2.0, now.plus(3.0)), None);
        let left = limit.view(1, now.plus(599.0));
        assert_eq!(left.map(|(_, left)| left.share()), Some(Some(0.0)));
        assert_eq!(limit.view(1, now.plus(601.0)), None);
        limit.note_told(30, Some(120), now);
        assert_eq!(limit.view(1, now), Some((now, expected)));
        assert_eq!(limit.own(1, 2.0, now), None, "it is not told on");
    }
}
