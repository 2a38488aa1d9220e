//! The score of a scope, which is the sum of the evidence against it; and the threshold at which the scope trips.
//!
//! The score is a CUSUM (Page, 1954): it sums the log-likelihood ratios of all evidence, never falls below zero, and
//! forgets half within minutes. The threshold `ln(r·3600) + ½ ln(r)` grows with the rate `r` of requests, so that an
//! upstream which fails exactly as often as tolerated trips about once an hour at any traffic (the mean time between
//! false alarms of a CUSUM with threshold `h` is at least `e^h` samples; Lorden, 1971).

use super::packed::atomic::Ordering;
use super::packed::{Phase, halves, pair};
use super::scope::Scope;
use super::time::{Tick, left_after};

/// The time constant with which the score decays, in seconds.
const FORGET: f32 = 300.0;
/// The time over which the rate is averaged, in seconds.
const RATE_WINDOW: f32 = 60.0;
const LOWEST_THRESHOLD: f32 = 3.3;
const HIGHEST_THRESHOLD: f32 = 20.0;

impl Scope {
    /// Counts a request for which this scope was a candidate.
    pub(super) fn demanded(&self, now: Tick) {
        if self.since.load(Ordering::Relaxed) >> 32 == 0 {
            Self::change(&self.since, |packed| {
                if packed >> 32 == 0 {
                    pair(now.0, packed as u32)
                } else {
                    packed
                }
            });
        }
        Self::change(&self.demand, |packed| {
            let (value, tick) = halves(packed);
            let faded =
                f32::from_bits(value) * left_after(Tick(tick).seconds_until(now), RATE_WINDOW);
            pair((faded + 1.0).to_bits(), now.0.max(tick))
        });
    }

    /// Offered requests per second: an exponential average, corrected for its start at zero.
    pub(super) fn rate(&self) -> f32 {
        let (value, tick) = halves(self.demand.load(Ordering::Relaxed));
        let (first, _) = halves(self.since.load(Ordering::Relaxed));
        rate_of(f32::from_bits(value), Tick(first).seconds_until(Tick(tick)))
    }

    /// The score at which it trips.
    pub(super) fn threshold(&self) -> f32 {
        threshold_at(self.rate())
    }

    /// The score at which it trips when one more request asks for it now.
    pub(super) fn next_threshold(&self, now: Tick) -> f32 {
        let (value, tick) = halves(self.demand.load(Ordering::Relaxed));
        let faded = f32::from_bits(value) * left_after(Tick(tick).seconds_until(now), RATE_WINDOW);
        let age = match halves(self.since.load(Ordering::Relaxed)).0 {
            0 => 0.0,
            first => Tick(first).seconds_until(now),
        };
        threshold_at(rate_of(faded + 1.0, age))
    }

    /// The score now.
    pub(super) fn score(&self, now: Tick) -> f32 {
        let (value, tick) = halves(self.score.load(Ordering::Relaxed));
        f32::from_bits(value) * left_after(Tick(tick).seconds_until(now), FORGET)
    }

    pub(super) fn set_score(&self, score: f32, now: Tick) {
        self.score
            .store(pair(score.to_bits(), now.0), Ordering::Release);
    }

    /// Adds a log-likelihood ratio to the score. True if the score is now enough to trip the scope, with the evidence of other
    /// replicas beside it.
    pub(super) fn add_evidence(&self, log_likelihood: f32, support: f32, now: Tick) -> bool {
        let is_listening = !self.core().phase.is_out();
        let score = Self::change(&self.score, |packed| {
            let (value, tick) = halves(packed);
            let faded = f32::from_bits(value) * left_after(Tick(tick).seconds_until(now), FORGET);
            let score = if is_listening {
                (faded + log_likelihood).max(0.0)
            } else {
                faded
            };
            pair(score.to_bits(), now.0.max(tick))
        });
        if !is_listening {
            return false;
        }
        // A stale failure adds nothing to the score, and is not counted either.
        if log_likelihood != 0.0 {
            self.count(log_likelihood < 0.0);
        }
        log_likelihood > 0.0 && f32::from_bits(halves(score).0) + support >= self.threshold()
    }

    pub(super) fn count(&self, is_good: bool) {
        let is_closed = self.core().phase == Phase::Closed;
        Self::change(&self.counts, |packed| {
            let (good, bad) = halves(packed);
            let (good, bad) = if is_good {
                (good + 1, bad)
            } else {
                (good, bad + 1)
            };
            // While it is closed only the share of failures matters, so old counts may fade.
            if is_closed && good + bad > 1000 {
                pair(good / 2, bad / 2)
            } else {
                pair(good, bad)
            }
        });
    }

    /// Limits the score to half of the threshold.
    pub(super) fn calm(&self, now: Tick) {
        let half = self.threshold() * 0.5;
        if self.score(now) > half {
            self.set_score(half, now);
        }
    }

