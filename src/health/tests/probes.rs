//! Half-open probes: what is one, what it shows, and that each ends once.

use std::sync::Arc;

use super::{Bench, FAILURE, LIMIT, SHAPE};
use crate::health::ModelHealth;
use crate::health::evidence::Evidence;
use crate::health::scope::Scope;
use crate::outcome::Outcome;

impl Bench {
    /// A model that is half-open, as its upstream is.
    fn half_open(&mut self) -> Arc<ModelHealth> {
        let model = self.model("a", "m");
        for scope in scopes(&model) {
            self.open(&model, scope);
        }
        self.pass(60.0);
        for scope in scopes(&model) {
            scope.begin_probes(model.epoch.tick(self.now));
        }
        model
    }

    /// Opens a scope.
    fn open(&self, model: &ModelHealth, scope: &Scope) {
        let (epoch, now) = (scope.core().epoch, model.epoch.tick(self.now));
        assert!(scope.trip(epoch, Evidence::Failure, now, 0.5));
    }
}

fn scopes(model: &ModelHealth) -> [&Scope; 2] {
    [model.scope(), &model.upstream.scope]
}

#[test]
fn where_streams_broke_a_probe_has_succeeded_when_its_stream_has_ended() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &Outcome::StreamBroken);
    let good = || model.scope().core().good;
    let mut probe = bench.probe(&model);
    probe.answered(SHAPE, LIMIT, bench.now);
    assert_eq!((good(), model.scope().probes()), (0, 1));
    probe.finish(&Outcome::Success, bench.now);
    assert_eq!((good(), model.scope().probes()), (1, 0));
    let mut given_up = bench.probe(&model);
    given_up.answered(SHAPE, LIMIT, bench.now);
    given_up.finish(&Outcome::ClientGone, bench.now);
    assert_eq!((good(), model.scope().probes()), (1, 0));
    let mut connection = bench.probe(&model);
    connection.answered(SHAPE, LIMIT, bench.now);
    connection.settled(bench.now);
    assert_eq!((good(), model.scope().probes()), (2, 0), "it may last");
}

#[test]
fn elsewhere_its_first_content_is_enough_and_counts_once() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    let mut probe = bench.probe(&model);
    probe.answered(SHAPE, LIMIT, bench.now);
    assert_eq!(model.scope().core().good, 1);
    probe.finish(&Outcome::Success, bench.now);
    assert_eq!(model.scope().core().good, 1);
}

#[test]
fn one_of_a_model_and_its_upstream_shows_something_of_both() {
    let mut bench = Bench::new();
    let model = bench.half_open();
    let mut probe = model.admit(0, bench.now).unwrap();
    probe.answered(SHAPE, LIMIT, bench.now);
    assert_eq!(scopes(&model).map(|scope| scope.core().good), [1, 1]);
}

#[test]
fn one_of_the_upstream_does_not_wait_for_those_of_its_model() {
    let mut bench = Bench::new();
    let model = bench.half_open();
    assert!(model.scope().begin_probe(model.epoch.tick(bench.now)));
    assert!(model.admit(0, bench.now).is_ok_and(|one| one.is_probe()));
}

#[test]
fn what_is_none_ends_none() {
    let mut bench = Bench::new();
    let model = bench.half_open();
    let probe = model.admit(0, bench.now).unwrap();
    drop(model.force(0, bench.now));
    assert_eq!(scopes(&model).map(Scope::probes), [1, 1]);
    drop(probe);
    assert_eq!(scopes(&model).map(Scope::probes), [0, 0]);
}

#[test]
fn one_of_a_state_that_is_over_ends_none_of_the_next_one() {
    let mut bench = Bench::new();
    let model = bench.half_open();
    let old = model.admit(0, bench.now).unwrap();
    for scope in scopes(&model) {
        bench.open(&model, scope);
    }
    bench.pass(60.0);
    for scope in scopes(&model) {
        scope.begin_probes(model.epoch.tick(bench.now));
    }
    let new = model.admit(0, bench.now).unwrap();
    assert!(new.is_probe());
    drop(old);
    assert_eq!(scopes(&model).map(Scope::probes), [1, 1]);
    drop(new);
    assert_eq!(scopes(&model).map(Scope::probes), [0, 0]);
}
