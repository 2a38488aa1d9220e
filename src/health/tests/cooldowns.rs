//! Attempts that overlap a cooldown: none of them ends it sooner.

use std::sync::Arc;
use std::time::Duration;

use super::{Bench, LIMITED};
use crate::health::{ModelHealth, Permit};
use crate::outcome::Outcome;

fn limited(seconds: u64) -> Outcome {
    Outcome::RateLimited {
        status: 429,
        retry_after: Some(Duration::from_secs(seconds)),
        is_daily: false,
    }
}

#[test]
fn what_began_before_a_cooldown_neither_shortens_nor_ends_it() {
    for later in [limited(1), Outcome::Success] {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        model.demanded(bench.now);
        let first = model.admit(0, bench.now).unwrap();
        let second = model.admit(0, bench.now).unwrap();
        bench.end(first, &limited(30));
        bench.end(second, &later);
        bench.pass(5.0);
        assert!(model.admit(0, bench.now).is_err(), "{later:?}");
        bench.pass(26.0);
        assert!(model.admit(0, bench.now).is_ok(), "{later:?}");
    }
}

#[test]
fn an_upstream_that_asks_for_a_wait_is_left_alone_with_all_its_keys() {
    let mut bench = Bench::new();
    let model = bench.health.model(&"a".into(), &"m".into(), 3);
    let refused = model.admit(2, bench.now).unwrap();
    bench.end(refused, &Outcome::Unauthorized { status: 403 });
    let overloaded = Outcome::Overloaded {
        status: 503,
        retry_after: Some(Duration::from_secs(4)),
    };
    let first = model.admit(0, bench.now).unwrap();
    bench.end(first, &overloaded);
    bench.pass(3.0);
    assert!((0..3).all(|key| model.admit(key, bench.now).is_err()));
    bench.pass(1.5);
    // The one that was refused is so still.
    let is_admitted = [0, 1, 2].map(|key| model.admit(key, bench.now).is_ok());
    assert_eq!(is_admitted, [true, true, false]);
}

/// How long a key that fails is left alone, in whole seconds.
fn blocked_for(bench: &Bench, model: &Arc<ModelHealth>) -> Option<u64> {
    let until = model.blocked_until(0, bench.now)?;
    Some(until.duration_since(bench.now).as_secs_f32().round() as u64)
}

/// Begins so many attempts, and ends them all a moment later.
fn round(bench: &mut Bench, model: &Arc<ModelHealth>, size: usize, outcome: &Outcome) {
    let permits: Vec<Permit> = (0..size)
        .filter_map(|_| model.admit(0, bench.now).ok())
        .collect();
    assert_eq!(permits.len(), size);
    for permit in permits {
        bench.pass(0.02);
        bench.end(permit, outcome);
    }
}

#[test]
fn refusals_of_the_same_round_count_once() {
    for (outcome, lengths) in [
        (Outcome::Unauthorized { status: 401 }, [60, 600, 1200]),
        (Outcome::Unauthorized { status: 403 }, [60, 600, 1200]),
        (Outcome::QuotaExhausted { status: 429 }, [600, 1200, 2400]),
        (LIMITED, [1, 2, 4]),
    ] {
        let mut bench = Bench::new();
        let model = bench.model("a", "m");
        for length in lengths {
            round(&mut bench, &model, 10, &outcome);
            assert_eq!(blocked_for(&bench, &model), Some(length), "{outcome}");
            bench.pass(length as f64 + 1.0);
        }
    }
}

#[test]
fn refusals_of_the_same_round_that_come_when_the_cooldown_is_over_begin_no_other() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    let late = model.admit(0, bench.now).unwrap();
    round(&mut bench, &model, 2, &LIMITED);
    bench.pass(20.0);
    bench.end(late, &LIMITED);
    assert!(model.admit(0, bench.now).is_ok());
}

#[test]
fn a_limit_of_one_request_a_second_lets_one_request_a_second_through() {
    let mut bench = Bench::new();
    let model = bench.model("a", "m");
    let (start, mut answered) = (bench.now, 0);
    while bench.now - start < Duration::from_secs(15) {
        let permits: Vec<Permit> = (0..8)
            .filter_map(|_| model.admit(0, bench.now).ok())
            .collect();
        bench.pass(0.05);
        for (index, permit) in permits.into_iter().enumerate() {
            // The one that passes is the first, one in the middle or the last.
            let passes = index == answered % 8;
            let outcome = if passes { Outcome::Success } else { LIMITED };
            bench.end(permit, &outcome);
        }
        answered += usize::from(model.blocked_until(0, bench.now).is_some());
        bench.pass(0.05);
    }
    assert!(answered >= 10, "{answered}");
}
