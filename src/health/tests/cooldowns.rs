//! Attempts that overlap a cooldown: none of them ends it sooner.

use std::time::Duration;

use super::Bench;
use crate::outcome::Outcome;

fn limited(seconds: u64) -> Outcome {
    Outcome::RateLimited {
        retry_after: Some(Duration::from_secs(seconds)),
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
