//! Every interleaving of two threads on one scope (loom).

use std::sync::Arc;

use super::evidence::Evidence;
use super::scope::{Admission, Scope};
use super::time::Tick;
use super::packed::Phase;

const NOW: Tick = Tick(1_000_000);

#[test]
fn two_threads_that_trip_at_once_make_one_transition() {
    loom::model(|| {
        let scope = Arc::new(Scope::new());
        let other = Arc::clone(&scope);
        let thread = loom::thread::spawn(move || other.trip(0, Evidence::Failure, NOW, 0.5));
        let here = scope.trip(0, Evidence::Connection, NOW, 0.5);
        let there = thread.join().unwrap();
        assert!(here ^ there);
        let core = scope.core();
        assert_eq!((core.phase, core.level, core.epoch), (Phase::Open, 1, 1));
    });
}

#[test]
fn two_threads_get_one_trial() {
    loom::model(|| {
        let scope = Arc::new(Scope::new());
        scope.trip(0, Evidence::Failure, NOW, 0.5);
        let later = scope.core().until;
        let ask = move |scope: &Scope| {
            scope.admit(later, 0.5) == Admission::Probe && scope.begin_probe(later)
        };
        let other = Arc::clone(&scope);
        let thread = loom::thread::spawn(move || ask(&other));
        let here = ask(&scope);
        let there = thread.join().unwrap();
        // Both may see the pause end; the places are counted once it has.
        assert!(here || there);
        assert!(scope.probes() <= 1 + u32::from(here && there));
        assert_eq!(scope.core().phase, Phase::HalfOpen);
    });
}

#[test]
fn a_probe_that_ends_twice_at_once_is_counted_once_each_way() {
    loom::model(|| {
        let scope = Arc::new(Scope::new());
        scope.trip(0, Evidence::Failure, NOW, 0.5);
        let later = scope.core().until;
        assert_eq!(scope.admit(later, 0.5), Admission::Probe);
        assert!(scope.begin_probe(later));
        let epoch = scope.core().epoch;
        let other = Arc::clone(&scope);
        let thread = loom::thread::spawn(move || other.succeed_probe(epoch, later));
        let has_tripped = scope.trip(epoch, Evidence::Failure, later, 0.5);
        thread.join().unwrap();
        assert!(has_tripped);
        assert_eq!(scope.core().phase, Phase::Open);
        assert_eq!(scope.probes(), 0);
    });
}
