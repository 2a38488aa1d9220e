//! After bugs of LLM proxies and of a circuit breaker for Java.

use std::sync::Arc;

use crate::config::UpstreamId;
use crate::health::tests::{Bench, FAILURE, LIMITED};
use crate::health::{CooldownReason, Phase};
use crate::outcome::Outcome;

/// After LiteLLM's issue of 25 errors in a row that stayed in rotation.
#[test]
fn errors_in_a_row_never_stay_in_rotation() {
    for rate in [0.02, 0.2, 5.0, 500.0] {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        let mut failures = 0;
        while bench.attempt(&model, &FAILURE).is_some() {
            failures += 1;
            bench.pass(1.0 / rate);
            assert!(failures <= 12, "at {rate}/s");
        }
    }
}

/// After LiteLLM's issue 37592: an account without money was called over and over, because its 402, or 400, cooled
/// nothing down. Here its key cools down, and that is no evidence; the upstream's other key stays in use.
#[test]
fn an_account_without_money_cools_down_and_is_no_evidence() {
    let mut bench = Bench::new();
    let id = UpstreamId::from("a");
    let [model, sibling] = ["m", "n"].map(|model| bench.health.model(&id, &Arc::from(model), 2));
    let mut calls = 0;
    for _ in 0..1000 {
        model.demanded(bench.now);
        if let Ok(permit) = model.admit(0, bench.now) {
            calls += 1;
            assert!(
                bench
                    .end(permit, &Outcome::QuotaExhausted { status: 429 })
                    .is_empty()
            );
        }
        assert!(bench.score(&model) <= f32::EPSILON);
        bench.pass(1.0);
    }
    // The first one, and one after ten minutes.
    assert_eq!(calls, 2);
    assert_eq!(bench.phase(&model), Phase::Closed);
    for model in [&model, &sibling] {
        let refusal = model.admit(0, bench.now).unwrap_err();
        assert_eq!(refusal.cooldown_reason, Some(CooldownReason::Quota));
        assert!(model.admit(1, bench.now).is_ok());
    }
}

/// After resilience4j's issues 544 and 935: calls that were ignored or lost never ended as probes, until no other one
/// was admitted and the breaker stayed half-open for ever.
#[test]
fn probes_that_are_ignored_or_lost_end() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    for round in 0..20 {
        for outcome in [
            Outcome::RejectedRequest { status: 422 },
            Outcome::ClientGone,
            Outcome::Superseded,
            LIMITED,
        ] {
            let probe = bench.probe(&model);
            bench.end(probe, &outcome);
            assert_eq!(model.scope().probes(), 0, "{outcome} in round {round}");
        }
        drop(bench.probe(&model));
        assert_eq!(model.scope().probes(), 0, "lost in round {round}");
    }
    assert_eq!(bench.phase(&model), Phase::HalfOpen);
    bench.heal(&model);
}

/// After Olla's circuit breaker, which replaces a stale probe: after a probe that is never heard of again, another one
/// begins.
#[test]
fn a_probe_that_is_lost_is_replaced() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    let lost = bench.probe(&model);
    bench.pass(34.0);
    assert!(model.admit(0, bench.now).is_err());
    bench.pass(2.0);
    let next = model.admit(0, bench.now).unwrap();
    assert!(next.is_probe());
    assert!(model.admit(0, bench.now).is_err());
    drop((lost, next));
    assert_eq!(model.scope().probes(), 0);
}

/// After Olla's circuit breaker, which fences late results off: a late probe of a state that is over neither closes nor
/// trips anything.
#[test]
fn a_late_probe_says_nothing_about_a_later_state() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    let late = [bench.probe(&model), {
        bench.pass(36.0);
        bench.probe(&model)
    }];
    bench.pass(36.0);
    let decisive = bench.probe(&model);
    bench.end(decisive, &FAILURE);
    let core = model.scope().core();
    assert_eq!(core.phase, Phase::Open);
    let [good, bad] = late;
    assert!(bench.end(good, &Outcome::Success).is_empty());
    assert_eq!(model.scope().core(), core);
    let probe = bench.probe(&model);
    let core = model.scope().core();
    assert!(bench.end(bad, &FAILURE).is_empty());
    assert_eq!(model.scope().core(), core);
    assert_eq!(model.scope().probes(), 1);
    drop(probe);
}
