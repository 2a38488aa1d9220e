//! What others are told of a model: whether it is out of rotation, for how long, and what a request would be answered.

use std::sync::Arc;
use std::time::Duration;

use super::{Bench, FAILURE, LIMIT, LIMITED, REFUSED, SHAPE, TIMEOUT};
use crate::event::HealthChange;
use crate::health::preview::AdmissionPreview;
use crate::health::{ModelHealth, Phase};
use crate::outcome::{Outcome, Unreachable};

fn near(took: Option<Duration>, seconds: f32) -> bool {
    took.is_some_and(|took| (took.as_secs_f32() - seconds).abs() < 0.25)
}

/// A model that was asked often, so that its pauses are short.
fn busy(bench: &mut Bench) -> Arc<ModelHealth> {
    let model = bench.model("a", "m");
    bench.warm(&model, 10.0, 600);
    model
}

#[test]
fn one_is_out_from_its_trip_until_it_heals_and_contagious_only_by_some_causes() {
    for (outcome, is_contagious) in [(FAILURE, true), (REFUSED, true), (TIMEOUT, false)] {
        let mut bench = Bench::new();
        let model = busy(&mut bench);
        let standing = |bench: &Bench| {
            let out_for = model.out_for(bench.now);
            assert_eq!(model.is_out(), out_for.is_some(), "{outcome}");
            (model.is_out(), model.has_failed(), model.fraction())
        };
        assert_eq!(standing(&bench), (false, false, 1.0), "{outcome}");
        bench.trip(&model, &outcome);
        bench.pass(5.0);
        assert_eq!(standing(&bench), (true, is_contagious, 0.0), "{outcome}");
        assert!(near(model.out_for(bench.now), 5.1), "{outcome}");
        bench.heal(&model);
        assert_eq!(standing(&bench), (false, false, 1.0), "{outcome}");
    }
}

#[test]
fn one_that_fails_or_recovers_shows_nobody_what_is_usual() {
    let mut bench = Bench::new();
    let model = busy(&mut bench);
    let is_well = |bench: &Bench| model.is_well(model.epoch.tick(bench.now));
    assert!(is_well(&bench));
    bench.attempt(&model, &FAILURE);
    assert!(is_well(&bench), "one failure is nothing");
    while bench.score(&model) < 0.5 * model.scope().threshold() {
        bench.attempt(&model, &FAILURE);
    }
    assert!(!is_well(&bench) && bench.phase(&model) == Phase::Closed);
    bench.trip(&model, &FAILURE);
    bench.pass(600.0);
    assert!(!is_well(&bench), "out of rotation");
    bench.heal(&model);
    bench.pass(600.0);
    assert!(is_well(&bench));
}

#[test]
fn each_attempt_in_flight_makes_the_expected_wait_longer() {
    let mut bench = Bench::new();
    let model = busy(&mut bench);
    for _ in 0..50 {
        let permit = model.admit(0, bench.now).unwrap();
        bench.pass(2.0);
        bench.end(permit, &Outcome::Success);
    }
    let alone = model.load();
    assert!(alone > 0.1, "{alone}");
    let permits = [(); 2].map(|()| model.admit(0, bench.now).unwrap());
    assert!((model.load() - 3.0 * alone).abs() < 0.01 * alone);
    drop(permits);
    assert!((model.load() - alone).abs() < 0.01 * alone);
}

#[test]
fn what_is_slow_is_known_of_a_model_that_has_answered() {
    let mut bench = Bench::new();
    let model = busy(&mut bench);
    let slow_after = model.slow_after(SHAPE, LIMIT).unwrap();
    assert!(slow_after > Duration::ZERO && slow_after < LIMIT);
    assert_eq!(bench.model("b", "m").slow_after(SHAPE, LIMIT), None);
    let late_after = model.late_after(SHAPE).unwrap();
    assert!(late_after > Duration::ZERO && late_after < slow_after);
    assert_eq!(bench.model("b", "m").late_after(SHAPE), None);
}

#[test]
fn a_key_is_blocked_by_its_cooldown_or_by_the_pause_whichever_is_longer_and_then_no_more() {
    let mut bench = Bench::new();
    let model = busy(&mut bench);
    let blocked = |bench: &Bench| {
        let until = model.blocked_until(0, bench.now);
        until.map(|until| until - bench.now)
    };
    assert_eq!(blocked(&bench), None);
    bench.attempt(&model, &LIMITED);
    assert!(near(blocked(&bench), 1.0));
    bench.pass(1.1);
    assert_eq!(blocked(&bench), None);
    bench.trip(&model, &FAILURE);
    let pause = bench.pause(&model);
    assert!(pause > 1.2 && near(blocked(&bench), pause));
    bench.pass(f64::from(pause) + 0.1);
    assert_eq!(blocked(&bench), None, "it is open, but may be asked");
}

