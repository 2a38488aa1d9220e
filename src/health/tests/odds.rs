//! The odds of a call, as attempts of all kinds move them.

use super::{Bench, FAILURE, LIMITED, REFUSED};
use crate::outcome::Outcome;

#[test]
fn last_resort_attempts_move_the_odds() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    for _ in 0..5 {
        let permit = model.force(0, bench.now);
        bench.end(permit, &FAILURE);
    }
    assert!(model.odds(bench.now) < 0.1);
    for _ in 0..3 {
        let permit = model.force(0, bench.now);
        bench.end(permit, &Outcome::Success);
    }
    assert!(model.odds(bench.now) > 0.7);
}

#[test]
fn what_is_no_failure_of_the_upstream_leaves_the_odds_alone() {
    let bench = Bench::new();
    let model = bench.model("a", "m");
    let before = model.odds(bench.now);
    for outcome in [
        LIMITED,
        Outcome::Unauthorized { status: 401 },
        Outcome::RejectedRequest { status: 400 },
        Outcome::ClientGone,
        Outcome::Superseded,
    ] {
        let permit = model.force(0, bench.now);
        bench.end(permit, &outcome);
    }
    assert_eq!(model.odds(bench.now), before);
}

#[test]
fn while_the_upstream_is_out_the_odds_of_its_models_are_no_better() {
    let mut bench = Bench::new();
    let (model, other) = (bench.model("a", "m"), bench.model("a", "other"));
    bench.warm(&model, 5.0, 50);
    for _ in 0..6 {
        let permit = model.force(0, bench.now);
        bench.end(permit, &REFUSED);
    }
    let refusal = other.admit(0, bench.now).unwrap_err();
    assert!(refusal.is_checked);
    assert!(other.odds(bench.now) < 0.15);
}

#[test]
fn only_what_could_not_be_connected_to_may_come_back_by_a_health_check() {
    let mut bench = Bench::new();
    let (model, limited) = (bench.model("a", "m"), bench.model("b", "m"));
    bench.trip(&model, &FAILURE);
    assert!(!model.admit(0, bench.now).unwrap_err().is_checked);
    bench.attempt(&limited, &LIMITED);
    assert!(!limited.admit(0, bench.now).unwrap_err().is_checked);
}
