//! Which scope goes out of rotation, the upstream or one model, is told by how the models beside it do.

use std::sync::Arc;

use super::{Bench, FAILURE, REFUSED};
use crate::health::{ModelHealth, Phase};
use crate::outcome::Outcome;

/// An upstream with three models that are asked once a second: each of them trips after five failures.
fn models(bench: &mut Bench) -> [Arc<ModelHealth>; 3] {
    let models = ["m", "n", "o"].map(|name| bench.model("a", name));
    for _ in 0..60 {
        for model in &models {
            bench.attempt(model, &Outcome::Success);
        }
        bench.pass(1.0);
    }
    models
}

/// Lets a model fail so often, while another one answers ten times as often.
fn fail_beside(bench: &Bench, model: &Arc<ModelHealth>, count: usize, healthy: &Arc<ModelHealth>) {
    for _ in 0..count {
        bench.attempt(model, &FAILURE);
        for _ in 0..10 {
            bench.attempt(healthy, &Outcome::Success);
        }
    }
}

fn phases(bench: &Bench, [m, n, o]: &[Arc<ModelHealth>; 3]) -> [Phase; 4] {
    let of_upstream = m.upstream.scope.core().phase;
    [of_upstream, bench.phase(m), bench.phase(n), bench.phase(o)]
}

const CLOSED: [Phase; 4] = [Phase::Closed; 4];

#[test]
fn two_models_that_fail_a_little_take_their_upstream_out() {
    let mut bench = Bench::new();
    let models = models(&mut bench);
    let [m, n, _] = &models;
    for model in [m, m, m, m, n] {
        bench.attempt(model, &FAILURE);
    }
    assert_eq!(phases(&bench, &models), CLOSED);
    bench.attempt(n, &FAILURE);
    assert_eq!(phases(&bench, &models)[0], Phase::Open);
}

#[test]
fn a_model_that_fails_beside_one_that_answers_goes_out_alone() {
    let mut bench = Bench::new();
    let models = models(&mut bench);
    let [m, _, o] = &models;
    fail_beside(&bench, m, 4, o);
    assert_eq!(phases(&bench, &models), CLOSED);
    fail_beside(&bench, m, 1, o);
    let closed = Phase::Closed;
    let expected = [closed, Phase::Open, closed, closed];
    assert_eq!(phases(&bench, &models), expected);
}

#[test]
fn a_model_that_fails_beside_one_that_may_be_failing_takes_the_upstream_out() {
    let mut bench = Bench::new();
    let models = models(&mut bench);
    let [m, n, o] = &models;
    fail_beside(&bench, n, 3, o);
    fail_beside(&bench, m, 4, o);
    assert_eq!(phases(&bench, &models), CLOSED);
    fail_beside(&bench, m, 1, o);
    let closed = Phase::Closed;
    assert_eq!(
        phases(&bench, &models),
        [Phase::Open, closed, closed, closed]
    );
}

/// The failures of a model that is out, at requests that have nobody else, are no evidence against the models beside it.
#[test]
fn one_failure_beside_a_model_that_goes_on_failing_does_not_take_the_upstream_out() {
    let mut bench = Bench::new();
    let models = models(&mut bench);
    let [m, n, _] = &models;
    for _ in 0..5 {
        bench.attempt(m, &FAILURE);
    }
    for _ in 0..100 {
        m.force(0, bench.now).finish(&FAILURE, bench.now);
    }
    bench.attempt(n, &FAILURE);
    let closed = Phase::Closed;
    let expected = [closed, Phase::Open, closed, closed];
    assert_eq!(phases(&bench, &models), expected);
    for _ in 0..2 {
        bench.attempt(n, &FAILURE);
    }
    assert_eq!(phases(&bench, &models)[0], Phase::Open);
}

/// That no connection can be made is about the upstream, whatever was asked for.
#[test]
fn a_model_that_is_out_still_shows_that_its_upstream_cannot_be_reached() {
    let mut bench = Bench::new();
    let models = models(&mut bench);
    let [m, _, o] = &models;
    fail_beside(&bench, m, 5, o);
    assert_eq!(bench.phase(m), Phase::Open);
    for _ in 0..5 {
        m.force(0, bench.now).finish(&REFUSED, bench.now);
    }
    assert_eq!(phases(&bench, &models)[0], Phase::Open);
}

#[test]
fn one_failure_makes_no_model_suspicious() {
    let mut bench = Bench::new();
    let models = models(&mut bench);
    let [m, n, o] = &models;
    fail_beside(&bench, n, 1, o);
    fail_beside(&bench, m, 5, o);
    assert_eq!(bench.phase(m), Phase::Open);
    assert_eq!(phases(&bench, &models)[0], Phase::Closed);
}

#[test]
fn a_model_that_nobody_asks_for_says_nothing() {
    let mut bench = Bench::new();
    let models = models(&mut bench);
    let [m, n, o] = &models;
    fail_beside(&bench, n, 3, o);
    for _ in 0..62 {
        bench.attempt(m, &Outcome::Success);
        bench.attempt(o, &Outcome::Success);
        bench.pass(1.0);
    }
    fail_beside(&bench, m, 5, o);
    assert_eq!(bench.phase(m), Phase::Open);
    assert_eq!(phases(&bench, &models)[0], Phase::Closed);
}
