//! The retry budget of a route: what it may spend on attempts beyond the first one and the first failover.
//!
//! Without a limit, a total outage multiplies the calls. With a limit on every failover, an outage that a fallback
//! could hide would reach clients. What an attempt costs is decided elsewhere; here are two buckets of tokens. Attempts
//! that may be billed twice (a hedged request, a continuation) take theirs from the smaller one. Successes fill both.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// The tokens of one route.
#[derive(Debug)]
pub struct Budget(Mutex<Purse>);

#[derive(Debug)]
struct Purse {
    tokens: Tokens,
    /// Requests per second, averaged over ten seconds.
    rate: f64,
    last: Instant,
}

/// What is left in the buckets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tokens {
    /// For calls to another upstream, or to the same again.
    pub retries: f64,
    /// For calls that may be billed though their answer is not used.
    pub paid: f64,
}

/// What an attempt costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expense {
    /// Which bucket pays.
    pub bucket: Bucket,
    /// How many tokens.
    pub tokens: f64,
}

/// A bucket of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// For another call to an upstream.
    Retries,
    /// For another call that may be billed though its answer is not used.
    Paid,
}

impl Expense {
    /// A call that may be billed though its answer is not used.
    pub(in crate::failover) const PAID: Self = Self {
        bucket: Bucket::Paid,
        tokens: 1.0,
    };

    /// Another call to an upstream, for so many tokens.
    pub(super) fn retry(tokens: f64) -> Self {
        Self {
            bucket: Bucket::Retries,
            tokens,
        }
    }
}

const WINDOW: f64 = 10.0;

impl Budget {
    /// Full buckets.
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new(Purse {
            tokens: Tokens::FULL,
            rate: 0.0,
            last: now,
        }))
    }

    /// Records a new request.
    pub fn requested(&self, now: Instant) {
        let mut purse = self.purse();
        let passed = now.saturating_duration_since(purse.last).as_secs_f64();
        purse.rate = purse.rate * (-passed / WINDOW).exp() + 1.0 / WINDOW;
        purse.last = now;
        // Tokens that were saved in a busy time must not be spent in a quiet one.
        purse.fill(0.0, 0.0);
    }

    /// Records an answered request.
    pub fn succeeded(&self) {
        self.purse().fill(0.2, 0.05);
    }

    /// What is left.
    pub fn tokens(&self) -> Tokens {
        self.purse().tokens
    }

    /// Takes the tokens for an attempt; returns false if there are not enough.
    pub fn take(&self, expense: Expense) -> bool {
        let mut purse = self.purse();
        let is_enough = purse.tokens.cover(expense);
        if is_enough {
            *purse.tokens.bucket(expense.bucket) -= expense.tokens;
        }
        is_enough
    }

    /// The lock is held for a few instructions, and only by requests of one route.
    fn purse(&self) -> MutexGuard<'_, Purse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tokens {
    /// The buckets of a route with little traffic, full.
    pub const FULL: Self = Self {
        retries: 50.0,
        paid: 10.0,
    };

    /// Whether they are enough for an attempt.
    pub(super) fn cover(mut self, expense: Expense) -> bool {
        *self.bucket(expense.bucket) >= expense.tokens
    }

    fn bucket(&mut self, bucket: Bucket) -> &mut f64 {
        match bucket {
            Bucket::Retries => &mut self.retries,
            Bucket::Paid => &mut self.paid,
        }
    }
}

