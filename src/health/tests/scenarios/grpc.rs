//! After the tests of gRPC's outlier detection (`balancer/outlierdetection` in gRPC for Go).

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::health::tests::{Bench, FAILURE, LIMIT, REFUSED, SHAPE, TIMEOUT};
use crate::health::{Permit, Phase};
use crate::outcome::Outcome;

/// After `TestEjectUnejectSuccessRate`: of three addresses only the one with five failures is ejected, and comes back
/// after a time. There it comes back at once and untested; here half-open probes and a slow start bring it back.
#[test]
fn of_three_only_the_one_that_fails_trips_and_it_comes_back() {
    let mut bench = Bench::new();
    let models = ["a", "b", "c"].map(|upstream| bench.model(upstream, "m"));
    for _ in 0..5 {
        for model in &models {
            assert!(bench.attempt(model, &Outcome::Success).is_some());
        }
        bench.pass(1.0);
    }
    for _ in 0..6 {
        for (model, outcome) in models
            .iter()
            .zip([&Outcome::Success, &Outcome::Success, &FAILURE])
        {
            bench.attempt(model, outcome);
        }
        bench.pass(1.0);
    }
    let phases = models.each_ref().map(|model| bench.phase(model));
    assert_eq!(phases, [Phase::Closed, Phase::Closed, Phase::Open]);
    let probe = bench.probe(&models[2]);
    bench.end(probe, &Outcome::Success);
    assert_eq!(bench.phase(&models[2]), Phase::HalfOpen);
    bench.heal(&models[2]);
}

/// After `TestEjectUnejectSuccessRate`, too. There an address is compared with its peers, so that none is ejected if
/// all fail alike; here each trips for itself.
#[test]
fn those_that_fail_alike_all_trip() {
    let mut bench = Bench::new();
    let models = ["a", "b", "c"].map(|upstream| bench.model(upstream, "m"));
    for _ in 0..12 {
        for model in &models {
            bench.attempt(model, &FAILURE);
        }
        bench.pass(1.0);
    }
    for model in &models {
        assert_ne!(bench.phase(model), Phase::Closed);
    }
}

/// After `TestEjectFailureRate`: what fails more than a share is ejected. There at least five requests in an interval
/// are needed; here any number is evidence, and a share that is tolerated never trips.
#[test]
fn what_counts_is_the_share_of_failures() {
    let requests_until_out = |one_in: usize, rate: f64| {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        (1..=2000).find(|index| {
            bench.pass(1.0 / rate);
            let outcome = if index % one_in == 0 {
                &FAILURE
            } else {
                &Outcome::Success
            };
            bench.attempt(&model, outcome);
            bench.phase(&model) == Phase::Open
        })
    };
    for rate in [0.05, 1.0, 50.0] {
        assert_eq!(requests_until_out(20, rate), None, "5 % at {rate}/s");
        assert_eq!(requests_until_out(10, rate), None, "10 % at {rate}/s");
        let some = requests_until_out(3, rate);
        let most = requests_until_out(2, rate);
        let all = requests_until_out(1, rate);
        assert!(all < most && most < some, "{all:?} {most:?} {some:?}");
        assert!(
            some.is_some_and(|count| count <= 60),
            "{some:?} at {rate}/s"
        );
        assert!(all.is_some_and(|count| count <= 10), "{all:?} at {rate}/s");
    }
}

/// After `TestEjectionStateResetsWhenEndpointAddressesChange`. There a new address clears what was known; here what is
/// asked for again under its name is as it was, and only another name begins anew.
#[test]
fn asked_for_again_it_is_as_it_was_and_another_name_begins_anew() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    let (core, pause) = (model.scope().core(), bench.pause(&model));
    drop(model);
    let again = bench.model("a", "m");
    assert_eq!(again.scope().core(), core);
    assert!((bench.pause(&again) - pause).abs() <= f32::EPSILON);
    assert!(again.admit(0, bench.now).is_err());
    assert!(bench.model("a", "n").admit(0, bench.now).is_ok());
    assert!(bench.model("b", "m").admit(0, bench.now).is_ok());
}

/// After `TestConcurrentOperations`: threads that do everything at once, for as long as there is something to break.
#[test]
fn threads_that_do_everything_at_once_leave_nothing_behind() {
    const ENDINGS: [Outcome; 4] = [FAILURE, REFUSED, TIMEOUT, Outcome::ClientGone];
    let mut bench = Bench::new();
    let models = [bench.model("a", "m"), bench.model("a", "n")];
    let (passed, start) = (AtomicU64::new(0), bench.now);
    thread::scope(|scope| {
        for seed in 0..4 {
            let (bench, models, passed) = (&bench, &models, &passed);
            scope.spawn(move || {
                fastrand::seed(seed);
                let mut open: Vec<Permit> = Vec::new();
                for _ in 0..2500 {
                    let millis = passed.fetch_add(fastrand::u64(0..8), Ordering::Relaxed);
                    let now = start + Duration::from_millis(millis);
                    let model = bench.model("a", ["m", "n"][fastrand::usize(0..2)]);
                    model.demanded(now);
                    open.extend(model.admit(0, now));
                    match fastrand::u8(0..20) {
                        0 => open.push(model.force(0, now)),
                        1 => drop(bench.health.health_checked(&model.id().upstream, now)),
                        2 => drop(bench.health.to_check()),
                        _ => {}
                    }
                    if open.len() > fastrand::usize(0..6) {
                        let mut permit = open.swap_remove(fastrand::usize(..open.len()));
                        match fastrand::usize(0..8) {
                            0..4 => drop(permit.answered(SHAPE, LIMIT, now)),
                            4 => drop(permit),
                            5 => {
                                permit.answered(SHAPE, LIMIT, now);
                                permit.finish(&Outcome::Success, now);
                            }
                            _ => drop(permit.finish(&ENDINGS[fastrand::usize(0..4)], now)),
                        }
                    }
                    for model in models {
                        assert!(model.scope().probes() <= 4 && model.upstream.scope.probes() <= 4);
                        assert!((0.0..=1.0).contains(&model.fraction()));
                    }
                }
            });
        }
    });
    bench.now = start + Duration::from_millis(passed.into_inner());
    for model in &models {
        assert!(model.scope().core().epoch > 0, "nothing happened");
        assert_eq!(model.upstream.in_flight.load(Ordering::Relaxed), 0);
        for scope in [model.scope(), &model.upstream.scope] {
            assert!(scope.core().phase != Phase::HalfOpen || scope.probes() == 0);
            assert!(scope.score(model.epoch.tick(bench.now)).is_finite());
        }
        bench.heal(model);
    }
}
