//! The live chance that a call succeeds.
//!
//! An upstream is in one of four conditions, in which 98, 70, 50 or 2 of 100 calls succeed. What is kept is how likely
//! each of them is now (a hidden Markov model: Rabiner, 1989). Every call that ends makes the conditions likelier that
//! explain it, by Bayes' rule; between calls, and as time passes, the condition may have changed, which moves all of
//! them towards what is expected of an upstream that nobody knows. So a dead upstream is recognised after about five
//! failures, a flaky one is not taken for dead, and two successes bring a dead one back.

use std::sync::atomic::{AtomicU64, Ordering};

use super::time::{Tick, left_after};

/// How many calls succeed in each condition.
const SUCCEED: [f32; 4] = [0.98, 0.7, 0.5, 0.02];
/// How likely the conditions are of an upstream that nobody knows: 78 of 100 calls succeed.
const UNKNOWN: [f32; 4] = [0.55, 0.2, 0.2, 0.05];
/// The chance that the condition changes from one call to the next.
const CHANGE: f32 = 0.005;
/// The time constant with which what is known becomes old, in seconds. A dead upstream is believed to be dead for a
/// minute and a half.
const FORGET: f32 = 500.0;

/// The likelihoods of the last three conditions (12 bits each, of 4095), and 64ths of the tick of the last call (28
/// bits). Zero: nothing is known.
#[derive(Debug, Default)]
pub(super) struct Odds(AtomicU64);

const WHOLE: f32 = 4095.0;
/// The time is kept in seconds, about: this many bits of a tick are dropped.
const DROPPED: u32 = 6;

impl Odds {
    /// The chance that a call succeeds, between 0 and 1.
    pub(super) fn now(&self, now: Tick) -> f32 {
        let (likely, at) = unpack(self.0.load(Ordering::Relaxed));
        let likely = faded(likely, at, now, 0.0);
        likely.iter().zip(SUCCEED).map(|(a, b)| a * b).sum()
    }

    /// A call has ended.
    pub(super) fn learn(&self, is_success: bool, now: Tick) {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let (likely, at) = unpack(seen);
            let mut likely = faded(likely, at, now, CHANGE);
            for (likely, succeed) in likely.iter_mut().zip(SUCCEED) {
                *likely *= if is_success { succeed } else { 1.0 - succeed };
            }
            let new = pack(likely, now.0 >> DROPPED);
            match self
                .0
                .compare_exchange_weak(seen, new, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(actual) => seen = actual,
            }
        }
    }
}

/// The chance that two replicas have found together, each by calls of its own. Below one half it is left open only whether half of
/// the calls succeed or next to none do: how likely the one makes that, and how much likelier the other than if it knew nothing,
/// is multiplied.
pub(super) fn pooled(one: f32, other: f32) -> f32 {
    let (low, high) = (one.min(other), one.max(other));
    let [.., half, dead] = SUCCEED;
    if low >= half {
        return low;
    }
    let ratio = |odds: f32| {
        let is_dead = ((half - odds) / (half - dead)).clamp(0.0, 0.999);
        is_dead / (1.0 - is_dead)
    };
    let [.., half_unknown, dead_unknown] = UNKNOWN;
    let likelier = (ratio(high) * half_unknown / dead_unknown).max(1.0);
    let ratio = ratio(low) * likelier;
    half - (half - dead) * ratio / (1.0 + ratio)
}

/// Moves the likelihoods towards the unknown, by the chance that the condition has changed.
fn faded(mut likely: [f32; 4], at: u32, now: Tick, change: f32) -> [f32; 4] {
    let elapsed = (now.0 >> DROPPED).saturating_sub(at);
    let changed = if elapsed == 0 {
        change
    } else {
        let seconds = Tick(0).seconds_until(Tick(elapsed << DROPPED));
        1.0 - (1.0 - change) * left_after(seconds, FORGET)
    };
    for (likely, unknown) in likely.iter_mut().zip(UNKNOWN) {
        *likely += (unknown - *likely) * changed;
    }
    likely
}

fn pack(likely: [f32; 4], at: u32) -> u64 {
    let scale = WHOLE / likely.iter().sum::<f32>();
    // Nothing is negative, so this rounds; `round` is a call on processors of before 2008.
    let part = |index: usize| u64::from((likely[index] * scale + 0.5) as u16);
    part(1) << 52 | part(2) << 40 | part(3) << 28 | u64::from(at) & 0xfff_ffff
}

fn unpack(packed: u64) -> ([f32; 4], u32) {
    let part = |shift: u32| (packed >> shift & 0xfff) as f32 / WHOLE;
    if packed == 0 {
        return (UNKNOWN, 0);
    }
    let (flaky, half, dead) = (part(52), part(40), part(28));
    let well = (1.0 - flaky - half - dead).max(0.0);
    ([well, flaky, half, dead], (packed & 0xfff_ffff) as u32)
}

#[cfg(test)]
mod tests {
    use super::{Odds, pack, pooled, unpack};
    use crate::health::time::Tick;

