//! What must always hold, whatever happens in which order.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use tokio::time::Instant;

use super::{Health, Leaf, Permit, Phase, Reason, Shape};
use crate::config::UpstreamId;
use crate::event::HealthChange;
use crate::outcome::{Outcome, Stage, Unreachable};

const SHAPE: Shape = Shape {
    is_streamed: true,
    size: 100,
};
const LIMIT: Duration = Duration::from_secs(30);
const FAILURE: Outcome = Outcome::ServerError { status: 500 };

struct Bench {
    health: Health,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self {
            health: Health::new(),
            now: Instant::now(),
        }
    }

    fn leaf(&self, upstream: &str, model: &str) -> Arc<Leaf> {
        self.health
            .leaf(&UpstreamId::from(upstream), &Arc::from(model), 1)
    }

    fn pass(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
    }

    /// Makes one attempt, if it is admitted; says what changed.
    fn attempt(&self, leaf: &Arc<Leaf>, outcome: &Outcome) -> Option<Vec<HealthChange>> {
        leaf.demanded(self.now);
        let mut permit = leaf.admit(0, self.now).ok()?;
        let mut changes = Vec::new();
        if *outcome == Outcome::Success {
            changes.extend(permit.answered(SHAPE, LIMIT, self.now));
        }
        changes.extend(permit.finish(outcome, self.now));
        Some(changes)
    }

    fn trip(&mut self, leaf: &Arc<Leaf>, outcome: &Outcome) {
        let mut attempts = 0;
        while self.attempt(leaf, outcome).is_some() {
            attempts += 1;
            assert!(attempts < 100, "it does not trip");
            self.pass(0.1);
        }
    }

    fn phase(&self, leaf: &Leaf) -> Phase {
        leaf.scope.core().phase
    }
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Success),
        Just(FAILURE),
        Just(Outcome::Unreachable(Unreachable::Refused)),
        Just(Outcome::TimedOut(Stage::FirstToken)),
        Just(Outcome::RejectedRequest { status: 400 }),
        Just(Outcome::ClientGone),
        Just(Outcome::RateLimited { retry_after: None }),
    ]
}

#[test]
fn an_open_scope_comes_back_through_trials_and_a_ramp() {
    let mut bench = Bench::new();
    let leaf = bench.leaf("a", "m");
    bench.trip(&leaf, &FAILURE);
    assert_eq!(bench.phase(&leaf), Phase::Open);
    let mut phases = vec![Phase::Open];
    for _ in 0..600 {
        bench.pass(0.1);
        bench.attempt(&leaf, &Outcome::Success);
        let phase = bench.phase(&leaf);
        if phases.last() != Some(&phase) {
            phases.push(phase);
        }
    }
    assert_eq!(
        phases,
        [Phase::Open, Phase::HalfOpen, Phase::Ramp, Phase::Closed]
    );
}

#[test]
fn a_sibling_that_fails_too_convicts_the_upstream() {
    let mut bench = Bench::new();
    let (one, two) = (bench.leaf("a", "one"), bench.leaf("a", "two"));
    for _ in 0..40 {
        bench.attempt(&one, &FAILURE);
        bench.attempt(&two, &FAILURE);
        bench.pass(0.1);
        if one.account.scope.core().phase == Phase::Open {
            assert!(one.admit(0, bench.now).is_err());
            assert!(two.admit(0, bench.now).is_err());
            return;
        }
    }
    panic!("the upstream is not convicted");
}

#[test]
fn a_model_that_fails_alone_leaves_its_sibling_alone() {
    let mut bench = Bench::new();
    let (bad, good) = (bench.leaf("a", "bad"), bench.leaf("a", "good"));
    for _ in 0..200 {
        bench.attempt(&bad, &FAILURE);
        assert!(bench.attempt(&good, &Outcome::Success).is_some());
        bench.pass(0.05);
    }
    assert_eq!(bad.account.scope.core().phase, Phase::Closed);
}

#[test]
fn answers_from_before_a_trip_weigh_nothing() {
    let mut bench = Bench::new();
    let leaf = bench.leaf("a", "m");
    let early: Vec<Permit> = (0..20).map(|_| leaf.admit(0, bench.now).unwrap()).collect();
    bench.trip(&leaf, &FAILURE);
    let epoch = leaf.scope.core().epoch;
    for permit in early {
        permit.finish(&FAILURE, bench.now);
    }
    assert_eq!(leaf.scope.core().epoch, epoch);
    assert!(leaf.scope.score(leaf.epoch.tick(bench.now)) <= f32::EPSILON);
}

