//! Waits that clients cut short.

use std::sync::Arc;
use std::time::Duration;

use super::{Bench, FAILURE, LIMIT, SHAPE};
use crate::health::{ModelHealth, Permit, Phase};
use crate::outcome::Outcome;

impl Bench {
    /// Begins so many attempts, which are all given up after that time. Returns whether a scope has opened.
    fn give_up(&mut self, model: &Arc<ModelHealth>, size: usize, seconds: f64) -> bool {
        let begin = || {
            model.demanded(self.now);
            model.admit(0, self.now).ok()
        };
        let permits: Vec<Permit> = (0..size).filter_map(|_| begin()).collect();
        self.pass(seconds);
        let changes = permits.into_iter().map(|permit| {
            permit.given_up(
                SHAPE,
                LIMIT,
                Duration::from_secs_f64(seconds).into(),
                self.now,
            )
        });
        changes.flatten().count() > 0
    }

    /// Answers so many requests, each after that time.
    fn answer(&mut self, model: &Arc<ModelHealth>, requests: usize, seconds: f64) {
        for _ in 0..requests {
            model.demanded(self.now);
            let permit = model.admit(0, self.now).ok();
            self.pass(seconds);
            assert!(
                permit
                    .map(|permit| self.end(permit, &Outcome::Success))
                    .is_some()
            );
        }
    }
}

#[test]
fn an_upstream_that_hangs_is_found_by_clients_that_wait_five_seconds() {
    for answers in [0, 5, 40, 400] {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        bench.answer(&model, answers, 0.8);
        let has_opened = bench.give_up(&model, 4, 5.0) || bench.give_up(&model, 4, 5.0);
        assert!(has_opened, "after {answers} answers");
        assert!(model.odds(bench.now) < 0.3, "after {answers} answers");
    }
}

#[test]
fn waits_of_less_than_a_second_are_no_evidence_however_many_there_are() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.answer(&model, 40, 0.2);
    for _ in 0..200 {
        assert!(!bench.give_up(&model, 4, 0.9));
    }
    assert!(bench.score(&model) < 0.01);
}

#[test]
fn a_client_that_goes_after_the_first_content_says_nothing() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    for _ in 0..20 {
        let mut permit = model.admit(0, bench.now).unwrap();
        permit.answered(SHAPE, LIMIT, bench.now);
        bench.pass(60.0);
        assert!(
            permit
                .given_up(SHAPE, LIMIT, Duration::from_secs(60).into(), bench.now)
                .is_empty()
        );
    }
    assert_eq!(bench.phase(&model), Phase::Closed);
}

#[test]
fn what_was_counted_as_slow_is_not_counted_again() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.answer(&model, 40, 0.8);
    let mut permit = model.admit(0, bench.now).unwrap();
    bench.pass(5.0);
    permit.slow(bench.now);
    permit.given_up(SHAPE, LIMIT, Duration::from_secs(5).into(), bench.now);
    assert!(
        (3.0..3.5).contains(&bench.score(&model)),
        "{}",
        bench.score(&model)
    );
}

#[test]
fn a_probe_that_is_given_up_has_failed_if_it_waited_for_long() {
    for (seconds, phase) in [(0.5, Phase::HalfOpen), (5.0, Phase::Open)] {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        bench.answer(&model, 40, 0.8);
        bench.trip(&model, &FAILURE);
        let probe = bench.probe(&model);
        bench.pass(seconds);
        probe.given_up(
            SHAPE,
            LIMIT,
            Duration::from_secs_f64(seconds).into(),
            bench.now,
        );
        assert_eq!(bench.phase(&model), phase);
        assert_eq!(model.scope().probes(), 0);
    }
}

#[test]
fn a_probe_that_many_a_healthy_upstream_would_not_have_answered_yet_shows_nothing() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    let probe = bench.probe(&model);
    let waited = Duration::from_millis(1500);
    bench.now += waited;
    let changes = probe.given_up(SHAPE, LIMIT, waited.into(), bench.now);
    assert!(changes.is_empty());
    assert_eq!(bench.phase(&model), Phase::HalfOpen);
}

#[test]
fn an_upstream_that_always_takes_long_serves_and_heals() {
    for (seconds, limit) in [(18.0, 30), (95.0, 180)] {
        let limit = Duration::from_secs(limit);
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        let ask = |bench: &mut Bench| {
            model.demanded(bench.now);
            let mut permit = model.admit(0, bench.now).ok()?;
            let start = bench.now;
            let slow_after = model.slow_after(SHAPE, limit);
            let slow_after = slow_after.filter(|after| after.as_secs_f64() < seconds);
            bench.pass(seconds);
            slow_after.map(|after| permit.slow(start + after));
            permit.answered(SHAPE, limit, bench.now);
            permit.finish(&Outcome::Success, bench.now);
            Some(())
        };
        for _ in 0..100 {
            assert!(ask(&mut bench).is_some());
        }
        bench.trip(&model, &FAILURE);
        for _ in 0..200 {
            if ask(&mut bench).is_none() {
                bench.pass(1.0);
            }
        }
        assert_eq!(bench.phase(&model), Phase::Closed);
    }
}

#[test]
fn only_what_went_out_of_rotation_after_its_start_or_is_slow_is_a_lost_cause() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    let early = model.admit(0, bench.now).unwrap();
    assert!(!early.is_lost_cause());
    bench.trip(&model, &FAILURE);
    assert!(early.is_lost_cause());
    let mut last_resort = model.force(0, bench.now);
    assert!(!last_resort.is_lost_cause());
    last_resort.slow(bench.now);
    assert!(last_resort.is_lost_cause());
    let mut probe = bench.probe(&model);
    assert!(!probe.is_lost_cause());
    probe.slow(bench.now);
    assert!(probe.is_lost_cause());
}

#[test]
fn who_is_unknown_looks_less_loaded_than_who_is_known_until_it_has_enough_to_do() {
    let mut bench = Bench::new();
    let (known, unknown) = (bench.model("a", "m"), bench.model("b", "m"));
    bench.answer(&known, 40, 0.3);
    assert!(unknown.load() < known.load());
    let waiting: Vec<Permit> = (0..10)
        .map(|_| unknown.admit(0, bench.now).unwrap())
        .collect();
    assert!(unknown.load() > known.load());
    drop(waiting);
    bench.answer(&unknown, 1, 0.6);
    assert!(unknown.load() > known.load());
}
