//! What a client has used of its limits, and what becomes of one request's part of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::window::{Window, step_at};
use crate::config::ClientLimits;
use crate::event::ClientLimit;

/// After this time a place among the concurrent requests may be free; nobody knows when one will be.
const SOON: Duration = Duration::from_secs(1);
/// The window is a minute, and no wait is longer.
const MINUTE: Duration = Duration::from_secs(60);

/// What a client has used of its limits. It stays when the configuration is read again.
#[derive(Debug)]
pub(super) struct Counts {
    began: Instant,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    requests: Window,
    tokens: Window,
    /// How many requests are open.
    open: u64,
}

/// What a request takes of a client's limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The tokens of its prompt, about.
    pub prompt: u64,
    /// The tokens that its answer may have, as far as it says so.
    pub output: u64,
}

/// Where a client stands with one of its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The limit.
    pub most: u64,
    /// What is left of it.
    pub remaining: u64,
    /// How long until all of it is left, if nothing more comes.
    pub reset: Duration,
}

/// Where a client stands with the limits that are counted by the minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standings {
    /// Requests, if they are limited.
    pub requests: Option<Standing>,
    /// Tokens, if they are limited.
    pub tokens: Option<Standing>,
}

/// A client has reached one of its limits.
#[derive(Clone, Debug)]
pub struct Exceeded {
    /// Which one.
    pub limit: ClientLimit,
    /// How much it allows.
    pub most: u64,
    /// How much is used.
    pub used: u64,
    /// How much the request wants.
    pub wanted: u64,
    /// After this time it may be sent again; `None`: it is too large at any time.
    pub wait: Option<Duration>,
    /// Where the client stands.
    pub standings: Standings,
}

/// What one request has taken. It is given back when this is dropped: its place among the open requests, and the tokens that it
/// did not need.
#[derive(Debug)]
pub struct Taken {
    counts: Arc<Counts>,
    /// The step in which it was taken.
    step: u64,
    reserved: u64,
    used: u64,
    /// Whether its tokens are counted.
    has_tokens: bool,
    /// The tokens of its prompt, about.
    pub prompt: u64,
    /// Where the client stood then.
    pub standings: Standings,
}

impl Counts {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            used: Mutex::default(),
        }
    }

    /// Takes what a request costs, or nothing of it.
    pub(super) fn take(
        self: &Arc<Self>,
        limits: &ClientLimits,
        cost: Cost,
        now: Instant,
    ) -> Result<Taken, Exceeded> {
        let step = self.step(now);
        let mut used = self.used();
        used.requests.pass(step);
        used.tokens.pass(step);
        // What an answer may have at most it seldom has: that alone never makes a request too large.
        let most = limits.tokens_per_minute.unwrap_or(0);
        let tokens = cost
            .prompt
            .max(cost.prompt.saturating_add(cost.output).min(most));
        used.check(limits, cost.prompt, tokens)?;
        used.open += 1;
        if limits.requests_per_minute.is_some() {
            used.requests.add(1);
        }
        let has_tokens = limits.tokens_per_minute.is_some();
        if has_tokens {
            used.tokens.add(tokens);
        }
        let standings = used.standings(limits);
        drop(used);
        Ok(Taken {
            counts: Arc::clone(self),
            step,
            reserved: tokens,
            used: tokens,
            has_tokens,
            prompt: cost.prompt,
            standings,
        })
    }

    fn step(&self, now: Instant) -> u64 {
        step_at(now.saturating_duration_since(self.began))
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, taken: &Taken) {
        let step = self.step(Instant::now());
        let mut used = self.used();
        used.open = used.open.saturating_sub(1);
        if taken.has_tokens {
            used.tokens.pass(step);
            match taken.used.checked_sub(taken.reserved) {
                Some(more) if more > 0 => used.tokens.add(more),
                Some(_) => {}
                None => used
                    .tokens
                    .take_back(taken.step, taken.reserved - taken.used),
            }
        }
    }
}

impl Used {
    fn check(&self, limits: &ClientLimits, prompt: u64, tokens: u64) -> Result<(), Exceeded> {
        let exceeded = |limit, most, used, wanted, wait| Exceeded {
            limit,
            most,
            used,
            wanted,
            wait,
            standings: self.standings(limits),
        };
        if let Some(most) = limits.concurrent.filter(|most| self.open >= *most) {
            let wait = Some(SOON);
            return Err(exceeded(ClientLimit::Concurrent, most, self.open, 1, wait));
        }
        let requests = self.requests.sum();
        if let Some(most) = limits.requests_per_minute.filter(|most| requests >= *most) {
            let wait = Some(wait(&self.requests, requests + 1 - most));
            return Err(exceeded(ClientLimit::Requests, most, requests, 1, wait));
        }
        let Some(most) = limits.tokens_per_minute else {
            return Ok(());
        };
        let used = self.tokens.sum();
        if prompt > most {
            return Err(exceeded(ClientLimit::Tokens, most, used, prompt, None));
        }
        match used.saturating_add(tokens).checked_sub(most) {
            None | Some(0) => Ok(()),
            Some(excess) => {
                let wait = Some(wait(&self.tokens, excess));
                Err(exceeded(ClientLimit::Tokens, most, used, tokens, wait))
            }
        }
    }

