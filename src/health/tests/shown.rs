//! What operators see of each scope.

use super::{Bench, FAILURE};
use crate::health::{Phase, ScopeView};
use crate::outcome::Outcome;

/// The upstream, and its model.
fn shown(bench: &Bench) -> [ScopeView; 2] {
    let mut views = bench.health.view(bench.now);
    assert_eq!(views.len(), 2);
    [views.remove(0), views.remove(0)]
}

#[test]
fn requests_are_counted_where_they_went_and_for_as_long_as_it_says() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.warm(&model, 10.0, 20);
    let _in_flight = model.admit(0, bench.now).unwrap();
    for (minutes, last_minute) in [(0.0, 20), (2.0, 0)] {
        bench.pass(minutes * 60.0);
        let [of_upstream, of_model] = shown(&bench);
        for scope in [&of_upstream, &of_model] {
            assert_eq!(scope.last_minute.good, last_minute);
            assert_eq!(scope.last_five_minutes.good, 20);
        }
        assert_eq!((of_upstream.in_flight, of_model.in_flight), (1, 0));
    }
}

#[test]
fn what_is_out_says_since_when_and_until_when() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    let [_, of_model] = shown(&bench);
    assert_eq!(of_model.phase, Phase::Closed);
    assert_eq!((of_model.since, of_model.retry_in), (None, None));
    bench.trip(&model, &FAILURE);
    let [_, of_model] = shown(&bench);
    assert_eq!(of_model.phase, Phase::Open);
    assert!(of_model.since.is_some() && of_model.retry_in.is_some());
}

#[test]
fn a_cooldown_is_shown_with_the_number_of_its_key() {
    let bench = Bench::new();
    let model = bench.model("a", "m");
    bench.attempt(&model, &Outcome::Unauthorized { status: 401 });
    let [of_upstream, of_model] = shown(&bench);
    let keys = |scope: ScopeView| scope.cooldowns.into_iter().map(|cooldown| cooldown.key);
    assert_eq!(keys(of_upstream).collect::<Vec<_>>(), [1]);
    assert_eq!(keys(of_model).count(), 0);
}
