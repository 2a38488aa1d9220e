//! After the tests of Finagle's failure accrual (`FailureAccrualFactoryTest`).

use crate::event::HealthChange;
use crate::health::Phase;
use crate::health::tests::{Bench, FAILURE};
use crate::outcome::Outcome;

/// After Finagle's "a failing service should reset failure counters after an individual success", which evidence does
/// not do: what counts is how much more fails than is tolerated.
#[test]
fn a_success_takes_back_only_a_part_of_a_failure() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    let mut attempts = 0;
    loop {
        attempts += 1;
        if bench.attempt(&model, &FAILURE).is_none()
            || bench.attempt(&model, &Outcome::Success).is_none()
        {
            break;
        }
        bench.pass(0.2);
        assert!(attempts < 50, "half of the requests fail");
    }
}

/// After "A failure during probing that does not mark dead moves back to probing". There the policy may pass over a
/// failure; here an outcome that is no evidence does, and another probe may begin.
#[test]
fn a_probe_that_ends_without_evidence_is_followed_by_another() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    for _ in 0..20 {
        let probe = bench.probe(&model);
        let core = model.scope().core();
        bench.end(probe, &Outcome::RejectedRequest { status: 400 });
        assert_eq!(model.scope().core(), core);
    }
    let probe = bench.probe(&model);
    assert_eq!(bench.end(probe, &FAILURE).len(), 1);
    assert_eq!(bench.phase(&model), Phase::Open);
}

/// As above, for an upstream: one model's failure may be its own, so requests for other models still probe the
/// upstream.
#[test]
fn after_one_models_failed_probe_another_model_probes_the_upstream() {
    let mut bench = Bench::new();
    let (one, two) = (bench.model("a", "one"), bench.model("a", "two"));
    while one.upstream.scope.core().phase == Phase::Closed {
        bench.attempt(&one, &FAILURE);
        bench.attempt(&two, &FAILURE);
        bench.pass(0.1);
    }
    let probe = bench.probe(&one);
    assert!(bench.end(probe, &FAILURE).is_empty());
    assert_eq!(one.upstream.scope.core().phase, Phase::HalfOpen);
    assert!(one.admit(0, bench.now).is_err());
    for _ in 0..5 {
        assert_eq!(one.upstream.scope.core().phase, Phase::HalfOpen);
        let probe = bench.probe(&two);
        bench.end(probe, &Outcome::Success);
    }
    assert_eq!(one.upstream.scope.core().phase, Phase::SlowStart);
    assert_eq!(bench.phase(&two), Phase::Closed);
    assert_eq!(bench.phase(&one), Phase::Open);
}

/// After "backoff time should be reset after a success". There one successful probe resets the pause; here a success
/// during half-open or slow start does not yet, but each healthy minute takes one doubling back.
#[test]
fn a_success_alone_does_not_shorten_the_next_pause_but_health_does() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    for level in 2..=4 {
        let probe = bench.probe(&model);
        bench.end(probe, &Outcome::Success);
        let probe = bench.probe(&model);
        let changes = bench.end(probe, &FAILURE);
        assert!(matches!(changes.as_slice(), [HealthChange::Opened { .. }]));
        assert_eq!(model.scope().core().level, level);
    }
    bench.heal(&model);
    bench.pass(61.0);
    bench.trip(&model, &FAILURE);
    assert_eq!(model.scope().core().level, 4);
    bench.heal(&model);
    bench.pass(241.0);
    bench.trip(&model, &FAILURE);
    assert_eq!(model.scope().core().level, 1);
}
