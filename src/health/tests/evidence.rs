//! Properties of evidence: more failures mean a higher score, order does not matter, false alarms are rare, and the
//! pause before a probe is bounded.

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_assume, prop_oneof,
    proptest,
};

use super::{Bench, FAILURE, LIMIT, REFUSED, SHAPE, TIMEOUT, failures, outcomes};
use crate::health::Phase;
use crate::health::evidence::{Evidence, SUCCESS};
use crate::health::scope::Scope;
use crate::health::time::Tick;
use crate::outcome::Outcome;

/// The score after outcomes that all come in one instant, from a score to begin with.
fn score_after(outcomes: &[Outcome], begin: f32) -> f32 {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    // Plenty of traffic puts the threshold far away.
    bench.warm(&model, 100.0, 300);
    model.scope().set_score(begin, model.epoch.tick(bench.now));
    for outcome in outcomes {
        bench.attempt(&model, outcome);
    }
    assert_eq!(bench.phase(&model), Phase::Closed);
    bench.score(&model)
}

fn shuffled() -> impl Strategy<Value = (Vec<Outcome>, Vec<Outcome>)> {
    let good = proptest::collection::vec(Just(Outcome::Success), 0..12);
    let bad = proptest::collection::vec(prop_oneof![Just(FAILURE), Just(TIMEOUT)], 0..3);
    (good, bad).prop_flat_map(|(good, bad)| {
        let all = [good, bad].concat();
        (Just(all.clone()), Just(all).prop_shuffle())
    })
}

/// How often a scope that fails exactly as often as tolerated trips, in so many hours at so many requests per second.
fn false_trips(rate: f64, hours: f64, random: &mut fastrand::Rng) -> u32 {
    let scope = Scope::new();
    let (mut seconds, mut trips) = (0.0, 0);
    while seconds < hours * 3600.0 {
        seconds -= random.f64().max(1e-12).ln() / rate;
        let now = Tick(1_000_000).plus(seconds as f32);
        scope.demanded(now);
        let log_likelihood = if random.f64() < 0.05 {
            Evidence::Failure.log_likelihood()
        } else {
            SUCCESS
        };
        if scope.add_evidence(log_likelihood, 0.0, now) {
            trips += 1;
            scope.set_score(0.0, now);
        }
    }
    trips
}

#[test]
fn what_fails_as_often_as_tolerated_trips_at_most_twice_an_hour() {
    let mut random = fastrand::Rng::with_seed(1954);
    // Some 30,000 samples each.
    for rate in [0.01, 0.05, 0.2, 1.0, 5.0, 50.0, 500.0] {
        let hours = (30_000.0 / rate / 3600.0f64).clamp(0.05, 300.0);
        let trips = false_trips(rate, hours, &mut random);
        // Two an hour, and three standard deviations for chance.
        let most = 2.0 * hours + 3.0 * (2.0 * hours).sqrt();
        assert!(f64::from(trips) <= most, "{trips} in {hours} h at {rate}/s");
    }
}

#[test]
fn a_broken_model_hardly_ever_takes_an_occasionally_failing_sibling_out() {
    let mut random = fastrand::Rng::with_seed(2026);
    let mut taken_out = 0;
    for _ in 0..100 {
        let mut bench = Bench::new();
        let (bad, good) = (bench.model("a", "bad"), bench.model("a", "good"));
        let is_taken = (0..300).any(|_| {
            bench.attempt(&bad, &FAILURE);
            let outcome = if random.f64() < 0.01 {
                &FAILURE
            } else {
                &Outcome::Success
            };
            bench.pass(0.05);
            bench.attempt(&good, outcome).is_none()
        });
        taken_out += u32::from(is_taken);
    }
    assert!(taken_out <= 3, "{taken_out} of 100");
}

