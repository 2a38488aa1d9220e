//! After the tests of linkerd's circuit breaker (`breaker/unified.rs` in linkerd2-proxy).

use std::time::Duration;

use crate::event::HealthChange;
use crate::health::tests::{Bench, FAILURE, LIMITED, REFUSED, TIMEOUT};
use crate::health::{CooldownReason, Permit, Phase};
use crate::outcome::Outcome;

/// After `trips_on_consecutive_failures`. There a fixed number of failures in a row trips at any traffic; here it takes
/// more of them at more traffic, where runs happen by chance, and fewer of a kind that is rare.
#[test]
fn failures_in_a_row_trip_sooner_at_thin_traffic() {
    let failures_to_trip = |rate: f64, outcome: &Outcome| {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        let requests = (rate * 300.0).clamp(10.0, 5000.0) as usize;
        bench.warm(&model, rate, requests);
        let mut failures = 1;
        while bench.attempt(&model, outcome).unwrap().is_empty() {
            failures += 1;
            bench.pass(1.0 / rate);
        }
        failures
    };
    let rates = [0.01, 0.2, 5.0, 500.0];
    assert_eq!(
        rates.map(|rate| failures_to_trip(rate, &FAILURE)),
        [4, 4, 6, 10]
    );
    assert_eq!(
        rates.map(|rate| failures_to_trip(rate, &REFUSED)),
        [2, 2, 3, 5]
    );
}

/// After `cold_start_protects_success_rate`. There a breaker needs a number of requests before it trips; here the first
/// failure, of whatever kind, is not enough, and the second may be.
#[test]
fn the_first_failure_of_all_trips_nothing() {
    for outcome in [FAILURE, REFUSED, TIMEOUT, Outcome::StreamBroken] {
        let bench = Bench::new();
        let model = bench.model("a", "m");
        assert!(bench.attempt(&model, &outcome).unwrap().is_empty());
        assert!(model.admit(0, bench.now).is_ok(), "{outcome}");
        assert!(bench.score(&model) > 1.0, "{outcome}");
    }
}

/// After `probation_failure_on_429`. There a 429 fails the probe; here it begins a cooldown and is no evidence: the
/// probe ends, and the next one waits for the end of the cooldown only.
#[test]
fn a_probe_that_is_rate_limited_is_no_failure() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    let probe = bench.probe(&model);
    let core = model.scope().core();
    let limited = Outcome::RateLimited {
        status: 429,
        retry_after: Some(Duration::from_secs(3)),
        is_daily: false,
    };
    assert!(probe.finish(&limited, bench.now).is_empty());
    assert_eq!(model.scope().core(), core);
    assert_eq!(model.scope().probes(), 0);
    let refusal = model.admit(0, bench.now).unwrap_err();
    assert_eq!(refusal.cooldown_reason, Some(CooldownReason::RateLimit));
    bench.pass(3.1);
    assert!(model.admit(0, bench.now).is_ok_and(|next| next.is_probe()));
}

/// After `consecutive_failures_ignores_429`: a 429 neither adds to a run of failures nor ends it.
#[test]
fn rate_limits_between_failures_change_nothing() {
    let failures_to_trip = |is_limited: bool| {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        for failures in 1..100 {
            if is_limited {
                let permit = model.admit(0, bench.now).unwrap();
                let before = bench.score(&model);
                assert!(bench.end(permit, &LIMITED).is_empty());
                assert!((bench.score(&model) - before).abs() <= f32::EPSILON);
            }
            // Longer than any cooldown.
            bench.pass(61.0);
            bench.attempt(&model, &FAILURE);
            if bench.phase(&model) == Phase::Open {
                return failures;
            }
        }
        panic!("it does not trip");
    };
    assert_eq!(failures_to_trip(true), failures_to_trip(false));
}

