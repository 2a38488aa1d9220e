//! Models behind a pattern: apart in health, together where people look.

use super::{Bench, FAILURE, LIMITED};
use crate::health::Phase;
use crate::outcome::Outcome;

#[test]
fn a_limit_for_one_model_behind_a_pattern_leaves_the_others_alone() {
    let bench = Bench::new();
    let all = bench.model("a", "*");
    bench.attempt(all.of_name("gpt-4o"), &LIMITED);
    assert!(all.of_name("gpt-4o").admit(0, bench.now).is_err());
    assert!(all.of_name("gpt-4o-mini").admit(0, bench.now).is_ok());
}

#[test]
fn a_broken_model_behind_a_pattern_leaves_the_others_in_rotation() {
    let mut bench = Bench::new();
    let all = bench.model("a", "*");
    let (broken, healthy) = (all.of_name("broken"), all.of_name("healthy"));
    bench.warm(healthy, 5.0, 50);
    bench.trip(broken, &FAILURE);
    for _ in 0..20 {
        assert!(bench.attempt(healthy, &Outcome::Success).is_some());
        assert!(broken.admit(0, bench.now).is_err());
    }
}

#[test]
fn a_model_that_is_missing_is_missing_by_its_own_name() {
    let bench = Bench::new();
    let all = bench.model("a", "*");
    bench.attempt(
        all.of_name("gone"),
        &Outcome::ModelUnavailable { status: 404 },
    );
    assert!(all.of_name("gone").admit(0, bench.now).is_err());
    assert!(all.of_name("there").admit(0, bench.now).is_ok());
}

/// It is what names share that are too many or too long.
#[test]
fn a_pattern_itself_is_never_missing_but_may_be_limited() {
    let bench = Bench::new();
    let all = bench.model("a", "*");
    assert!(
        bench
            .attempt(&all, &Outcome::ModelUnavailable { status: 404 })
            .is_some()
    );
    assert!(bench.attempt(&all, &LIMITED).is_some());
    assert!(all.admit(0, bench.now).is_err());
}

#[test]
fn a_pattern_is_shown_once_with_all_requests_and_the_worst_state() {
    let mut bench = Bench::new();
    let all = bench.model("a", "*");
    bench.warm(all.of_name("healthy"), 5.0, 10);
    bench.trip(all.of_name("broken"), &FAILURE);
    bench.attempt(all.of_name("limited"), &LIMITED);
    let views = bench.health.view(bench.now);
    let [of_upstream, of_pattern] = views.as_slice() else {
        panic!("{views:?}");
    };
    assert_eq!(of_upstream.phase, Phase::Closed);
    assert_eq!(of_pattern.phase, Phase::Open);
    assert_eq!(of_pattern.last_minute.good, 10);
    assert_eq!(of_upstream.last_minute, of_pattern.last_minute);
    assert_eq!(of_pattern.cooldowns.len(), 1);
}
