//! What the word of another replica does here, and what it does not.

use std::sync::Arc;
use std::time::Duration;

use super::{Bench, FAILURE, LIMIT, LIMITED, SHAPE};
use crate::config::UpstreamId;
use crate::event::HealthChange;
use crate::health::{
    AdmissionPreview, CooldownReason, ModelHealth, Phase, SharedCooldown, SharedScope,
};
use crate::outcome::Outcome;

/// The scope of a model, as replicas share it.
pub(super) fn shared(bench: &Bench, model: &Arc<ModelHealth>) -> Option<SharedScope> {
    let mut found = None;
    bench.health.each_shared(&mut |scope, name| {
        if scope.id() == *model.id() && name.is_none() {
            found = Some(scope.clone());
        }
    });
    found
}

/// An upstream as a whole, as replicas share it.
fn whole(bench: &Bench, upstream: &str) -> Option<SharedScope> {
    let mut found = None;
    bench.health.each_shared(&mut |scope, _| {
        let id = scope.id();
        if id.model.is_none() && id.upstream.as_ref() == upstream {
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
        shared(&bench, &model)
            .unwrap()
            .doubt("failures", 1, bench.now);
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
fn who_has_believed_that_it_has_healed_knows_it_and_who_has_seen_it_does_not() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    let scope = shared(&bench, &model).unwrap();
    bench.trip(&model, &FAILURE);
    assert!(!scope.has_healed_as_told());
    scope.heal_as_told(bench.now);
    assert!(scope.has_healed_as_told());
    assert!(scope.open_as_told("failures", bench.now).is_some());
    while bench.phase(&model) != Phase::SlowStart {
        let permit = bench.probe(&model);
        bench.end(permit, &Outcome::Success);
    }
    assert!(!scope.has_healed_as_told());
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
        lasts_for: Duration::MAX,
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
    let is_out = |bench: &Bench| {
        let preview = model.preview(0, bench.now);
        matches!(preview, AdmissionPreview::Out { .. })
    };
    assert!(!is_out(&bench), "somebody has to ask");
    scope.settle_probe(false, Duration::from_secs(1), bench.now);
    assert!(model.admit(0, bench.now).is_err() && !scope.wants_probe(bench.now));
    assert!(is_out(&bench), "another one tries it");
    scope.settle_probe(true, Duration::from_secs(9), bench.now);
    let permit = model.admit(0, bench.now).unwrap();
    assert!(permit.is_probe() && scope.is_trying(bench.now));
    assert!(!scope.end_fleet_probe(bench.now));
    bench.end(permit, &FAILURE);
    assert!(scope.end_fleet_probe(bench.now) && !scope.has_probe(bench.now));
}

#[test]
fn until_its_pause_is_over_one_replica_tries_it_in_turns() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    let scope = shared(&bench, &model).unwrap();
    let may_try = |bench: &Bench| model.force_in_turn(0, bench.now).is_some();
    assert!(may_try(&bench), "alone");
    bench.health.fleet_probes().share(true);
    assert!(!may_try(&bench) && scope.wants_probe(bench.now));
    scope.settle_probe(false, Duration::from_secs(1), bench.now);
    assert!(!may_try(&bench) && model.is_tried_elsewhere(bench.now));
    scope.end_pause(bench.now);
    assert!(may_try(&bench) && !model.is_tried_elsewhere(bench.now));
}

#[test]
fn whose_requests_try_it_in_turns_keeps_the_right_to_until_they_do_no_more() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.health.fleet_probes().share(true);
    bench.trip(&model, &FAILURE);
    let scope = shared(&bench, &model).unwrap();
    for level in 2..=5 {
        assert!(scope.put_off(level, bench.now).is_some(), "a long pause");
    }
    scope.settle_probe(true, Duration::from_secs(9), bench.now);
    for _ in 0..2 {
        assert!(model.force_in_turn(0, bench.now).is_some());
        bench.pass(2.0);
        assert!(!scope.end_fleet_probe(bench.now));
    }
    bench.pass(1.1);
    assert!(scope.end_fleet_probe(bench.now));
}

#[test]
fn that_it_has_answered_a_trial_is_told() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    let scope = shared(&bench, &model).unwrap();
    let has_answered = |bench: &Bench| scope.own_finding(bench.now).unwrap().has_answered;
    assert!(!has_answered(&bench));
    let mut forced = model.force_in_turn(0, bench.now).unwrap();
    forced.answered(SHAPE, LIMIT, bench.now);
    assert!(has_answered(&bench));
}

