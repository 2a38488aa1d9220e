//! What operators take out by hand.

use std::time::Duration;

use super::{Bench, FAILURE};
use crate::config::UpstreamId;
use crate::health::{AdmissionPreview, Phase};

#[test]
fn what_is_taken_out_gets_nothing_until_it_is_put_back() {
    let mut bench = Bench::new();
    let (id, unknown) = (UpstreamId::from("a"), UpstreamId::from("b"));
    bench.health.adopt([(id.clone(), 1)].into());
    let model = bench.model("a", "m");
    assert_eq!(bench.health.take_out(&unknown, bench.now), None);
    assert_eq!(bench.health.take_out(&id, bench.now), Some(true));
    assert_eq!(bench.health.take_out(&id, bench.now), Some(false));
    assert!(bench.health.is_taken_out(&id) && model.is_taken_out());
    bench.pass(5.0);
    let refusal = model.admit(0, bench.now).unwrap_err();
    assert!(refusal.is_taken_out && refusal.forbids_last_resort());
    let AdmissionPreview::TakenOut { since } = model.preview(0, bench.now) else {
        panic!("{:?}", model.preview(0, bench.now));
    };
    let shown = bench.health.view(bench.now).remove(0).taken_out_for;
    for out_for in [Some(since), shown] {
        let off = out_for.unwrap().abs_diff(Duration::from_secs(5));
        assert!(off < Duration::from_millis(50), "{out_for:?}");
    }
    assert_eq!(bench.health.put_back(&id), Some(true));
    assert_eq!(bench.health.put_back(&id), Some(false));
    assert!(!bench.health.is_taken_out(&id) && model.admit(0, bench.now).is_ok());
}

#[test]
fn its_circuit_breaker_goes_on_where_it_was() {
    let mut bench = Bench::new();
    let id = UpstreamId::from("a");
    bench.health.adopt([(id.clone(), 1)].into());
    let model = bench.model("a", "m");
    bench.trip(&model, &FAILURE);
    bench.health.take_out(&id, bench.now);
    bench.health.put_back(&id);
    assert_eq!(bench.phase(&model), Phase::Open);
}