    const START: Tick = Tick(1_000_000);

    /// The odds after these calls, a tenth of a second apart; and when the last one was.
    fn after(calls: impl IntoIterator<Item = bool>) -> (Odds, Tick) {
        let (odds, mut now) = (Odds::default(), START);
        for is_success in calls {
            odds.learn(is_success, now);
            now = now.plus(0.1);
        }
        (odds, now)
    }

    #[test]
    fn an_upstream_that_nobody_knows_is_likely_to_answer() {
        assert!((0.75..0.8).contains(&Odds::default().now(START)));
    }

    #[test]
    fn a_dead_upstream_is_recognised_after_five_calls_whether_it_was_known_or_not() {
        for known in [0, 1000] {
            let healthy = std::iter::repeat_n(true, known);
            let (odds, now) = after(healthy.chain([false; 5]));
            assert!(odds.now(now) < 0.155, "{known}: {}", odds.now(now));
            odds.learn(false, now);
            assert!(odds.now(now) < 0.1, "{known}: {}", odds.now(now));
        }
    }

    #[test]
    fn one_failure_of_a_healthy_upstream_changes_little() {
        let (odds, now) = after([true; 100]);
        odds.learn(false, now);
        assert!(odds.now(now) > 0.85, "{}", odds.now(now));
    }

    #[test]
    fn waiting_alone_does_not_bring_a_dead_one_back_for_a_minute_and_a_half() {
        let (odds, now) = after([false; 20]);
        assert!(odds.now(now.plus(88.0)) < 0.15);
        assert!(odds.now(now.plus(600.0)) > 0.5);
    }

    #[test]
    fn two_successes_bring_a_dead_one_back() {
        let (odds, now) = after([false; 20]);
        odds.learn(true, now);
        odds.learn(true, now);
        assert!(odds.now(now) > 0.7, "{}", odds.now(now));
    }

    /// The share of the time in which the odds are below a bound, while so many calls fail.
    fn share_below(bound: f32, failures: f64) -> f64 {
        let mut random = fastrand::Rng::with_seed(7);
        let (odds, mut now) = (Odds::default(), START);
        let calls = 20_000;
        let mut below = 0;
        for _ in 0..calls {
            odds.learn(random.f64() >= failures, now);
            below += u32::from(odds.now(now) < bound);
            now = now.plus(0.2);
        }
        f64::from(below) / f64::from(calls)
    }

    #[test]
    fn a_flaky_upstream_is_not_taken_for_dead() {
        assert!(share_below(0.5, 0.3) < 0.01);
        assert!(share_below(0.3, 0.3) < 0.001);
        assert!(share_below(0.3, 0.5) < 0.005);
        assert!(share_below(0.15, 0.5) < 0.001);
    }

    #[test]
    fn a_healthy_upstream_is_believed_to_be_so() {
        assert!(share_below(0.9, 0.01) < 0.05);
    }

    #[test]
    fn what_two_have_found_of_a_dead_upstream_is_more_than_what_one_has() {
        // The failures of two, one after the other, are what one finds that has both.
        for each in [3, 4, 5] {
            let of = |failures| {
                let (odds, now) = after([false].repeat(failures));
                odds.now(now)
            };
            let together = pooled(of(each), of(each));
            assert!(together < of(each), "{each}: {together}");
            assert!((together - of(2 * each)).abs() < 0.08, "{each}: {together}");
        }
        assert!((pooled(0.06, 0.06) - 0.021).abs() < 0.001);
    }

    #[test]
    fn several_that_see_half_of_the_calls_succeed_do_not_find_a_dead_upstream() {
        for (one, other, together) in [
            (0.5, 0.5, 0.5),
            (0.45, 0.5, 0.45),
            (0.4, 0.42, 0.4),
            (0.9, 0.7, 0.7),
            (1.0, 0.03, 0.03),
        ] {
            for (one, other) in [(one, other), (other, one)] {
                assert!(
                    (pooled(one, other) - together).abs() < 0.005,
                    "{one} {other}"
                );
            }
        }
    }

    #[test]
    fn each_likelihood_and_the_time_keep_their_value_beside_the_others() {
        for likely in [
            [1.0, 0.0, 0.0, 0.0],
            [0.0, 1.0, 0.0, 0.0],
            [0.0, 0.0, 1.0, 0.0],
            [0.0, 0.0, 0.0, 1.0],
            [0.1, 0.2, 0.3, 0.4],
        ] {
            for at in [0, 1, 0xfff_ffff] {
                let doubled = likely.map(|part| part * 2.0);
                let (kept, kept_at) = unpack(pack(doubled, at));
                if likely[0] == 1.0 && at == 0 {
                    // That is how it looks when nothing is known.
                    continue;
                }
                assert_eq!(kept_at, at);
                for (kept, part) in kept.iter().zip(likely) {
                    assert!((kept - part).abs() < 0.001, "{likely:?}");
                }
            }
        }
    }
}
