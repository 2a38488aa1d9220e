//! After the tests and bugs of Envoy's outlier detection.

use std::sync::Barrier;
use std::thread;

use crate::event::HealthChange;
use crate::health::evidence::Evidence;
use crate::health::tests::{Bench, FAILURE, REFUSED};
use crate::health::{Permit, Phase};
use crate::outcome::Outcome;

/// After Envoy's `EjectTimeBackoff`: each relapse doubles the pause, and each healthy minute takes one doubling back.
#[test]
fn each_relapse_doubles_the_pause_and_each_healthy_minute_halves_it() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    // Plenty of traffic: the first pause is two seconds, the longest thirty.
    for _ in 0..600 {
        bench.attempt(&model, &Outcome::Success);
        bench.pass(0.1);
    }
    let mut levels = Vec::new();
    bench.trip(&model, &FAILURE);
    for _ in 0..5 {
        let core = model.scope().core();
        let pause = model.epoch.tick(bench.now).seconds_until(core.until);
        levels.push((core.level, pause));
        bench.pass(f64::from(pause) + 0.1);
        bench.attempt(&model, &FAILURE);
    }
    for (index, (level, pause)) in levels.iter().enumerate() {
        assert_eq!(*level as usize, index + 1);
        let nominal = (2.0f32 * 2f32.powi(index as i32)).min(30.0);
        assert!(
            (nominal * 0.7..=nominal * 1.3).contains(pause),
            "{levels:?}"
        );
    }
    // Three healthy minutes take three levels back.
    while bench.phase(&model) != Phase::Closed {
        bench.pass(0.2);
        bench.attempt(&model, &Outcome::Success);
    }
    let before = model.scope().core().level;
    bench.pass(185.0);
    bench.trip(&model, &FAILURE);
    assert_eq!(model.scope().core().level, before - 3 + 1);
}

/// After Envoy's issue 1491: a counter that was not reset let a host be ejected only once until it had a success.
#[test]
fn without_any_success_it_trips_again_and_again() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    for round in 1..=10 {
        assert_eq!(bench.phase(&model), Phase::Open, "round {round}");
        assert!(bench.score(&model) <= f32::EPSILON, "round {round}");
        let probe = bench.probe(&model);
        let changes = bench.end(probe, &FAILURE);
        assert!(
            matches!(changes.as_slice(), [HealthChange::Opened { .. }]),
            "round {round}: {changes:?}"
        );
    }
}

/// After Envoy's issue 18950: failures counted by workers, while the main thread brought the host back, left a counter
/// beyond its limit, so that the host was never ejected again.
#[test]
fn failures_of_many_threads_at_once_trip_exactly_once_each_time() {
    const THREADS: usize = 8;
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    for round in 0..20 {
        let epoch = model.scope().core().epoch;
        let mut permits: Vec<Permit> = (0..10 * THREADS)
            .map(|_| model.admit(0, bench.now).unwrap())
            .collect();
        let start = Barrier::new(THREADS);
        let (start, now) = (&start, bench.now);
        let opened: usize = thread::scope(|scope| {
            let workers: Vec<_> = (0..THREADS)
                .map(|_| permits.split_off(permits.len() - 10))
                .map(|share| {
                    scope.spawn(move || {
                        start.wait();
                        let changes = share.into_iter().flat_map(|one| one.finish(&FAILURE, now));
                        changes.count()
                    })
                })
                .collect();
            workers.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!(opened, 1, "round {round}");
        assert_eq!(bench.phase(&model), Phase::Open);
        assert_eq!(model.scope().core().epoch, epoch + 1, "round {round}");
        bench.heal(&model);
    }
}

/// As above, in every order: of two trips of the same state only the first one counts, also if the second one comes
/// when that state is over.
#[test]
fn of_two_trips_of_the_same_state_the_first_counts() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    let core = model.scope().core();
    let trip = |bench: &Bench| {
        let now = model.epoch.tick(bench.now);
        model.scope().trip(core.epoch, Evidence::Failure, now, 0.5)
    };
    assert!(trip(&bench));
    let opened = model.scope().core();
    bench.pass(1.0);
    assert!(!trip(&bench));
    assert_eq!(model.scope().core(), opened);
    bench.heal(&model);
    assert!(!trip(&bench));
    assert_eq!(bench.phase(&model), Phase::Closed);
}

/// After Envoy's issue 18950, in the order that lost the ejection: failures from before the trip arrive while it is
/// half-open.
#[test]
fn late_failures_that_arrive_during_a_probe_neither_trip_nor_protect_it() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    let early: Vec<Permit> = (0..20)
        .map(|_| model.admit(0, bench.now).unwrap())
        .collect();
    bench.trip(&model, &REFUSED);
    bench.health.health_checked(&model.id().upstream, bench.now);
    let probe = bench.probe(&model);
    let epoch = model.upstream.scope.core().epoch;
    for permit in early {
        assert!(permit.finish(&REFUSED, bench.now).is_empty());
    }
    assert_eq!(model.upstream.scope.core().epoch, epoch);
    assert_eq!(model.upstream.scope.core().phase, Phase::HalfOpen);
    assert_eq!(bench.end(probe, &REFUSED).len(), 1);
    assert_eq!(model.upstream.scope.core().phase, Phase::Open);
}

/// After Envoy's pull request 27909. There no more than a share of the hosts is ejected, and of fewer than ten hosts
/// none at all; here each trips for itself, since a last-resort attempt still calls one when none is left.
#[test]
fn the_only_upstream_trips_and_so_do_all_of_many() {
    for count in [1, 2, 9, 12] {
        let mut bench = Bench::new();
        let models: Vec<_> = (0..count)
            .map(|index| bench.model(&format!("upstream-{index}"), "m"))
            .collect();
        for model in &models {
            bench.trip(model, &FAILURE);
        }
        for model in &models {
            assert_eq!(bench.phase(model), Phase::Open, "of {count}");
        }
        let last = models.last().unwrap();
        let change = bench.end(last.force(0, bench.now), &Outcome::Success);
        assert!(change.is_empty());
        assert_eq!(bench.phase(last), Phase::HalfOpen, "of {count}");
        assert_eq!(last.scope().core().good, 1);
    }
}
