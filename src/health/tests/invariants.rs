//! Invariants: what always holds, whatever happens in whatever order.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{Bench, FAILURE, LIMIT, SHAPE, outcomes};
use crate::config::UpstreamId;
use crate::event::HealthChange;
use crate::health::{CooldownReason, Permit, Phase};
use crate::outcome::{Outcome, Unreachable};

#[test]
fn an_open_scope_comes_back_through_half_open_probes_and_slow_start() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    assert_eq!(bench.phase(&model), Phase::Open);
    let mut phases = vec![Phase::Open];
    for _ in 0..600 {
        bench.pass(0.1);
        bench.attempt(&model, &Outcome::Success);
        let phase = bench.phase(&model);
        if phases.last() != Some(&phase) {
            phases.push(phase);
        }
    }
    assert_eq!(
        phases,
        [
            Phase::Open,
            Phase::HalfOpen,
            Phase::SlowStart,
            Phase::Closed
        ]
    );
}

#[test]
fn two_models_that_fail_trip_their_upstream() {
    let mut bench = Bench::new();
    let (one, two) = (bench.model("a", "one"), bench.model("a", "two"));
    for _ in 0..40 {
        bench.attempt(&one, &FAILURE);
        bench.attempt(&two, &FAILURE);
        bench.pass(0.1);
        if one.upstream.scope.core().phase == Phase::Open {
            assert!(one.admit(0, bench.now).is_err());
            assert!(two.admit(0, bench.now).is_err());
            return;
        }
    }
    panic!("the upstream does not trip");
}

#[test]
fn a_model_that_fails_alone_leaves_its_sibling_in_rotation() {
    let mut bench = Bench::new();
    let (bad, good) = (bench.model("a", "bad"), bench.model("a", "good"));
    for _ in 0..200 {
        bench.attempt(&bad, &FAILURE);
        assert!(bench.attempt(&good, &Outcome::Success).is_some());
        bench.pass(0.05);
    }
    assert_eq!(bad.upstream.scope.core().phase, Phase::Closed);
}

#[test]
fn failures_of_attempts_from_before_a_trip_add_no_evidence() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    let early: Vec<Permit> = (0..20)
        .map(|_| model.admit(0, bench.now).unwrap())
        .collect();
    bench.trip(&model, &FAILURE);
    let epoch = model.scope().core().epoch;
    for permit in early {
        permit.finish(&FAILURE, bench.now);
    }
    assert_eq!(model.scope().core().epoch, epoch);
    assert!(model.scope().score(model.epoch.tick(bench.now)) <= f32::EPSILON);
}

#[test]
fn a_rate_limit_cools_down_its_key_and_model_only_and_trips_nothing() {
    let bench = Bench::new();
    let model = bench
        .health
        .model(&UpstreamId::from("a"), &Arc::from("m"), 2);
    let sibling = bench
        .health
        .model(&UpstreamId::from("a"), &Arc::from("n"), 2);
    let limited = Outcome::RateLimited {
        status: 429,
        retry_after: Some(Duration::from_secs(30)),
        is_daily: false,
    };
    model
        .admit(0, bench.now)
        .unwrap()
        .finish(&limited, bench.now);
    let refusal = model.admit(0, bench.now).unwrap_err();
    assert_eq!(refusal.cooldown_reason, Some(CooldownReason::RateLimit));
    assert!(model.admit(1, bench.now).is_ok());
    assert!(sibling.admit(0, bench.now).is_ok());
    assert!(model.admit(0, bench.now + Duration::from_secs(31)).is_ok());
}

#[test]
fn a_refused_key_cools_down_for_all_models_and_never_for_good() {
    let mut bench = Bench::new();
    let (model, sibling) = (bench.model("a", "m"), bench.model("a", "n"));
    model
        .admit(0, bench.now)
        .unwrap()
        .finish(&Outcome::Unauthorized { status: 401 }, bench.now);
    assert_eq!(
        sibling.admit(0, bench.now).unwrap_err().cooldown_reason,
        Some(CooldownReason::Credential)
    );
    bench.pass(61.0);
    assert!(sibling.admit(0, bench.now).is_ok());
}

