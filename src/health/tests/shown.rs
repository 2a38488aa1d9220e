//! What operators see of each scope.

use std::sync::Arc;
use std::time::Duration;

use super::{Bench, FAILURE};
use crate::config::UpstreamId;
use crate::health::{ModelHealth, Phase, ScopeView};
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

#[test]
fn it_says_how_many_keys_there_are_and_what_is_left_of_their_rate_limits() {
    let bench = Bench::new();
    let id = UpstreamId::from("a");
    let model = bench.health.model(&id, &Arc::from("m"), 2);
    let permit = model.admit(1, bench.now).unwrap();
    permit.rate_limit(50, Some(100), Duration::from_secs(1), bench.now);
    let [of_upstream, of_model] = shown(&bench);
    assert_eq!((of_upstream.keys, of_model.keys), (2, 2));
    let limits = of_model.rate_limits.into_iter();
    let limits: Vec<_> = limits.map(|limit| (limit.key, limit.requests)).collect();
    assert_eq!(limits, [(2, 50)]);
}

/// The models behind a pattern.
fn behind_a_pattern(bench: &Bench) -> [Arc<ModelHealth>; 2] {
    let pattern = bench.model("a", "*");
    ["often", "rarely"].map(|name| Arc::clone(pattern.of_name(name)))
}

#[test]
fn a_pattern_is_shown_as_the_worst_of_its_models() {
    for is_first_out in [true, false] {
        let mut bench = Bench::new();
        let [one, other] = behind_a_pattern(&bench);
        bench.trip(if is_first_out { &one } else { &other }, &FAILURE);
        let [_, of_pattern] = shown(&bench);
        assert_eq!(of_pattern.phase, Phase::Open);
    }
}

/// A score counts by what it takes: more failures are needed where there is more traffic.
#[test]
fn of_two_models_in_rotation_the_one_is_worse_that_is_nearer_to_its_end() {
    let mut bench = Bench::new();
    let [often, rarely] = behind_a_pattern(&bench);
    bench.attempt(&rarely, &Outcome::Success);
    bench.warm(&often, 1.0, 300);
    bench.warm(&often, 10.0, 300);
    bench.attempt(&often, &FAILURE);
    bench.attempt(&often, &FAILURE);
    bench.attempt(&rarely, &FAILURE);
    assert!(bench.score(&often) > bench.score(&rarely));
    let [_, of_pattern] = shown(&bench);
    assert_eq!(of_pattern.threshold, rarely.scope().threshold());
}

#[test]
fn of_two_cooldowns_of_a_key_behind_a_pattern_the_longer_one_is_shown() {
    for seconds in [[20, 5], [5, 20]] {
        let bench = Bench::new();
        for (model, seconds) in behind_a_pattern(&bench).iter().zip(seconds) {
            let retry_after = Some(Duration::from_secs(seconds));
            bench.attempt(
                model,
                &Outcome::RateLimited {
                    status: 429,
                    retry_after,
                    is_daily: false,
                },
            );
        }
        let [_, of_pattern] = shown(&bench);
        let lasting = of_pattern.cooldowns.iter().map(|cooldown| cooldown.ends_in);
        let lasting: Vec<_> = lasting.collect();
        assert!(
            lasting.len() == 1 && lasting[0] > Duration::from_secs(19),
            "{lasting:?}"
        );
    }
}

#[test]
fn a_model_that_is_not_there_leaves_its_pattern_available_and_a_refused_key_does_not() {
    for (outcome, is_left) in [
        (Outcome::ModelUnavailable { status: 404 }, true),
        (Outcome::Unauthorized { status: 401 }, false),
        (Outcome::QuotaExhausted { status: 429 }, false),
    ] {
        let bench = Bench::new();
        let pattern = bench.model("a", "*");
        assert!(pattern.is_available(bench.now));
        bench.attempt(pattern.of_name("m"), &outcome);
        assert_eq!(pattern.is_available(bench.now), is_left, "{outcome}");
        let model = bench.model("b", "m");
        bench.attempt(&model, &outcome);
        assert!(!model.is_available(bench.now), "{outcome}");
    }
}