#[test]
fn a_rate_limit_gates_its_key_and_model_only_and_trips_nothing() {
    let bench = Bench::new();
    let leaf = bench
        .health
        .leaf(&UpstreamId::from("a"), &Arc::from("m"), 2);
    let sibling = bench
        .health
        .leaf(&UpstreamId::from("a"), &Arc::from("n"), 2);
    let limited = Outcome::RateLimited {
        retry_after: Some(Duration::from_secs(30)),
    };
    leaf.admit(0, bench.now)
        .unwrap()
        .finish(&limited, bench.now);
    let refusal = leaf.admit(0, bench.now).unwrap_err();
    assert_eq!(refusal.gated_by, Some(Reason::RateLimit));
    assert!(leaf.admit(1, bench.now).is_ok());
    assert!(sibling.admit(0, bench.now).is_ok());
    assert!(leaf.admit(0, bench.now + Duration::from_secs(31)).is_ok());
}

#[test]
fn a_refused_key_is_gated_for_all_models_and_never_for_good() {
    let mut bench = Bench::new();
    let (leaf, sibling) = (bench.leaf("a", "m"), bench.leaf("a", "n"));
    leaf.admit(0, bench.now)
        .unwrap()
        .finish(&Outcome::Unauthorized { status: 401 }, bench.now);
    assert_eq!(
        sibling.admit(0, bench.now).unwrap_err().gated_by,
        Some(Reason::Credential)
    );
    bench.pass(61.0);
    assert!(sibling.admit(0, bench.now).is_ok());
}