#[test]
fn several_upstreams_that_vanish_at_once_are_not_to_blame() {
    let mut bench = Bench::new();
    let (a, b) = (bench.model("a", "m"), bench.model("b", "m"));
    let gone = Outcome::Unreachable(Unreachable::Other);
    bench.attempt(&a, &Outcome::Success);
    bench.pass(1.0);
    bench.attempt(&a, &gone);
    let changes = bench.attempt(&b, &gone).unwrap();
    assert!(
        matches!(changes.as_slice(), [HealthChange::NetworkLost]),
        "{changes:?}"
    );
    for _ in 0..50 {
        bench.pass(0.2);
        assert!(
            bench
                .attempt(&a, &gone)
                .is_some_and(|changes| changes.is_empty())
        );
        assert!(
            bench
                .attempt(&b, &gone)
                .is_some_and(|changes| changes.is_empty())
        );
    }
    let changes = bench.attempt(&a, &Outcome::Success).unwrap();
    assert!(
        matches!(changes.as_slice(), [HealthChange::NetworkBack]),
        "{changes:?}"
    );
}

#[test]
fn a_health_check_brings_a_probe_to_an_upstream_that_refused_connections() {
    let mut bench = Bench::new();
    let (a, b) = (bench.model("a", "m"), bench.model("b", "m"));
    let refused = Outcome::Unreachable(Unreachable::Refused);
    bench.trip(&a, &refused);
    bench.trip(&b, &refused);
    assert!(!bench.health.is_network_lost());
    assert_eq!(bench.health.to_check().len(), 2);
    let a_id = UpstreamId::from("a");
    bench.pass(5.0);
    assert!(a.admit(0, bench.now).is_err());
    bench.health.health_checked(&a_id, bench.now);
    assert!(a.admit(0, bench.now).is_ok_and(|permit| permit.is_probe()));
}

proptest! {
    #[test]
    fn the_score_is_finite_and_never_rises_without_a_failure(
        history in proptest::collection::vec((outcomes(), 0.0..5.0f64), 1..200),
    ) {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        for (outcome, pause) in history {
            bench.pass(pause);
            let tick = model.epoch.tick(bench.now);
            let (before, epoch) = (model.scope().score(tick), model.scope().core().epoch);
            bench.attempt(&model, &outcome);
            let after = model.scope().score(tick);
            prop_assert!(after.is_finite() && after >= 0.0);
            if !outcome.hurts_health() && model.scope().core().epoch == epoch {
                prop_assert!(after <= before + 1e-4, "{before} {after}");
            }
        }
    }

    #[test]
    fn an_outcome_that_is_no_evidence_changes_nothing(count in 1usize..100, gone in any::<bool>()) {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        let outcome = if gone { Outcome::ClientGone } else { Outcome::RejectedRequest { status: 422 } };
        for _ in 0..count {
            prop_assert!(bench.attempt(&model, &outcome).is_some_and(|changes| changes.is_empty()));
            bench.pass(0.01);
        }
        prop_assert_eq!(bench.phase(&model), Phase::Closed);
    }

    #[test]
    fn probes_are_few_and_all_of_them_end(
        endings in proptest::collection::vec((0usize..8, prop_oneof![Just(0), Just(1), Just(2)]), 1..60),
    ) {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        bench.trip(&model, &FAILURE);
        let mut permits: Vec<Permit> = Vec::new();
        for (index, ending) in endings {
            bench.pass(3.0);
            if let Ok(permit) = model.admit(0, bench.now) {
                permits.push(permit);
            }
            prop_assert!(model.scope().probes() <= 4);
            if index < permits.len() {
                let mut permit = permits.swap_remove(index);
                match ending {
                    0 => drop(permit),
                    1 => drop(permit.answered(SHAPE, LIMIT, bench.now)),
                    _ => drop(permit.finish(&FAILURE, bench.now)),
                }
            }
        }
        permits.clear();
        prop_assert_eq!(model.scope().probes(), 0);
        prop_assert_eq!(model.upstream.scope.probes(), 0);
    }
}