#[test]
fn whoever_follows_a_trial_of_another_pauses_no_shorter_than_usual() {
    let bench = Bench::new();
    for _ in 0..20 {
        let model = bench.model("a", "m");
        let scope = shared(&bench, &model).unwrap();
        scope.open_as_told("failures", bench.now);
        scope.put_off(9, bench.now);
        // Of a scope that nobody asks for: 20 s at first, then twice as long.
        assert!(bench.pause(&model) > 39.9, "{}", bench.pause(&model));
        scope.heal_as_told(bench.now);
    }
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

#[test]
fn a_word_weighs_half_of_what_it_takes_two_more_and_nearly_all_where_nobody_asks() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.warm(&model, 10.0, 300);
    let scope = shared(&bench, &model).unwrap();
    let enough = model.scope().threshold();
    let score = scope.doubt("failures", 1, bench.now);
    assert!((score - enough / 2.0).abs() < 0.1, "{score} of {enough}");
    let score = scope.doubt("failures", 2, bench.now);
    let our_part = enough - score;
    assert!((our_part - 3.3).abs() < 0.1, "{score} of {enough}");
    bench.pass(11.0);
    let enough = model.scope().next_threshold(model.epoch.tick(bench.now));
    let score = scope.doubt("failures", 1, bench.now);
    assert!((score - (enough - 1.4)).abs() < 0.1, "{score} of {enough}");
}

#[test]
fn our_own_word_takes_three_requests_where_there_are_some() {
    for (rate, seconds) in [(0.5, 6.0), (10.0, 1.0)] {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        bench.warm(&model, rate, 60);
        let scope = shared(&bench, &model).unwrap();
        let within = |bench: &Bench| scope.standing(bench.now).own_word_within.as_secs_f32();
        assert!((within(&bench) - seconds).abs() < 0.5, "{}", within(&bench));
        bench.pass(11.0);
        assert_eq!(within(&bench), 0.0, "nobody asks");
    }
}

#[test]
fn what_another_could_not_connect_to_is_checked_and_out_if_we_cannot_either() {
    for is_reached in [true, false] {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        bench.warm(&model, 1.0, 10);
        let id = UpstreamId::from("a");
        assert!(bench.health.not_reached(&id, bench.now).is_none());
        shared(&bench, &model)
            .unwrap()
            .doubt("connection", 1, bench.now);
        whole(&bench, "a").unwrap().doubt("failures", 1, bench.now);
        assert_eq!(bench.health.to_check(), [], "that is no connection's");
        whole(&bench, "a")
            .unwrap()
            .doubt("connection", 1, bench.now);
        assert_eq!(bench.health.to_check(), std::slice::from_ref(&id));
        if is_reached {
            bench.health.health_checked(&id, bench.now);
            assert_eq!(bench.health.to_check(), []);
        } else {
            let change = bench.health.not_reached(&id, bench.now);
            assert!(matches!(change, Some(HealthChange::Opened { .. })));
        }
        assert!(bench.health.not_reached(&id, bench.now).is_none());
        assert_eq!(model.is_out(), !is_reached);
    }
}

