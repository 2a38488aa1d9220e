//! Telling a model that rejects everything from clients that send what is wrong.
//!
//! A rejected request is its client's fault, and a share of them is normal. But a provider whose outage answers 400 looks
//! the same. So the share of rejections is averaged, and a CUSUM (as in `score`) sums how much likelier each rejection
//! and each answer are if the share has risen half-way to all. This alone proves nothing, but makes it worth asking
//! another candidate with the same bytes.

use std::sync::atomic::{AtomicU64, Ordering};

use super::time::{Tick, left_after};
use crate::outcome::{Blame, Outcome};

/// The share of rejections is averaged over so many requests; over more while they are unusual.
const USUAL: f32 = 100.0;
const UNUSUAL: f32 = 1000.0;
/// The share is taken to be within these bounds.
const LOWEST: f32 = 0.02;
const HIGHEST: f32 = 0.6;
/// The sum from which on rejections are unusual, in nats: three in a row, where they were seldom.
const ENOUGH: f32 = 8.0;
/// The greatest sum, so that a few answers are enough to bring it down.
const MOST: f32 = 12.0;
/// So many in a row are unusual whatever the share was.
const RUN: u32 = 8;
/// The time constant with which the sum decays, in seconds.
const FORGET: f32 = 300.0;

/// The share of rejections (16 bits, of 65535), the sum (16 bits, in 4096ths of a nat), how many came in a row (8 bits),
/// and 64ths of the tick of the last request (24 bits).
#[derive(Debug, Default)]
pub(super) struct Rejections(AtomicU64);

/// The time is kept in seconds, about: this many bits of a tick are dropped.
const DROPPED: u32 = 6;
const AT: u32 = (1 << 24) - 1;

/// Whether an outcome is a rejection of the request itself.
pub(super) fn is_rejection(outcome: &Outcome) -> bool {
    outcome.blame() == Blame::Client && outcome.status().is_some()
}

impl Rejections {
    /// A request was answered.
    pub(super) fn answered(&self, now: Tick) {
        if self.0.load(Ordering::Relaxed) != 0 {
            self.learn(false, now);
        }
    }

    /// A request was rejected.
    pub(super) fn rejected(&self, now: Tick) {
        self.learn(true, now);
    }

    /// Whether there are so many that the model may be the cause.
    pub(super) fn are_unusual(&self, now: Tick) -> bool {
        let state = State::unpack(self.0.load(Ordering::Relaxed));
        state.is_unusual(now)
    }

    fn learn(&self, is_rejection: bool, now: Tick) {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let state = State::unpack(seen).after(is_rejection, now);
            match self.0.compare_exchange_weak(
                seen,
                state.pack(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(actual) => seen = actual,
            }
        }
    }
}

#[derive(Clone, Copy)]
struct State {
    share: f32,
    sum: f32,
    run: u32,
    at: u32,
}

impl State {
    fn after(self, is_rejection: bool, now: Tick) -> Self {
        let usual = self.share.clamp(LOWEST, HIGHEST);
        // If the share has risen half-way to all, then answers are half as likely.
        let ratio = if is_rejection {
            (1.0 + usual) / 2.0 / usual
        } else {
            0.5
        };
        let over = if self.is_unusual(now) { UNUSUAL } else { USUAL };
        let value = f32::from(u8::from(is_rejection));
        Self {
            share: self.share + (value - self.share) / over,
            sum: (self.faded(now) + ratio.ln()).clamp(0.0, MOST),
            run: if is_rejection {
                (self.run + 1).min(0xff)
            } else {
                0
            },
            at: now.0 >> DROPPED & AT,
        }
    }

    fn is_unusual(self, now: Tick) -> bool {
        self.run >= RUN || self.faded(now) >= ENOUGH
    }

    fn faded(self, now: Tick) -> f32 {
        let elapsed = (now.0 >> DROPPED & AT).saturating_sub(self.at);
        let seconds = Tick(0).seconds_until(Tick(elapsed << DROPPED));
        self.sum * left_after(seconds, FORGET)
    }

    fn pack(self) -> u64 {
        ((self.share * 65535.0).round() as u64) << 48
            | ((self.sum * 4096.0).round() as u64) << 32
            | u64::from(self.run) << 24
            | u64::from(self.at)
    }

