//! After the tests of Finagle's failure accrual (`FailureAccrualFactoryTest`).

use crate::event::HealthChange;
use crate::health::Phase;
use crate::health::tests::{Bench, FAILURE};
use crate::outcome::Outcome;

/// After Finagle's "a failing service should reset failure counters after an individual success", which evidence need
/// not do: what counts is how much more fails than should.
#[test]
fn a_success_takes_back_only_a_part_of_a_failure() {
    let mut bench = Bench::new();
    let leaf = bench.leaf("a", "m");
    let mut attempts = 0;
    loop {
        attempts += 1;
        if bench.attempt(&leaf, &FAILURE).is_none()
            || bench.attempt(&leaf, &Outcome::Success).is_none()
        {
            break;
        }
        bench.pass(0.2);
        assert!(attempts < 50, "half of the requests fail");
    }
}

/// After "A failure during probing that does not mark dead moves back to probing". There the policy may pass over a failure;
/// here what is no sign of health does, and the trial's place is free again.
#[test]
fn a_trial_that_ends_without_a_verdict_is_followed_by_another() {
    let mut bench = Bench::new();
    let leaf = bench.leaf("a", "m");
    bench.trip(&leaf, &FAILURE);
    for _ in 0..20 {
        let trial = bench.trial(&leaf);
        let core = leaf.scope.core();
        bench.end(trial, &Outcome::RejectedRequest { status: 400 });
        assert_eq!(leaf.scope.core(), core);
    }
    let trial = bench.trial(&leaf);
    assert_eq!(bench.end(trial, &FAILURE).len(), 1);
    assert_eq!(bench.phase(&leaf), Phase::Open);
}

/// As above, for an upstream: one model's failure may be that model's own, so the upstream goes on being tried by others.
#[test]
fn one_models_failed_trial_leaves_the_upstream_to_be_tried_by_another() {
    let mut bench = Bench::new();
    let (one, two) = (bench.leaf("a", "one"), bench.leaf("a", "two"));
    while one.account.scope.core().phase == Phase::Closed {
        bench.attempt(&one, &FAILURE);
        bench.attempt(&two, &FAILURE);
        bench.pass(0.1);
    }
    let trial = bench.trial(&one);
    assert!(bench.end(trial, &FAILURE).is_empty());
    assert_eq!(one.account.scope.core().phase, Phase::HalfOpen);
    assert!(one.admit(0, bench.now).is_err());
    for _ in 0..5 {
        assert_eq!(one.account.scope.core().phase, Phase::HalfOpen);
        let trial = bench.trial(&two);
        bench.end(trial, &Outcome::Success);
    }
    assert_eq!(one.account.scope.core().phase, Phase::Ramp);
    assert_eq!(bench.phase(&two), Phase::Closed);
    assert_eq!(bench.phase(&one), Phase::Open);
}

/// After "backoff time should be reset after a success". There one good trial resets the pause; here a success during the
/// trials or on the ramp does not yet, but a minute of health forgives one doubling.
#[test]
fn a_success_alone_does_not_shorten_the_next_pause_but_health_does() {
    let mut bench = Bench::new();
    let leaf = bench.leaf("a", "m");
    bench.trip(&leaf, &FAILURE);
    for level in 2..=4 {
        let trial = bench.trial(&leaf);
        bench.end(trial, &Outcome::Success);
        let trial = bench.trial(&leaf);
        let changes = bench.end(trial, &FAILURE);
        assert!(matches!(changes.as_slice(), [HealthChange::Opened { .. }]));
        assert_eq!(leaf.scope.core().level, level);
    }
    bench.heal(&leaf);
    bench.pass(61.0);
    bench.trip(&leaf, &FAILURE);
    assert_eq!(leaf.scope.core().level, 4);
    bench.heal(&leaf);
    bench.pass(241.0);
    bench.trip(&leaf, &FAILURE);
    assert_eq!(leaf.scope.core().level, 1);
}
