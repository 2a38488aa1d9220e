//! What the word of another replica does here, and what it does not.

use std::sync::Arc;
use std::time::Duration;

use super::{Bench, FAILURE, LIMITED};
use crate::health::{CooldownReason, ModelHealth, Phase, SharedCooldown, SharedScope};
use crate::outcome::Outcome;

/// The scope of a model, as replicas share it.
fn shared(bench: &Bench, model: &Arc<ModelHealth>) -> Option<SharedScope> {
    let mut found = None;
    bench.health.each_shared(&mut |scope, name| {
        if scope.id() == *model.id() && name.is_none() {
            found = Some(scope.clone());
        }
    });
    found
}

#[test]
fn the_next_failure_of_our_own_is_enough_unless_one_of_us_has_succeeded() {
    for (succeeds_first, is_out) in [(false, true), (true, false)] {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        shared(&bench, &model).unwrap().doubt("failures", bench.now);
        assert_eq!(bench.phase(&model), Phase::Closed);
        bench.pass(3.0);
        for _ in 0..if succeeds_first { 3 } else { 0 } {
            bench.attempt(&model, &Outcome::Success);
        }
        bench.attempt(&model, &FAILURE);
        assert_eq!(bench.phase(&model).is_out(), is_out, "{succeeds_first}");
    }
}

#[test]
fn what_others_said_is_not_told_on_but_our_own_finding_is() {
    let mut bench = Bench::new();
    let (ours, theirs) = (bench.model("a", "m"), bench.model("b", "m"));
    bench.trip(&ours, &FAILURE);
    let shared_by_us = shared(&bench, &theirs).unwrap();
    assert!(shared_by_us.open_as_told("failures", bench.now).is_some());
    assert!(
        shared_by_us.open_as_told("failures", bench.now).is_none(),
        "it is out"
    );
    let finding = |model| shared(&bench, model).unwrap().own_finding(bench.now);
    let own = finding(&ours).unwrap();
    assert_eq!((own.cause, own.has_healed), ("failures", false));
    assert_eq!(finding(&theirs), None);
    // Tried by another in vain, it stays what it was.
    for (model, is_own) in [(&ours, true), (&theirs, false)] {
        assert!(
            shared(&bench, model)
                .unwrap()
                .put_off(2, bench.now)
                .is_some()
        );
        assert_eq!(finding(model).is_some(), is_own);
    }
    for model in [&ours, &theirs] {
        assert_eq!(
            shared(&bench, model).unwrap().heal_as_told(bench.now).len(),
            1
        );
        assert_eq!(bench.phase(model), Phase::SlowStart);
        assert_eq!(finding(model), None);
    }
}

#[test]
fn what_we_have_healed_ourselves_is_told_for_a_while() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    while bench.phase(&model) != Phase::SlowStart {
        let permit = bench.probe(&model);
        bench.end(permit, &Outcome::Success);
    }
    let finding = |bench: &Bench| shared(bench, &model).unwrap().own_finding(bench.now);
    assert!(finding(&bench).is_some_and(|finding| finding.has_healed));
    bench.pass(6.0);
    assert_eq!(finding(&bench), None);
}

#[test]
fn a_cooldown_of_another_holds_here_within_bounds_and_is_not_told_on() {
    let mut bench = Bench::new();
    let (ours, theirs) = (bench.model("a", "m"), bench.model("b", "m"));
    bench.attempt(&ours, &LIMITED);
    let of = |model| shared(&bench, model).unwrap();
    let shared_by_us: Vec<SharedCooldown> = of(&ours).own_cooldowns(bench.now).collect();
    assert_eq!(shared_by_us.len(), 1);
    of(&theirs).cool_down(shared_by_us[0], bench.now);
    assert!(theirs.admit(0, bench.now).is_err());
    assert_eq!(of(&theirs).own_cooldowns(bench.now).count(), 0);
    let absurd = SharedCooldown {
        key: 0,
        reason: CooldownReason::RateLimit,
        left: Duration::from_secs(1 << 40),
    };
    of(&theirs).cool_down(absurd, bench.now);
    of(&theirs).cool_down(SharedCooldown { key: 9, ..absurd }, bench.now);
    bench.pass(121.0);
    assert!(theirs.admit(0, bench.now).is_ok());
}

#[test]
fn a_scope_is_tried_by_whoever_is_agreed_upon() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.health.fleet_probes().share(true);
    bench.trip(&model, &FAILURE);
    bench.pass(f64::from(bench.pause(&model)) + 0.1);
    let scope = shared(&bench, &model).unwrap();
    assert!(model.admit(0, bench.now).is_err());
    assert!(scope.wants_probe(bench.now));
    scope.settle_probe(false, Duration::from_secs(1), bench.now);
    assert!(model.admit(0, bench.now).is_err() && !scope.wants_probe(bench.now));
    scope.settle_probe(true, Duration::from_secs(9), bench.now);
    let permit = model.admit(0, bench.now).unwrap();
    assert!(permit.is_probe() && scope.is_trying(bench.now));
    assert!(!scope.end_fleet_probe(bench.now));
    bench.end(permit, &FAILURE);
    assert!(scope.end_fleet_probe(bench.now) && !scope.has_probe(bench.now));
}

#[test]
fn a_name_behind_a_pattern_is_a_scope_of_its_own() {
    let bench = Bench::new();
    let all = bench.model("a", "*");
    all.of_name("gpt");
    let mut names = Vec::new();
    bench.health.each_shared(&mut |scope, name| {
        names.push((scope.id().model.is_some(), name.map(str::to_owned)));
    });
    let name = Some("gpt".to_owned());
    assert_eq!(names, [(false, None), (true, None), (true, name)]);
}