#[test]
fn if_we_reach_nobody_our_own_network_is_lost_and_that_is_told_once() {
    let bench = Bench::new();
    let ids = ["a", "b", "c"].map(UpstreamId::from);
    let models = ["a", "b", "c"].map(|upstream| bench.model(upstream, "m"));
    let lost = ids.each_ref().map(|id| {
        whole(&bench, id.as_ref())
            .unwrap()
            .doubt("connection", 1, bench.now);
        let change = bench.health.not_reached(id, bench.now);
        matches!(change, Some(HealthChange::NetworkLost))
    });
    assert_eq!(lost, [false, true, false]);
    assert!(models.iter().all(|model| !model.is_out()));
}

#[test]
fn what_another_was_told_of_a_rate_limit_is_shown_and_not_told_on() {
    let bench = Bench::new();
    let (ours, theirs) = (bench.model("a", "m"), bench.model("b", "m"));
    let permit = ours.admit(0, bench.now).unwrap();
    permit.rate_limit(50, Some(100), Duration::from_secs(1), bench.now);
    let of = |model| shared(&bench, model).unwrap();
    let limits: Vec<_> = of(&ours).own_rate_limits(bench.now).collect();
    assert_eq!(limits.len(), 1);
    of(&theirs).allow(limits[0], bench.now);
    assert_eq!(of(&theirs).own_rate_limits(bench.now).count(), 0);
    let shown = bench.health.view(bench.now).remove(3).rate_limits;
    assert_eq!(shown, limits);
}

#[test]
fn what_is_ours_to_try_or_has_failed_no_more_often_there_is_not_put_off() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    let scope = shared(&bench, &model).unwrap();
    assert!(
        scope.put_off(1, bench.now).is_none(),
        "that often here, too"
    );
    scope.settle_probe(true, Duration::from_secs(9), bench.now);
    assert!(scope.put_off(2, bench.now).is_none());
    scope.settle_probe(false, Duration::from_secs(9), bench.now);
    assert!(scope.put_off(2, bench.now).is_some());
}

#[test]
fn it_is_agreed_upon_before_the_pause_is_over_where_somebody_asks() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.health.fleet_probes().share(true);
    let scope = shared(&bench, &model).unwrap();
    assert!(!scope.wants_probe(bench.now), "it is closed");
    bench.trip(&model, &FAILURE);
    let mut level = 1;
    while bench.pause(&model) < 35.0 {
        level += 1;
        assert!(scope.put_off(level, bench.now).is_some());
    }
    model.demanded(bench.now);
    assert!(!scope.wants_probe(bench.now), "there is time");
    bench.pass(f64::from(bench.pause(&model)) - 0.2);
    assert!(!scope.wants_probe(bench.now), "nobody asks");
    model.demanded(bench.now);
    assert!(scope.wants_probe(bench.now));
    scope.settle_probe(false, Duration::from_secs(9), bench.now);
    assert!(!scope.wants_probe(bench.now), "it is agreed");
}

#[test]
fn one_tries_it_while_a_request_of_its_own_does() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.health.fleet_probes().share(true);
    bench.trip(&model, &FAILURE);
    let scope = shared(&bench, &model).unwrap();
    let is_trying = |bench: &Bench| scope.is_trying(bench.now);
    scope.settle_probe(true, Duration::from_secs(200), bench.now);
    assert!(!is_trying(&bench), "it is not due");
    let probe = bench.probe(&model);
    assert!(is_trying(&bench));
    scope.settle_probe(false, Duration::from_secs(9), bench.now);
    assert!(!is_trying(&bench), "that is another's");
    scope.settle_probe(true, Duration::from_secs(9), bench.now);
    drop(probe);
    assert!(!is_trying(&bench));
}

#[test]
fn what_others_have_taken_out_is_out_for_their_reason() {
    let bench = Bench::new();
    let model = bench.model("a", "m");
    let scope = shared(&bench, &model).unwrap();
    assert!(scope.open_as_told("timeouts", bench.now).is_some());
    assert_eq!(model.scope().core().cause.label(), "timeouts");
}