    /// How long no request has asked for it, in seconds.
    pub(super) fn idle_for(&self, now: Tick) -> f32 {
        let (_, last) = halves(self.demand.load(Ordering::Relaxed));
        Tick(last).seconds_until(now)
    }
}

/// The rate that an average which has begun so many seconds ago shows.
fn rate_of(average: f32, age: f32) -> f32 {
    let age = age.max(1.0);
    (average / (RATE_WINDOW * (1.0 - (-age / RATE_WINDOW).exp()))).max(0.001)
}

fn threshold_at(rate: f32) -> f32 {
    let threshold = (rate * 3600.0).max(1.0).ln() + 0.5 * rate.max(1.0).ln();
    threshold.clamp(LOWEST_THRESHOLD, HIGHEST_THRESHOLD)
}

#[cfg(test)]
mod tests {
    use super::{Ordering, Scope, halves};
    use crate::health::time::Tick;

    const START: Tick = Tick(1_000_000);

    fn near(a: f32, b: f32) -> bool {
        (a - b).abs() < 0.05
    }

    /// ln(22,500) + ½ ln(6.25), and ln(360).
    #[test]
    fn the_threshold_grows_with_the_rate_of_requests() {
        for (seconds, requests, threshold) in [(0.16, 4000, 10.94), (10.0, 60, 5.89)] {
            let (scope, mut now) = (Scope::new(), START);
            for _ in 0..requests {
                scope.demanded(now);
                now = now.plus(seconds);
            }
            let is_near = (scope.threshold() - threshold).abs() < 0.2;
            assert!(is_near, "{seconds}: {}", scope.threshold());
        }
    }

    /// Only the share of failures matters while it is closed.
    #[test]
    fn of_a_thousand_results_half_is_forgotten() {
        let scope = Scope::new();
        let counts = || halves(scope.counts.load(Ordering::Relaxed));
        for number in 0..1000 {
            scope.count(number % 10 != 0);
        }
        assert_eq!(counts(), (900, 100));
        scope.count(true);
        assert_eq!(counts(), (450, 50));
    }

    #[test]
    fn a_score_is_calmed_to_half_of_the_threshold_and_never_raised() {
        let scope = Scope::new();
        let half = scope.threshold() / 2.0;
        for (score, calmed) in [(100.0, half), (half / 2.0, half / 2.0)] {
            scope.set_score(score, START);
            scope.calm(START);
            assert!(near(scope.score(START), calmed), "{score}");
        }
    }

    #[test]
    fn it_is_idle_from_the_last_request_on() {
        let scope = Scope::new();
        scope.demanded(START);
        assert!(near(scope.idle_for(START.plus(48.0)), 48.0));
    }

    #[test]
    fn the_score_forgets_half_within_minutes() {
        let scope = Scope::new();
        assert!(!scope.add_evidence(2.0, 0.0, START));
        for (seconds, score) in [(0.0, 2.0), (208.0, 1.0), (300.0, 0.736), (416.0, 0.5)] {
            let now = START.plus(seconds);
            assert!(near(scope.score(now), score), "{seconds}");
        }
        assert!(!scope.add_evidence(1.0, 0.0, START.plus(208.0)));
        assert!(near(scope.score(START.plus(208.0)), 2.0));
        assert!(
            scope.add_evidence(1.4, 0.0, START.plus(208.0)),
            "more than 3.3"
        );
        assert!(!scope.add_evidence(-9.0, 0.0, START.plus(208.0)));
        assert!(near(scope.score(START.plus(208.0)), 0.0));
    }

    #[test]
    fn what_it_takes_for_one_more_request_is_what_it_takes_once_that_has_come() {
        let (scope, mut now) = (Scope::new(), START);
        assert!(near(scope.next_threshold(now), 8.2), "ln(3600)");
        for _ in 0..600 {
            scope.demanded(now);
            now = now.plus(0.1);
        }
        for seconds in [0.0, 30.0, 120.0] {
            now = now.plus(seconds);
            let expected = scope.next_threshold(now);
            scope.demanded(now);
            assert!(near(scope.threshold(), expected), "{seconds}");
        }
    }

    #[test]
    fn the_rate_counts_from_the_first_request_whatever_came_before() {
        let (asked, opened) = (Scope::new(), Scope::new());
        opened.note_change(START);
        for scope in [&asked, &opened] {
            for tenth in 0..100_u8 {
                scope.demanded(START.plus(f32::from(tenth) * 0.1));
            }
        }
        assert!(near(asked.rate() / 10.0, 1.0) && near(opened.rate(), asked.rate()));
    }

    #[test]
    fn successes_and_failures_are_counted_and_what_is_too_late_is_not() {
        let scope = Scope::new();
        for log_likelihood in [0.5, 0.0, -0.3, -0.3] {
            scope.add_evidence(log_likelihood, 0.0, START);
        }
        assert_eq!(halves(scope.counts.load(Ordering::Relaxed)), (2, 1));
    }
}