#[test]
fn several_upstreams_that_vanish_at_once_are_not_to_blame() {
    let mut bench = Bench::new();
    let (a, b) = (bench.leaf("a", "m"), bench.leaf("b", "m"));
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
fn upstreams_that_refuse_were_reached() {
    let mut bench = Bench::new();
    let (a, b) = (bench.leaf("a", "m"), bench.leaf("b", "m"));
    let refused = Outcome::Unreachable(Unreachable::Refused);
    bench.trip(&a, &refused);
    bench.trip(&b, &refused);
    assert!(!bench.health.is_network_lost());
    assert_eq!(bench.health.to_probe().len(), 2);
    let a_id = UpstreamId::from("a");
    bench.pass(5.0);
    assert!(a.admit(0, bench.now).is_err());
    bench.health.probed(&a_id, bench.now);
    assert!(a.admit(0, bench.now).is_ok_and(|permit| permit.is_trial()));
}

/// After Envoy's `EjectTimeBackoff`: each relapse doubles the pause, and health is forgiven step by step.
#[test]
fn each_relapse_doubles_the_pause_and_minutes_of_health_forgive_it() {
    let mut bench = Bench::new();
    let leaf = bench.leaf("a", "m");
    // Plenty of traffic: the first pause is two seconds, the longest thirty.
    for _ in 0..600 {
        bench.attempt(&leaf, &Outcome::Success);
        bench.pass(0.1);
    }
    let mut levels = Vec::new();
    bench.trip(&leaf, &FAILURE);
    for _ in 0..5 {
        let core = leaf.scope.core();
        let pause = leaf.epoch.tick(bench.now).seconds_until(core.until);
        levels.push((core.level, pause));
        bench.pass(f64::from(pause) + 0.1);
        bench.attempt(&leaf, &FAILURE);
    }
    for (index, (level, pause)) in levels.iter().enumerate() {
        assert_eq!(*level as usize, index + 1);
        let nominal = (2.0f32 * 2f32.powi(index as i32)).min(30.0);
        assert!(
            (nominal * 0.7..=nominal * 1.3).contains(pause),
            "{levels:?}"
        );
    }
    // Healthy for minutes, it is forgiven as many levels.
    while bench.phase(&leaf) != Phase::Closed {
        bench.pass(0.2);
        bench.attempt(&leaf, &Outcome::Success);
    }
    let before = leaf.scope.core().level;
    bench.pass(185.0);
    bench.trip(&leaf, &FAILURE);
    assert_eq!(leaf.scope.core().level, before - 3 + 1);
}

/// After linkerd's `slow_healthy_probe_reopens` and resilience4j's lost half-open calls: a trial without a verdict is
/// handed on, and a late one still counts.
#[test]
fn a_trial_that_is_lost_is_handed_on() {
    let mut bench = Bench::new();
    let leaf = bench.leaf("a", "m");
    bench.trip(&leaf, &FAILURE);
    while leaf.admit(0, bench.now).is_err() {
        bench.pass(1.0);
    }
    let lost = leaf.admit(0, bench.now).unwrap();
    assert!(lost.is_trial());
    assert!(leaf.admit(0, bench.now).is_err());
    bench.pass(36.0);
    let next = leaf.admit(0, bench.now).unwrap();
    assert!(next.is_trial());
    drop((lost, next));
    assert_eq!(leaf.scope.trials(), 0);
}

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

/// After LiteLLM's issue of 25 errors in a row that stayed in rotation.
#[test]
fn errors_in_a_row_never_stay_in_rotation() {
    for rate in [0.02, 0.2, 5.0, 500.0] {
        let mut bench = Bench::new();
        let leaf = bench.leaf("a", "m");
        let mut failures = 0;
        while bench.attempt(&leaf, &FAILURE).is_some() {
            failures += 1;
            bench.pass(1.0 / rate);
            assert!(failures <= 12, "at {rate}/s");
        }
    }
}

proptest! {
    #[test]
    fn the_score_is_finite_and_never_rises_without_a_failure(
        history in proptest::collection::vec((outcomes(), 0.0..5.0f64), 1..200),
    ) {
        let mut bench = Bench::new();
        let leaf = bench.leaf("a", "m");
        for (outcome, pause) in history {
            bench.pass(pause);
            let tick = leaf.epoch.tick(bench.now);
            let (before, epoch) = (leaf.scope.score(tick), leaf.scope.core().epoch);
            bench.attempt(&leaf, &outcome);
            let after = leaf.scope.score(tick);
            prop_assert!(after.is_finite() && after >= 0.0);
            if !outcome.hurts_health() && leaf.scope.core().epoch == epoch {
                prop_assert!(after <= before + 1e-4, "{before} {after}");
            }
        }
    }

    #[test]
    fn what_is_no_sign_of_health_changes_nothing(count in 1usize..100, gone in any::<bool>()) {
        let mut bench = Bench::new();
        let leaf = bench.leaf("a", "m");
        let outcome = if gone { Outcome::ClientGone } else { Outcome::RejectedRequest { status: 422 } };
        for _ in 0..count {
            prop_assert!(bench.attempt(&leaf, &outcome).is_some_and(|changes| changes.is_empty()));
            bench.pass(0.01);
        }
        prop_assert_eq!(bench.phase(&leaf), Phase::Closed);
    }

    #[test]
    fn trials_are_few_and_their_places_come_back(
        endings in proptest::collection::vec((0usize..8, prop_oneof![Just(0), Just(1), Just(2)]), 1..60),
    ) {
        let mut bench = Bench::new();
        let leaf = bench.leaf("a", "m");
        bench.trip(&leaf, &FAILURE);
        let mut permits: Vec<Permit> = Vec::new();
        for (index, ending) in endings {
            bench.pass(3.0);
            if let Ok(permit) = leaf.admit(0, bench.now) {
                permits.push(permit);
            }
            prop_assert!(leaf.scope.trials() <= 4);
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
        prop_assert_eq!(leaf.scope.trials(), 0);
        prop_assert_eq!(leaf.account.scope.trials(), 0);
    }

    #[test]
    fn whatever_is_open_is_tried_again_in_time(
        failures in proptest::collection::vec(prop_oneof![Just(FAILURE), Just(Outcome::TimedOut(Stage::FirstToken))], 1..8),
    ) {
        let mut bench = Bench::new();
        let leaf = bench.leaf("a", "m");
        bench.trip(&leaf, &FAILURE);
        for outcome in failures {
            // The longest pause is two minutes at the thinnest traffic, and a fifth more.
            let mut waited = 0.0;
            while leaf.admit(0, bench.now).is_err() {
                bench.pass(1.0);
                waited += 1.0;
                prop_assert!(waited <= 146.0);
            }
            bench.attempt(&leaf, &outcome);
        }
    }
}
