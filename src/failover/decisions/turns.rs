//! When the requests of a queue get their turns.
//!
//! The pace adapts: a few successes in a row make it twice as fast, each failure twice as slow, and the first success after
//! failures as fast as it was at first. So an upstream that is back is found soon, by few calls, and is not run over by everybody
//! who waits for it. Where no pace is known that it bears, each success makes it twice as fast, until the first failure.

use std::time::Duration;

use tokio::time::Instant;

/// The pause before the first turn. After a rate limit, the pauses between turns begin with the length of that, up to
/// `LONGEST_FIRST`: one that lasts no longer may let a single request through each time.
const FIRST: Duration = Duration::from_millis(200);
const LONGEST_FIRST: Duration = Duration::from_millis(1100);
/// So many successes in a row make the pause shorter.
const ENOUGH: u32 = 4;
/// The longest pause between two turns.
const LONGEST: Duration = Duration::from_secs(2);
/// A shorter pause is none.
const SHORTEST: Duration = Duration::from_millis(2);

/// The pace at which requests are let out. It reads no clock.
#[derive(Clone, Copy, Debug)]
pub struct Turns {
    next: Instant,
    /// The pause between two turns.
    pause: Duration,
    /// What it was at first.
    first: Duration,
    /// How many successes there were since it changed.
    successes: u32,
    /// Whether the pause is a guess: nothing shows that the upstream needs it.
    is_guess: bool,
}

impl Turns {
    /// For requests that cannot be answered before `opens_at`.
    pub fn new(opens_at: Instant, now: Instant) -> Self {
        let closed_for = opens_at.saturating_duration_since(now);
        // A pause of exactly that length would often be a moment too short.
        let first = closed_for.mul_f32(1.1).clamp(FIRST, LONGEST_FIRST);
        Self {
            next: now + FIRST,
            pause: first,
            first,
            successes: 0,
            is_guess: closed_for > LONGEST_FIRST,
        }
    }

    /// When the next request may go.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// A request goes.
    pub fn taken(&mut self, now: Instant) {
        self.next = now + self.pause;
    }

    /// A request that went has been answered.
    pub fn succeeded(&mut self, now: Instant) {
        self.successes += 1;
        let enough = if self.is_guess { 1 } else { ENOUGH };
        if self.pause > self.first {
            self.set(self.first);
        } else if self.successes >= enough {
            let half = self.pause / 2;
            self.set(if half < SHORTEST {
                Duration::ZERO
            } else {
                half
            });
        }
        self.taken(now);
    }

    /// One has been answered that went without a turn of these: that puts off no turn.
    pub fn one_more_succeeded(&mut self, now: Instant) {
        let next = self.next;
        self.succeeded(now);
        self.next = self.next.min(next);
    }

    /// A request that went has failed.
    pub fn failed(&mut self, now: Instant) {
        self.is_guess = false;
        self.set((self.pause * 2).clamp(FIRST, LONGEST));
        self.taken(now);
    }

    fn set(&mut self, pause: Duration) {
        self.pause = pause;
        self.successes = 0;
    }
}
