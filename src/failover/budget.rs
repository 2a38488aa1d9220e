//! What a route may spend on attempts beyond the first failover, which is always free.
//!
//! Without a bound, a total outage multiplies the calls; with a bound on every failover, an outage that another upstream
//! could mask is passed on to clients. So only second failovers and last resorts cost a token, and what may be billed
//! twice (a rescue, a hedge, another try after a timeout) costs one of a smaller bucket. Successes fill both.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// The tokens of one route.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Tokens>);

#[derive(Debug)]
struct Tokens {
    retries: f64,
    paid: f64,
    /// Requests per second, averaged over ten.
    rate: f64,
    last: Instant,
}

/// What an attempt is paid from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expense {
    /// Another call to an upstream.
    Retry,
    /// Another call that may be billed though its answer is not used.
    Paid,
}

const WINDOW: f64 = 10.0;

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(Tokens {
            retries: 50.0,
            paid: 10.0,
            rate: 0.0,
            last: now,
        }))
    }

    /// A request has come in.
    pub(super) fn requested(&self, now: Instant) {
        let mut tokens = self.tokens();
        let passed = now.saturating_duration_since(tokens.last).as_secs_f64();
        tokens.rate = tokens.rate * (-passed / WINDOW).exp() + 1.0 / WINDOW;
        tokens.last = now;
    }

    /// A request was answered.
    pub(super) fn succeeded(&self) {
        let mut tokens = self.tokens();
        tokens.retries = (tokens.retries + 0.2).min((10.0 * tokens.rate).max(50.0));
        tokens.paid = (tokens.paid + 0.05).min((2.0 * tokens.rate).max(10.0));
    }

    /// Takes what an attempt costs; false if there is not enough.
    pub(super) fn take(&self, expense: Expense) -> bool {
        let mut tokens = self.tokens();
        let left = match expense {
            Expense::Retry => &mut tokens.retries,
            Expense::Paid => &mut tokens.paid,
        };
        let is_enough = *left >= 1.0;
        if is_enough {
            *left -= 1.0;
        }
        is_enough
    }

    /// The lock is held for a few instructions, and only by requests of one route.
    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Budget, Expense};

    #[test]
    fn what_is_spent_comes_back_with_successes_and_never_exceeds_the_bucket() {
        let budget = Budget::new(Instant::now());
        let spend = |expense| (0..1000).take_while(|_| budget.take(expense)).count();
        assert_eq!((spend(Expense::Retry), spend(Expense::Paid)), (50, 10));
        for _ in 0..20 {
            budget.succeeded();
        }
        assert_eq!((spend(Expense::Retry), spend(Expense::Paid)), (4, 1));
        for _ in 0..100_000 {
            budget.succeeded();
        }
        assert_eq!((spend(Expense::Retry), spend(Expense::Paid)), (50, 10));
    }

    #[test]
    fn a_busy_route_may_spend_more_at_once() {
        let start = Instant::now();
        let budget = Budget::new(start);
        for request in 0..20_000 {
            budget.requested(start + Duration::from_millis(10) * request);
            budget.succeeded();
        }
        let spent = (0..10_000)
            .take_while(|_| budget.take(Expense::Retry))
            .count();
        assert!((900..1100).contains(&spent), "{spent}");
    }
}