    fn standings(&self, limits: &ClientLimits) -> Standings {
        let of = |most: Option<u64>, window: &Window| {
            most.map(|most| Standing {
                most,
                remaining: most.saturating_sub(window.sum()),
                reset: window.until_empty().min(MINUTE),
            })
        };
        Standings {
            requests: of(limits.requests_per_minute, &self.requests),
            tokens: of(limits.tokens_per_minute, &self.tokens),
        }
    }
}

fn wait(window: &Window, count: u64) -> Duration {
    window.until_less(count).min(MINUTE)
}

impl Taken {
    /// What it turned out to cost in tokens; `None`: what was reserved.
    pub fn settle(mut self, tokens: Option<u64>) {
        self.used = tokens.unwrap_or(self.reserved);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.counts.give_back(self);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{Cost, Counts, Exceeded, Taken};
    use crate::config::ClientLimits;
    use crate::event::ClientLimit;

    fn counts() -> Arc<Counts> {
        Arc::new(Counts::new())
    }

    fn take(
        counts: &Arc<Counts>,
        limits: &ClientLimits,
        prompt: u64,
        output: u64,
    ) -> Result<Taken, Exceeded> {
        counts.take(limits, Cost { prompt, output }, Instant::now())
    }

    fn tokens(most: u64) -> ClientLimits {
        ClientLimits {
            tokens_per_minute: Some(most),
            ..ClientLimits::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_request_of_a_minute_waits_for_the_first_to_leave() {
        let (counts, limits) = (
            counts(),
            ClientLimits {
                requests_per_minute: Some(3),
                ..ClientLimits::default()
            },
        );
        for left in [2, 1, 0] {
            let taken = take(&counts, &limits, 1, 0).unwrap();
            assert_eq!(taken.standings.requests.unwrap().remaining, left);
            assert_eq!(taken.standings.tokens, None);
            advance(Duration::from_secs(10)).await;
        }
        let exceeded = take(&counts, &limits, 1, 0).unwrap_err();
        assert_eq!(exceeded.limit, ClientLimit::Requests);
        let wait = exceeded.wait.unwrap();
        assert_eq!(wait, Duration::from_millis(30_250));
        advance(wait - Duration::from_millis(1)).await;
        assert!(take(&counts, &limits, 1, 0).is_err());
        advance(Duration::from_millis(1)).await;
        assert!(take(&counts, &limits, 1, 0).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_are_reserved_and_settled_by_what_was_used() {
        let (counts, limits) = (counts(), tokens(1000));
        let first = take(&counts, &limits, 100, 800).unwrap();
        assert_eq!(first.standings.tokens.unwrap().remaining, 100);
        let exceeded = take(&counts, &limits, 101, 0).unwrap_err();
        assert_eq!((exceeded.limit, exceeded.used), (ClientLimit::Tokens, 900));
        first.settle(Some(150));
        let second = take(&counts, &limits, 800, 0).unwrap();
        assert_eq!(second.standings.tokens.unwrap().remaining, 50);
        // More than was reserved: the next ones wait for it.
        second.settle(Some(2000));
        let exceeded = take(&counts, &limits, 1, 0).unwrap_err();
        assert_eq!(exceeded.used, 2150);
        advance(Duration::from_secs(61)).await;
        assert!(take(&counts, &limits, 1000, 0).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_prompt_is_ever_too_large() {
        let (counts, limits) = (counts(), tokens(1000));
        let taken = take(&counts, &limits, 10, 1_000_000).unwrap();
        assert_eq!(taken.standings.tokens.unwrap().remaining, 0);
        taken.settle(None);
        let exceeded = take(&counts, &limits, 1001, 0).unwrap_err();
        assert_eq!(exceeded.wait, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_again_when_its_request_is_over() {
        let limits = ClientLimits {
            concurrent: Some(2),
            ..ClientLimits::default()
        };
        let counts = counts();
        let (one, two) = (
            take(&counts, &limits, 1, 0).unwrap(),
            take(&counts, &limits, 1, 0).unwrap(),
        );
        let exceeded = take(&counts, &limits, 1, 0).unwrap_err();
        assert_eq!(
            (exceeded.limit, exceeded.used),
            (ClientLimit::Concurrent, 2)
        );
        one.settle(None);
        let three = take(&counts, &limits, 1, 0).unwrap();
        drop((two, three));
        assert_eq!(counts.used().open, 0);
    }

    /// What leaves the window before its request is over is not given back a second time.
    #[tokio::test(start_paused = true)]
    async fn a_request_that_outlasts_the_minute_counts_once() {
        let (counts, limits) = (counts(), tokens(1000));
        let long = take(&counts, &limits, 500, 0).unwrap();
        advance(Duration::from_secs(90)).await;
        let other = take(&counts, &limits, 400, 0).unwrap();
        long.settle(Some(100));
        other.settle(None);
        let next = take(&counts, &limits, 600, 0).unwrap();
        assert_eq!(next.standings.tokens.unwrap().remaining, 0);
    }
}