impl Purse {
    /// Adds tokens, up to the size of the buckets.
    fn fill(&mut self, retries: f64, paid: f64) {
        let Tokens {
            retries: most,
            paid: most_paid,
        } = Tokens::FULL;
        let tokens = &mut self.tokens;
        tokens.retries = (tokens.retries + retries).min((10.0 * self.rate).max(most));
        tokens.paid = (tokens.paid + paid).min((2.0 * self.rate).max(most_paid));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{Just, Strategy, prop_assert, prop_oneof, proptest};
    use tokio::time::Instant;

    use super::{Budget, Expense};

    const RETRY: Expense = Expense {
        bucket: super::Bucket::Retries,
        tokens: 1.0,
    };

    #[test]
    fn what_is_spent_comes_back_with_successes_and_never_exceeds_the_bucket() {
        let budget = Budget::new(Instant::now());
        let spend = |expense| (0..1000).take_while(|_| budget.take(expense)).count();
        assert_eq!((spend(RETRY), spend(Expense::PAID)), (50, 10));
        for _ in 0..20 {
            budget.succeeded();
        }
        assert_eq!((spend(RETRY), spend(Expense::PAID)), (4, 1));
        for _ in 0..100_000 {
            budget.succeeded();
        }
        assert_eq!((spend(RETRY), spend(Expense::PAID)), (50, 10));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Request { millis: u64 },
        Success,
        Take(Expense),
    }

    fn steps() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u64..3000).prop_map(|millis| Step::Request { millis }),
            (0u64..3).prop_map(|millis| Step::Request { millis }),
            Just(Step::Success),
            Just(Step::Take(RETRY)),
            Just(Step::Take(Expense::PAID)),
        ]
    }

    /// After gRPC's `TestRetryThrottling`, with our numbers. gRPC stops retries at half a bucket; we stop at an empty
    /// one, because the first failover costs nothing anyway.
    #[test]
    fn each_attempt_costs_one_token_and_each_success_brings_a_part_of_one() {
        let budget = Budget::new(Instant::now());
        let left = || {
            let tokens = budget.tokens();
            (
                (tokens.retries * 100.0).round() as i64,
                (tokens.paid * 100.0).round() as i64,
            )
        };
        let step = |successes: usize, retries: usize, paid: usize| {
            (0..successes).for_each(|_| budget.succeeded());
            let takes = |count: usize, expense| (0..count).filter(|_| budget.take(expense)).count();
            (takes(retries, RETRY), takes(paid, Expense::PAID), left())
        };
        // (successes, requested retries and paid attempts), (allowed retries and paid attempts, hundredths left)
        let table = [
            ((0, 0, 0), (0, 0, (5000, 1000))),
            ((7, 0, 0), (0, 0, (5000, 1000))),
            ((0, 20, 4), (20, 4, (3000, 600))),
            ((6, 0, 0), (0, 0, (3120, 630))),
            ((0, 40, 9), (31, 6, (20, 30))),
            ((3, 1, 1), (0, 0, (80, 45))),
            ((2, 1, 1), (1, 0, (20, 55))),
            ((10, 3, 2), (2, 1, (20, 5))),
        ];
        for (index, ((successes, retries, paid), expected)) in table.into_iter().enumerate() {
            assert_eq!(step(successes, retries, paid), expected, "step {index}");
        }
    }

    /// After the limits of Finagle's `RetryBudget`: over any time, no more retries than a share of the requests and the
    /// reserve. Finagle's reserve is ten a second; ours is one bucket, however long an outage lasts.
    #[test]
    fn retries_are_at_most_a_share_of_the_successes_and_one_bucket() {
        for failing in [1, 2, 10, 1000] {
            let start = Instant::now();
            let budget = Budget::new(start);
            let (mut successes, mut retries, mut paid) = (0.0, 0.0, 0.0);
            for request in 0..5000u32 {
                budget.requested(start + Duration::from_secs(1) * request);
                if request % failing == 0 {
                    retries += f64::from(u8::from(budget.take(RETRY)));
                    paid += f64::from(u8::from(budget.take(Expense::PAID)));
                } else {
                    budget.succeeded();
                    successes += 1.0;
                }
                assert!(retries <= 50.0 + 0.2 * successes + 1e-6);
                assert!(paid <= 10.0 + 0.05 * successes + 1e-6);
            }
            assert!(retries >= 5.0 && paid >= 5.0, "1 in {failing}");
        }
    }

    /// After tower's `tps_empty`, `tps_leaky`, `tps_slots` and `tps_reserve`. In tower, deposits expire, and a reserve
    /// returns each second; here time alone neither takes nor gives tokens, so that a long outage does not allow a
    /// retry storm.
    #[test]
    fn time_alone_neither_takes_nor_gives() {
        let start = Instant::now();
        let budget = Budget::new(start);
        let spend = |expense| (0..1000).take_while(|_| budget.take(expense)).count();
        assert_eq!((spend(RETRY), spend(Expense::PAID)), (50, 10));
        budget.requested(start + Duration::from_secs(3600));
        assert_eq!((spend(RETRY), spend(Expense::PAID)), (0, 0));
        (0..101).for_each(|_| budget.succeeded());
        budget.requested(start + Duration::from_secs(7200));
        assert_eq!((spend(RETRY), spend(Expense::PAID)), (20, 5));
    }

    #[test]
    fn what_a_busy_time_has_saved_up_is_gone_when_it_is_over() {
        let start = Instant::now();
        let budget = Budget::new(start);
        for request in 0..20_000 {
            budget.requested(start + Duration::from_millis(10) * request);
            budget.succeeded();
        }
        budget.requested(start + Duration::from_secs(7200));
        let spent = (0..10_000).take_while(|_| budget.take(RETRY)).count();
        assert_eq!(spent, 50);
    }

    proptest! {
        #[test]
        fn tokens_stay_between_nothing_and_the_bucket(
            steps in proptest::collection::vec(steps(), 1..400),
        ) {
            let mut now = Instant::now();
            let budget = Budget::new(now);
            for step in steps {
                match step {
                    Step::Request { millis } => {
                        now += Duration::from_millis(millis);
                        budget.requested(now);
                    }
                    Step::Success => budget.succeeded(),
                    Step::Take(expense) => drop(budget.take(expense)),
                }
                let rate = budget.purse().rate;
                let tokens = budget.tokens();
                let (retries, paid) = ((10.0 * rate).max(50.0), (2.0 * rate).max(10.0));
                prop_assert!((0.0..=retries).contains(&tokens.retries), "{tokens:?}");
                prop_assert!((0.0..=paid).contains(&tokens.paid), "{tokens:?}");
            }
        }
    }

    #[test]
    fn a_busy_route_may_spend_more_at_once() {
        let start = Instant::now();
        let budget = Budget::new(start);
        for request in 0..20_000 {
            budget.requested(start + Duration::from_millis(10) * request);
            budget.succeeded();
        }
        let spend = |expense| (0..10_000).take_while(|_| budget.take(expense)).count();
        let (retries, paid) = (spend(RETRY), spend(Expense::PAID));
        assert!((900..1100).contains(&retries), "{retries}");
        assert!((180..220).contains(&paid), "{paid}");
    }
}