proptest! {
    #[test]
    fn one_more_failure_never_makes_it_more_admissible(
        history in proptest::collection::vec((outcomes(), 0.0..5.0f64), 1..80),
        place in 0usize..80,
        failure in failures(),
    ) {
        // Cooldowns have deadlines of their own, and are no evidence.
        let history: Vec<_> = history
            .into_iter()
            .filter(|(outcome, _)| !matches!(outcome, Outcome::RateLimited { .. }))
            .collect();
        prop_assume!(!history.is_empty());
        let place = place % history.len();
        let mut benches = [Bench::new(), Bench::new()];
        let [plain, worse] = benches.each_ref().map(|bench| bench.model("a", "m"));
        for (index, (outcome, pause)) in history.iter().enumerate() {
            benches.iter_mut().for_each(|bench| bench.pass(*pause));
            let is_changed = index == place && !outcome.hurts_health();
            benches[0].attempt(&plain, outcome);
            benches[1].attempt(&worse, if is_changed { &failure } else { outcome });
            prop_assert!(worse.is_out() || !plain.is_out(), "at {index}");
            if worse.is_out() {
                // What follows depends on random pauses.
                break;
            }
            let [score, worse_score] = [benches[0].score(&plain), benches[1].score(&worse)];
            prop_assert!(worse_score >= score - 1e-4, "{score} {worse_score}");
            if is_changed {
                prop_assert!(worse_score > score);
            }
        }
    }

    #[test]
    fn the_order_within_an_instant_does_not_matter((one, other) in shuffled()) {
        // Far enough above zero the score is never cut off.
        let (first, second) = (score_after(&one, 4.0), score_after(&other, 4.0));
        prop_assert!((first - second).abs() < 1e-3, "{first} {second}");
        // From zero, only the successes that come first are cut off.
        let (first, second) = (score_after(&one, 0.0), score_after(&other, 0.0));
        let successes = one.iter().filter(|outcome| **outcome == Outcome::Success).count();
        let most = -SUCCESS * successes as f32;
        prop_assert!((first - second).abs() <= most + 1e-3, "{first} {second}");
    }

    #[test]
    fn whatever_is_open_is_probed_in_time(
        rate in prop_oneof![Just(0.01), Just(0.2), Just(5.0), Just(500.0)],
        causes in proptest::collection::vec(failures(), 1..10),
    ) {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        bench.warm(&model, rate, 60);
        bench.trip(&model, &causes[0]);
        for outcome in causes {
            let scope = if model.upstream.scope.core().phase == Phase::Open {
                &model.upstream.scope
            } else {
                model.scope()
            };
            let core = scope.core();
            let longest = (12.0 / scope.rate()).clamp(30.0, 120.0) * 1.2;
            let longest = if core.cause == Evidence::Connection { 300.0 } else { longest };
            let mut waited = 0.0;
            let probe = loop {
                if let Ok(probe) = model.admit(0, bench.now) {
                    break probe;
                }
                bench.pass(0.5);
                waited += 0.5;
                // An upstream whose only model failed its probe waits ten seconds for another model before it opens.
                prop_assert!(waited <= longest + 11.5, "{waited} of {longest} s, {core:?}");
            };
            prop_assert!(probe.is_probe());
            bench.end(probe, &outcome);
        }
    }

    #[test]
    fn one_models_failures_change_nothing_for_a_healthy_sibling(
        history in proptest::collection::vec(
            (prop_oneof![outcomes(), Just(Outcome::StreamBroken)], 0.0..2.0f64),
            1..200,
        ),
    ) {
        let mut bench = Bench::new();
        let (bad, good) = (bench.model("a", "bad"), bench.model("a", "good"));
        for (outcome, pause) in history {
            bench.pass(pause);
            // A refused connection is evidence against the upstream, not the model.
            let outcome = if outcome == REFUSED { FAILURE } else { outcome };
            bench.attempt(&bad, &outcome);
            prop_assert!(bench.attempt(&good, &Outcome::Success).is_some());
            prop_assert_eq!(good.scope().core().epoch, 0);
            prop_assert_eq!(good.upstream.scope.core().epoch, 0);
            prop_assert!(bench.score(&good) <= f32::EPSILON);
        }
    }
}

proptest! {
    // Each case is many requests.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn slow_start_gives_at_least_a_twentieth_and_at_most_all(
        rate in prop_oneof![Just(0.2), Just(5.0), Just(200.0)],
        outage in prop_oneof![Just(0.0), Just(20.0), Just(60.0)],
        shares in proptest::collection::vec(prop_oneof![Just(0.0), Just(0.25), 0.0..0.6f64], 1..30),
        seed in any::<u64>(),
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        bench.warm(&model, rate, 300);
        bench.trip(&model, &FAILURE);
        bench.pass(outage);
        while bench.phase(&model) != Phase::SlowStart {
            let probe = bench.probe(&model);
            bench.end(probe, &Outcome::Success);
        }
        for share in shares {
            for _ in 0..rate.max(1.0) as usize {
                let is_bad = random.f64() < share;
                bench.attempt(&model, if is_bad { &FAILURE } else { &Outcome::Success });
                bench.pass(1.0 / rate);
                let fraction = model.fraction();
                match bench.phase(&model) {
                    Phase::SlowStart => prop_assert!((0.05..=1.0).contains(&fraction), "{fraction}"),
                    Phase::Closed => prop_assert!(fraction >= 1.0),
                    Phase::Open | Phase::HalfOpen => prop_assert!(fraction <= 0.0),
                }
            }
        }
    }
}

#[test]
fn a_stream_that_breaks_was_no_success() {
    let after_failure = || {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        bench.warm(&model, 100.0, 300);
        bench.attempt(&model, &FAILURE);
        (bench, model)
    };
    let (bench, model) = after_failure();
    let mut permit = model.admit(0, bench.now).unwrap();
    permit.answered(SHAPE, LIMIT, bench.now);
    permit.finish(&Outcome::StreamBroken, bench.now);
    let broken = bench.score(&model);
    let (bench, model) = after_failure();
    bench.attempt(&model, &TIMEOUT);
    assert!((broken - bench.score(&model)).abs() < 0.01);
}

#[test]
fn a_slowness_that_was_counted_is_not_counted_again_when_the_time_runs_out() {
    let score = |is_slow: bool, outcome: &Outcome| {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        bench.warm(&model, 100.0, 300);
        let mut permit = model.admit(0, bench.now).unwrap();
        if is_slow {
            permit.slow(bench.now);
            // Whoever looks again has seen it before.
            permit.slow(bench.now);
        }
        permit.finish(outcome, bench.now);
        bench.score(&model)
    };
    let near = |a: f32, b: f32| (a - b).abs() < 0.01;
    assert!(near(score(true, &TIMEOUT), score(false, &TIMEOUT)));
    let slow = Evidence::Slow.log_likelihood();
    assert!(near(score(true, &FAILURE), score(false, &FAILURE) + slow));
}
