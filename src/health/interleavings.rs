//! Every interleaving of two threads on one scope, tried by loom.

use std::sync::Arc;

use super::admission::Admission;
use super::evidence::Evidence;
use super::packed::Phase;
use super::scope::Scope;
use super::time::Tick;

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
fn two_threads_get_one_probe() {
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
        // Both may end the pause, which sets the count of probes to zero.
        assert!(here || there);
        assert!(scope.probes() <= 1 + u32::from(here && there));
        assert_eq!(scope.core().phase, Phase::HalfOpen);
    });
}

#[test]
fn of_a_success_and_a_trip_at_once_the_trip_remains() {
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
