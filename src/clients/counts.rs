//! What a client has used of its limits, and what becomes of one request's part of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::meter::{Amount, Meter};
use super::window::step_at;
use crate::config::ClientLimits;
use crate::event::ClientLimit;

/// After this time a place among the concurrent requests may be free; nobody knows when one will be.
const SOON: Duration = Duration::from_secs(1);

/// What a client has used of its limits. It stays when the configuration is read again.
#[derive(Debug)]
pub struct Counts {
    began: Instant,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    requests: Meter,
    tokens: Meter,
    /// How many requests are open.
    open: u64,
    /// How many are open at other replicas.
    open_elsewhere: u64,
    /// How many have come, also those that were refused. It wraps.
    asked: u64,
}

/// What a client has used of its limits at one replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnCounts {
    /// Its requests, if they are limited.
    pub requests: Amount,
    /// Its tokens, if they are limited.
    pub tokens: Amount,
    /// How many requests are open.
    pub open: u64,
    /// How many have come, also those that were refused. It wraps.
    pub asked: u64,
}

impl OwnCounts {
    /// Whether anything has been taken or given back between the two.
    pub fn differs_from(&self, other: &Self) -> bool {
        let totals = |counts: &Self| (counts.requests.total, counts.tokens.total, counts.open);
        totals(self) != totals(other) || self.asked != other.asked
    }

    /// Whether anything of it counts.
    pub fn is_something(&self) -> bool {
        self.requests.sum > 0 || self.tokens.sum > 0 || self.open > 0
    }
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
        let mut used = self.used_at(step);
        used.asked = used.asked.wrapping_add(1);
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

    /// A tick is over: what was used at this replica, for the others.
    pub fn tell(&self, now: Instant) -> OwnCounts {
        let mut used = self.used_at(self.step(now));
        OwnCounts {
            requests: used.requests.tell(),
            tokens: used.tokens.tell(),
            open: used.open,
            asked: used.asked,
        }
    }

    /// Another replica tells what was used there; `before`: what it told last, if that is known.
    pub fn hear(&self, counts: &OwnCounts, before: Option<&OwnCounts>, now: Instant) {
        let mut used = self.used_at(self.step(now));
        let requests = before.map(|before| &before.requests);
        used.requests.hear(counts.requests.since(requests));
        let tokens = before.map(|before| &before.tokens);
        used.tokens.hear(counts.tokens.since(tokens));
    }

    /// So many requests are open at other replicas, and the client uses so many replicas just now, with this one.
    pub fn divide(&self, open_elsewhere: u64, sharers: u64) {
        let mut used = self.used();
        used.open_elsewhere = open_elsewhere;
        used.requests.divide(sharers);
        used.tokens.divide(sharers);
    }

    fn step(&self, now: Instant) -> u64 {
        step_at(now.saturating_duration_since(self.began))
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used_at(&self, step: u64) -> MutexGuard<'_, Used> {
        let mut used = self.used();
        used.requests.pass(step);
        used.tokens.pass(step);
        used
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
        let open = self.open.saturating_add(self.open_elsewhere);
        if let Some(most) = limits.concurrent.filter(|most| open >= *most) {
            let wait = Some(SOON);
            return Err(exceeded(ClientLimit::Concurrent, most, open, 1, wait));
        }
        if let Some(most) = limits.requests_per_minute
            && let Some(wait) = self.requests.wait_for(1, most)
        {
            let used = self.requests.sum();
            return Err(exceeded(ClientLimit::Requests, most, used, 1, Some(wait)));
        }
        let Some(most) = limits.tokens_per_minute else {
            return Ok(());
        };
        let used = self.tokens.sum();
        if prompt > most {
            return Err(exceeded(ClientLimit::Tokens, most, used, prompt, None));
        }
        match self.tokens.wait_for(tokens, most) {
            None => Ok(()),
            wait => Err(exceeded(ClientLimit::Tokens, most, used, tokens, wait)),
        }
    }

    fn standings(&self, limits: &ClientLimits) -> Standings {
        let of = |most: Option<u64>, meter: &Meter| {
            most.map(|most| Standing {
                most,
                remaining: most.saturating_sub(meter.sum()),
                reset: meter.until_empty(),
            })
        };
        Standings {
            requests: of(limits.requests_per_minute, &self.requests),
            tokens: of(limits.tokens_per_minute, &self.tokens),
        }
    }
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
    async fn a_lower_limit_waits_until_enough_of_what_came_before_it_has_left() {
        let limits = |most| ClientLimits {
            requests_per_minute: Some(most),
            ..ClientLimits::default()
        };
        let counts = counts();
        for _ in 0..5 {
            take(&counts, &limits(5), 1, 0).unwrap();
            advance(Duration::from_secs(10)).await;
        }
        let exceeded = take(&counts, &limits(3), 1, 0).unwrap_err();
        assert_eq!((exceeded.most, exceeded.used), (3, 5));
        let wait = exceeded.wait.unwrap();
        advance(wait - Duration::from_millis(1)).await;
        assert!(take(&counts, &limits(3), 1, 0).is_err());
        advance(Duration::from_millis(1)).await;
        let taken = take(&counts, &limits(3), 1, 0).unwrap();
        let requests = taken.standings.requests.unwrap();
        assert_eq!(requests.remaining, 0);
        assert_eq!(requests.reset, Duration::from_secs(60));
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