/// After `backoff_resets_to_base_on_retrip`. There each trip begins with the shortest pause; here only a trip after
/// some healthy minutes does, so that a flapping upstream is not called every two seconds.
#[test]
fn one_that_flaps_pauses_longer_each_time_and_one_that_was_healthy_for_long_does_not() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.warm(&model, 10.0, 600);
    let mut levels = Vec::new();
    for _ in 0..4 {
        bench.trip(&model, &FAILURE);
        levels.push(model.scope().core().level);
        bench.heal(&model);
    }
    assert!(
        levels.windows(2).all(|pair| pair[0] < pair[1]),
        "{levels:?}"
    );
    bench.pass(600.0);
    bench.warm(&model, 10.0, 600);
    bench.trip(&model, &FAILURE);
    assert_eq!(model.scope().core().level, 1);
    assert!((1.4..=2.6).contains(&bench.pause(&model)));
}

/// After `idle_reengages_cold_start_with_success` and its kin: after a long silence old failures are forgotten, and one
/// more trips nothing.
#[test]
fn after_a_long_silence_one_failure_trips_nothing() {
    let trips_after = |silence: f64| {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        bench.warm(&model, 1.0, 60);
        while bench.score(&model) + 1.79 < model.scope().threshold() {
            bench.attempt(&model, &FAILURE);
        }
        assert_eq!(bench.phase(&model), Phase::Closed);
        bench.pass(silence);
        bench.attempt(&model, &FAILURE);
        bench.phase(&model) == Phase::Open
    };
    assert!(trips_after(0.1));
    assert!(!trips_after(3600.0));
}

/// After `probation_admits_single_probe`. There one probe decides; here the first one is alone, too, and each success
/// makes room for one more.
#[test]
fn the_first_probe_is_alone() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    let first = bench.probe(&model);
    assert!(model.admit(0, bench.now).is_err());
    bench.end(first, &Outcome::Success);
    for good in 1..=4 {
        assert_eq!(model.scope().core().good, good);
        let permits: Vec<_> = (0..10)
            .filter_map(|_| model.admit(0, bench.now).ok())
            .collect();
        assert_eq!(permits.len(), (good as usize + 1).min(4));
        assert!(permits.iter().all(Permit::is_probe));
        drop(permits);
        let next = model.admit(0, bench.now).unwrap();
        bench.end(next, &Outcome::Success);
    }
    assert_eq!(bench.phase(&model), Phase::SlowStart);
}

/// After `slow_healthy_probe_reopens`: a probe that takes long counts when it is done, even if another one has begun by
/// then.
#[test]
fn a_probe_that_takes_long_still_counts() {
    for seconds in [20.0, 34.0, 90.0] {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        bench.trip(&model, &TIMEOUT);
        for good in 1..=3 {
            let probe = bench.probe(&model);
            bench.pass(seconds);
            bench.end(probe, &Outcome::Success);
            assert_eq!(model.scope().core().good, good, "after {seconds} s");
        }
        assert_eq!(bench.phase(&model), Phase::SlowStart);
    }
}

/// After `simultaneous_threshold_cross_reports_consecutive_reason`: one answer crosses two limits, and one reason is
/// reported. Here the two are those of the upstream and of its model: a refused connection trips the upstream.
#[test]
fn one_failure_that_is_enough_for_two_scopes_opens_one() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    let mut changes = Vec::new();
    while let Some(more) = bench.attempt(&model, &REFUSED) {
        changes.extend(more);
        bench.pass(0.1);
    }
    assert!(
        matches!(
            changes.as_slice(),
            [HealthChange::Opened { scope, cause: "connection", .. }] if scope.model.is_none()
        ),
        "{changes:?}"
    );
    assert_eq!(bench.phase(&model), Phase::Closed);
}

/// As above, for two models that cross theirs in the same moment: the upstream that they share is reported once.
#[test]
fn two_models_that_cross_at_once_open_their_upstream_once() {
    let mut bench = Bench::new();
    let models = [bench.model("a", "m"), bench.model("a", "n")];
    let mut changes = Vec::new();
    for _ in 0..20 {
        let permits: Vec<_> = models
            .iter()
            .inspect(|model| model.demanded(bench.now))
            .filter_map(|model| model.admit(0, bench.now).ok())
            .collect();
        for permit in permits {
            changes.extend(permit.finish(&FAILURE, bench.now));
        }
        bench.pass(0.05);
    }
    assert!(
        matches!(
            changes.as_slice(),
            [HealthChange::Opened { scope, .. }] if scope.model.is_none()
        ),
        "{changes:?}"
    );
}