    fn unpack(packed: u64) -> Self {
        Self {
            share: (packed >> 48) as f32 / 65535.0,
            sum: (packed >> 32 & 0xffff) as f32 / 4096.0,
            run: (packed >> 24 & 0xff) as u32,
            at: packed as u32 & AT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AT, DROPPED, Rejections, State, is_rejection};
    use crate::health::time::Tick;
    use crate::outcome::Outcome;

    const START: Tick = Tick(1_000_000);

    /// Plays requests, one a second, of which this share is rejected. Returns for how many of them rejections were
    /// unusual, and when the last one was.
    fn play(rejections: &Rejections, from: Tick, requests: u32, share: f64) -> (u32, Tick) {
        let mut random = fastrand::Rng::with_seed(11);
        let (mut unusual, mut now) = (0, from);
        for _ in 0..requests {
            if random.f64() < share {
                rejections.rejected(now);
            } else {
                rejections.answered(now);
            }
            unusual += u32::from(rejections.are_unusual(now));
            now = now.plus(1.0);
        }
        (unusual, now)
    }

    #[test]
    fn only_an_upstream_rejects_a_request_and_only_for_what_it_is() {
        for (outcome, is_it) in [
            (Outcome::RejectedRequest { status: 400 }, true),
            (Outcome::ClientGone, false),
            (Outcome::ServerError { status: 500 }, false),
        ] {
            assert_eq!(is_rejection(&outcome), is_it, "{outcome}");
        }
    }

    #[test]
    fn a_share_that_was_always_there_is_usual() {
        for share in [0.0, 0.02, 0.1, 0.3] {
            let rejections = Rejections::default();
            let (_, now) = play(&rejections, START, 500, share);
            let (unusual, _) = play(&rejections, now, 5000, share);
            assert!(unusual < 250, "{share}: {unusual}");
        }
    }

    #[test]
    fn a_jump_is_seen_after_a_few_and_lasts_for_as_long_as_it_does() {
        for share in [0.0, 0.1, 0.3] {
            let rejections = Rejections::default();
            let (_, now) = play(&rejections, START, 1000, share);
            let (unusual, now) = play(&rejections, now, 3000, 1.0);
            assert!(unusual >= 3000 - 8, "{share}: {unusual}");
            play(&rejections, now, 20, 0.0);
            assert!(!rejections.are_unusual(now.plus(20.0)), "{share}");
        }
    }

    #[test]
    fn two_rejections_are_not_unusual_but_a_model_that_only_rejects_is() {
        let rejections = Rejections::default();
        for number in 1..=12 {
            rejections.rejected(START.plus(number as f32));
            let is_unusual = rejections.are_unusual(START.plus(number as f32));
            assert!(is_unusual == (number >= 3), "{number}");
        }
    }

    #[test]
    fn a_request_moves_the_share_and_the_sum_and_time_takes_the_sum_back() {
        // So late that the time does not fit.
        let now = Tick(u32::MAX - 1_000_000);
        let near = |a: f32, b: f32| (a - b).abs() < 0.01;
        let state = State {
            share: 0.5,
            sum: 6.0,
            run: 2,
            at: now.0 >> DROPPED & AT,
        };
        let kept = |state: State| State::unpack(state.pack());
        let rejected = kept(state.after(true, now));
        assert!(near(rejected.share, 0.505) && near(rejected.sum, 6.0 + 1.5f32.ln()));
        assert_eq!((rejected.run, rejected.at), (3, state.at));
        let answered = kept(state.after(false, now));
        assert!(near(answered.share, 0.495) && near(answered.sum, 6.0 - 2f32.ln()));
        assert_eq!((answered.run, answered.at), (0, state.at));
        assert!(near(
            state.faded(now.plus(300.0)),
            6.0 / std::f32::consts::E
        ));
        let least = State { sum: 0.1, ..state };
        assert!(near(least.after(false, now).sum, 0.0));
        let most = State { sum: 11.9, ..state };
        assert!(near(most.after(true, now).sum, 12.0));
        // While they are unusual, the share follows slowly.
        let unusual = State { sum: 9.0, ..state };
        assert!((unusual.after(true, now).share - 0.5005).abs() < 1e-4);
    }
}
