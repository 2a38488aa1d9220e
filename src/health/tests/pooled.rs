//! What the requests of other replicas hold against a scope, beside what our own have found.

use std::time::Duration;

use super::hearsay::shared;
use super::{Bench, FAILURE};
use crate::health::{AdmissionPreview, Others, Phase};
use crate::outcome::Outcome;

/// Others hold this against a scope.
fn held(scores: &[f32]) -> Others {
    Others {
        scores: scores.to_vec(),
        ..Others::default()
    }
}

/// How many failures in a row take a model out that has ten requests a second.
fn failures_until_out(others: &Others) -> Option<usize> {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.warm(&model, 10.0, 600);
    shared(&bench, &model)?.support(others, bench.now);
    let mut failures = 0;
    while !bench.phase(&model).is_out() {
        bench.attempt(&model, &FAILURE);
        failures += 1;
    }
    Some(failures)
}

#[test]
fn what_another_has_found_is_added_to_what_we_have_found_and_only_once() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.warm(&model, 10.0, 600);
    let scope = shared(&bench, &model).unwrap();
    for _ in 0..3 {
        bench.attempt(&model, &FAILURE);
    }
    let half = 0.5 * model.scope().threshold();
    let own = bench.score(&model);
    for _ in 0..5 {
        // It tries in vain, and says so each time.
        let raised = scope.doubt("failures", 1, bench.now);
        let next_is_enough = raised + 1.79 >= model.scope().threshold();
        assert!(
            (raised - own - half).abs() < 0.1 || next_is_enough,
            "{raised} {own}"
        );
        assert!(raised < model.scope().threshold());
    }
}

#[test]
fn what_others_hold_against_a_scope_counts_beside_our_own_failures_but_never_alone() {
    // The threshold is about 11.6, and a failure adds 1.79.
    for (others, failures) in [
        (&[][..], 7),
        (&[2.0], 6),
        (&[6.0], 4),
        (&[100.0], 4),
        (&[3.0, 3.0], 4),
        (&[100.0, 100.0], 2),
        (&[100.0; 9], 2),
    ] {
        let seen = failures_until_out(&held(others));
        assert_eq!(seen, Some(failures), "{others:?}");
    }
}

#[test]
fn where_our_own_requests_succeed_nothing_that_others_hold_against_it_takes_it_out() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.warm(&model, 10.0, 600);
    for _ in 0..50 {
        shared(&bench, &model)
            .unwrap()
            .support(&held(&[100.0; 9]), bench.now);
        bench.warm(&model, 10.0, 99);
        // One in a hundred fails.
        bench.attempt(&model, &FAILURE);
        assert_eq!(bench.phase(&model), Phase::Closed);
    }
}

#[test]
fn what_others_hold_against_it_is_forgotten_when_they_say_no_more() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.warm(&model, 10.0, 600);
    let scope = shared(&bench, &model).unwrap();
    scope.support(&held(&[100.0; 2]), bench.now);
    bench.pass(3.1);
    for _ in 0..6 {
        bench.attempt(&model, &FAILURE);
    }
    assert_eq!(bench.phase(&model), Phase::Closed);
}

#[test]
fn only_what_our_own_requests_have_found_is_told_as_a_suspicion() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.warm(&model, 10.0, 600);
    let scope = shared(&bench, &model).unwrap();
    let suspicion = |bench: &Bench| scope.own_suspicion(bench.now).map(|own| own.score);
    scope.doubt("failures", 1, bench.now);
    assert_eq!(suspicion(&bench), None);
    bench.attempt(&model, &FAILURE);
    assert_eq!(suspicion(&bench), None, "a single failure is nothing");
    bench.attempt(&model, &FAILURE);
    let own = scope.own_suspicion(bench.now).unwrap();
    assert!((own.score - 3.58).abs() < 0.01, "{own:?}");
    assert!((own.odds - model.odds(bench.now)).abs() < 0.001, "{own:?}");
    bench.warm(&model, 10.0, 12);
    assert_eq!(suspicion(&bench), None, "successes have taken it back");
    bench.trip(&model, &FAILURE);
    while bench.phase(&model).is_out() {
        bench.pass(0.5);
        bench.attempt(&model, &Outcome::Success);
    }
    assert_eq!(suspicion(&bench), None, "that was before it healed");
}

#[test]
fn what_others_know_of_an_outage_counts_only_while_it_is_one_here() {
    let bench = Bench::new();
    let model = bench.model("a", "m");
    let scope = shared(&bench, &model).unwrap();
    let others = Others {
        odds: 0.03,
        out_for: Duration::from_secs(60),
        ..Others::default()
    };
    scope.support(&others, bench.now);
    assert!(model.odds(bench.now) > 0.7);
    assert_eq!(model.out_for(bench.now), None);
    scope.open_as_told("failures", bench.now);
    assert!((model.odds(bench.now) - 0.03).abs() < 0.001);
    let is_a_minute = |out_for: Duration| out_for.abs_diff(others.out_for).as_millis() < 100;
    assert!(model.out_for(bench.now).is_some_and(is_a_minute));
    match model.preview(0, bench.now) {
        AdmissionPreview::Out { out_for, .. } => assert!(is_a_minute(out_for)),
        other => panic!("{other:?}"),
    }
}
