//! A model that rejects requests which others take.

use super::{Bench, FAILURE};
use crate::health::Phase;
use crate::outcome::Outcome;

const REJECTED: Outcome = Outcome::RejectedRequest { status: 400 };

#[test]
fn an_outage_that_answers_400_takes_the_model_out_once_others_take_the_same() {
    let mut bench = Bench::new();
    let (model, sibling) = (bench.model("a", "m"), bench.model("a", "other"));
    for _ in 0..50 {
        bench.warm(&model, 5.0, 1);
        bench.warm(&sibling, 5.0, 1);
    }
    let mut rejections = 0;
    while bench.attempt(&model, &REJECTED).is_some() {
        rejections += 1;
        assert!(rejections < 15, "it stays in rotation");
        if model.rejects_unusually(bench.now) {
            model.refuted(bench.now);
        }
        bench.warm(&sibling, 5.0, 1);
    }
    assert!(rejections >= 3);
    assert!(!sibling.rejects_unusually(bench.now));
    assert!(sibling.admit(0, bench.now).is_ok());
    assert!(model.odds(bench.now) < 0.3);
}

#[test]
fn without_a_refutation_rejections_trip_nothing() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    for _ in 0..500 {
        assert!(bench.attempt(&model, &REJECTED).unwrap().is_empty());
        bench.pass(0.2);
    }
    assert!(model.rejects_unusually(bench.now));
}

#[test]
fn a_half_open_model_that_still_rejects_opens_again() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    let probe = bench.probe(&model);
    bench.end(probe, &REJECTED);
    assert_eq!(bench.phase(&model), Phase::HalfOpen);
    model.refuted(bench.now);
    assert_eq!(bench.phase(&model), Phase::Open);
}