#[test]
fn a_preview_tells_what_a_request_would_be_answered() {
    let mut bench = Bench::new();
    let model = busy(&mut bench);
    let preview = |bench: &Bench| model.preview(0, bench.now);
    assert_eq!(preview(&bench), AdmissionPreview::Admitted);
    bench.trip(&model, &FAILURE);
    let AdmissionPreview::Out { cause, out_for, .. } = preview(&bench) else {
        panic!("{:?}", preview(&bench));
    };
    assert!(cause == "failures" && near(Some(out_for), 0.1));
    bench.pass(f64::from(bench.pause(&model)) + 0.1);
    assert_eq!(preview(&bench), AdmissionPreview::HalfOpenProbe);
    let probe = model.admit(0, bench.now).unwrap();
    assert!(probe.is_probe());
    assert!(
        matches!(preview(&bench), AdmissionPreview::Out { .. }),
        "its only probe is in flight"
    );
    drop(probe);
    assert_eq!(preview(&bench), AdmissionPreview::HalfOpenProbe);
}

/// Two models whose upstream is half-open.
fn half_open_upstream(bench: &mut Bench) -> [Arc<ModelHealth>; 2] {
    let models = ["m", "n"].map(|name| bench.model("a", name));
    for model in &models {
        bench.warm(model, 10.0, 300);
    }
    bench.trip(&models[0], &REFUSED);
    bench
        .health
        .health_checked(&models[0].id().upstream, bench.now);
    models
}

#[test]
fn a_model_whose_probe_failed_waits_for_the_probe_of_another_one() {
    for is_first in [true, false] {
        let mut bench = Bench::new();
        let [mut one, mut other] = half_open_upstream(&mut bench);
        if !is_first {
            std::mem::swap(&mut one, &mut other);
        }
        let probe = bench.probe(&one);
        // Nobody believes the model while its probe is in flight, however long that takes.
        bench.pass(9.0);
        bench.end(probe, &FAILURE);
        bench.pass(2.0);
        assert!(matches!(
            one.preview(0, bench.now),
            AdmissionPreview::Out { .. }
        ));
        assert!(one.admit(0, bench.now).is_err());
        assert_eq!(other.preview(0, bench.now), AdmissionPreview::HalfOpenProbe);
        assert!(other.admit(0, bench.now).unwrap().is_probe());
    }
}

#[test]
fn when_the_probes_of_two_models_fail_their_upstream_is_open_again() {
    let mut bench = Bench::new();
    let models = half_open_upstream(&mut bench);
    for (model, phase) in models.iter().zip([Phase::HalfOpen, Phase::Open]) {
        let probe = bench.probe(model);
        bench.end(probe, &FAILURE);
        assert_eq!(model.upstream.scope.core().phase, phase);
    }
}

#[test]
fn a_failed_probe_is_believed_when_no_other_model_is_asked_for() {
    let mut bench = Bench::new();
    let [one, _] = half_open_upstream(&mut bench);
    let probe = bench.probe(&one);
    bench.end(probe, &FAILURE);
    let upstream = &one.upstream.scope;
    bench.pass(9.5);
    assert!(one.admit(0, bench.now).is_err());
    assert_eq!(upstream.core().phase, Phase::HalfOpen);
    bench.pass(1.0);
    assert!(one.admit(0, bench.now).is_err());
    assert_eq!(upstream.core().phase, Phase::Open);
}

#[test]
fn how_long_our_network_has_been_lost_is_known_until_it_is_back() {
    let mut bench = Bench::new();
    let [a, b, c] = ["a", "b", "c"].map(|upstream| bench.model(upstream, "m"));
    assert_eq!(bench.health.network_lost_for(bench.now), None);
    let gone = Outcome::Unreachable(Unreachable::Other);
    bench.attempt(&a, &gone);
    bench.attempt(&b, &gone);
    bench.pass(7.0);
    assert!(bench.health.is_network_lost() && a.is_network_lost());
    assert!(near(bench.health.network_lost_for(bench.now), 7.0));
    for (model, is_cut_off) in [(&a, true), (&b, true), (&c, false)] {
        assert_eq!(near(model.cut_off_for(bench.now), 7.0), is_cut_off);
        assert_eq!(model.odds(bench.now) == 0.0, is_cut_off);
    }
    let back = bench.health.health_checked(&a.id().upstream, bench.now);
    assert!(matches!(back, Some(HealthChange::NetworkBack)));
    assert_eq!(bench.health.network_lost_for(bench.now), None);
    assert_eq!(a.cut_off_for(bench.now), None);
    assert!(a.odds(bench.now) > 0.1);
}

#[test]
fn what_no_route_leads_to_any_more_is_forgotten_and_the_rest_is_not() {
    let mut bench = Bench::new();
    let (gone, kept) = (bench.model("a", "m"), bench.model("b", "m"));
    bench.trip(&gone, &FAILURE);
    bench.trip(&kept, &FAILURE);
    bench.health.forget_unless(|id| id.upstream.as_ref() == "b");
    assert_eq!(bench.phase(&bench.model("a", "m")), Phase::Closed);
    assert_eq!(bench.phase(&bench.model("b", "m")), Phase::Open);
}
