//! Tests of single changes of state.

use super::{Core, Evidence, HIGHEST_LEVEL, Phase, Scope, Tick, pause};

const NOW: Tick = Tick(1_000_000);

fn open(evidence: Evidence) -> Scope {
    let scope = Scope::new();
    assert!(scope.trip(scope.core().epoch, evidence, NOW, 0.5));
    scope
}

#[test]
fn the_pause_doubles_within_bounds_that_follow_the_traffic() {
    let of_failures = |level, rate, jitter| pause(Evidence::Failure, level, rate, jitter);
    for (level, rate, jitter, expected) in [
        (0, 0.5, 0.5, 4.0),
        (0, 0.5, 0.0, 3.2),
        (0, 0.5, 1.0, 4.8),
        (3, 1.0, 0.5, 16.0),
        (6, 1.0, 0.5, 30.0),
        (0, 0.05, 0.5, 20.0),
        (6, 0.05, 0.5, 120.0),
    ] {
        let seconds = of_failures(level, rate, jitter);
        assert!(
            (seconds - expected).abs() < 0.01,
            "{level} {rate}: {seconds}"
        );
    }
    assert_eq!(pause(Evidence::Connection, 0, 1.0, 0.5), 300.0);
}

#[test]
fn a_probe_of_another_state_heals_nothing() {
    let scope = open(Evidence::Failure);
    let later = NOW.plus(60.0);
    scope.begin_probes(later);
    let Core { epoch, .. } = scope.core();
    assert!(scope.begin_probe(later));
    assert!(!scope.succeed_probe(epoch + 1, later));
    assert_eq!(scope.core().good, 0);
    while !scope.succeed_probe(epoch, later) {
        assert!(scope.core().good < 5);
    }
    assert_ne!(scope.core().epoch, epoch);
}

#[test]
fn who_is_released_is_closed_but_watched() {
    let scope = open(Evidence::Failure);
    let Core { epoch, .. } = scope.core();
    assert!(scope.release(NOW));
    assert_eq!(scope.core().phase, Phase::Closed);
    assert_ne!(scope.core().epoch, epoch);
    assert!((scope.score(NOW) - scope.threshold() / 2.0).abs() < 0.01);
    assert!(!scope.release(NOW), "there is nothing to release");
}

#[test]
fn a_trial_of_another_puts_the_next_one_off_by_a_level() {
    let closed = Scope::new();
    assert!(!closed.put_off(3, NOW, 0.5));
    let scope = open(Evidence::Failure);
    let Core { epoch, .. } = scope.core();
    assert!(!scope.put_off(1, NOW, 0.5), "it has failed alike");
    scope.force();
    let later = NOW.plus(9.0);
    assert!(scope.put_off(5, later, 0.5));
    let core = scope.core();
    assert_eq!((core.phase, core.level), (Phase::Open, 2));
    assert!(core.until > later.plus(1.0) && !core.is_forced);
    assert_ne!(core.epoch, epoch);
    scope.begin_probes(NOW.plus(100.0));
    assert!(scope.put_off(5, NOW.plus(100.0), 0.5));
    assert_eq!((scope.core().phase, scope.core().level), (Phase::Open, 3));
}

/// Each puts the other off by its own trial, and neither does so again because it was put off.
#[test]
fn at_the_highest_level_a_trial_of_another_puts_off_only_what_would_follow_soon() {
    let scope = open(Evidence::Failure);
    for _ in 1..HIGHEST_LEVEL {
        assert!(scope.put_off(HIGHEST_LEVEL, NOW, 0.0));
    }
    assert_eq!(scope.core().level, HIGHEST_LEVEL);
    assert!(
        !scope.put_off(HIGHEST_LEVEL, NOW, 0.5),
        "the pause has just begun"
    );
    let half = NOW.seconds_until(scope.core().until) / 2.0;
    assert!(scope.put_off(HIGHEST_LEVEL, NOW.plus(half), 0.5));
}

#[test]
fn what_another_has_healed_begins_its_slow_start() {
    assert!(!Scope::new().heal(NOW, 0.5));
    let scope = open(Evidence::Failure);
    let Core { epoch, .. } = scope.core();
    assert!(scope.heal(NOW.plus(1.0), 0.5));
    assert_eq!(scope.core().phase, Phase::SlowStart);
    assert_ne!(scope.core().epoch, epoch);
}

#[test]
fn only_what_was_asked_while_it_was_open_brings_it_back() {
    let closed = Scope::new();
    closed.force();
    assert!(!closed.core().is_forced);
    for evidence in [Evidence::Failure, Evidence::BrokenStream] {
        let scope = open(evidence);
        let Core { epoch, .. } = scope.core();
        assert!(!scope.revive(epoch, NOW), "nobody has asked");
        scope.force();
        assert!(!scope.revive(epoch + 1, NOW), "that was before");
        let is_proof = evidence == Evidence::Failure;
        assert_eq!(scope.revive(epoch, NOW), is_proof);
        assert_eq!(scope.core().phase == Phase::HalfOpen, is_proof);
    }
}

#[test]
fn a_health_check_ends_only_the_pause_after_lost_connections() {
    assert!(!Scope::new().shorten(NOW));
    assert!(!open(Evidence::Failure).shorten(NOW));
    let scope = open(Evidence::Connection);
    assert!(scope.shorten(NOW));
    assert_eq!(scope.core().until, NOW);
    assert!(!scope.shorten(NOW), "it is over");
}

#[test]
fn what_has_answered_another_may_be_tried_at_once_whatever_took_it_out() {
    assert!(!Scope::new().end_pause(NOW));
    for evidence in [Evidence::Failure, Evidence::Connection] {
        let scope = open(evidence);
        assert!(scope.end_pause(NOW));
        assert_eq!((scope.core().phase, scope.core().until), (Phase::Open, NOW));
        assert!(!scope.end_pause(NOW), "it is over");
    }
}

#[test]
fn a_trip_that_is_undone_leaves_no_trace() {
    let scope = open(Evidence::Connection);
    let Core { epoch, level, .. } = scope.core();
    scope.undo_trip(NOW.plus(5.0), 10.0);
    let Core {
        phase, level: now, ..
    } = scope.core();
    assert_eq!((phase, now), (Phase::Closed, level - 1));
    assert_ne!(scope.core().epoch, epoch);

    let failing = open(Evidence::Failure);
    for (scope, later, is_kept) in [
        (&failing, 5.0, false),
        (&failing, 50.0, true),
        (&Scope::new(), 50.0, false),
    ] {
        scope.set_score(2.0, NOW.plus(later));
        scope.undo_trip(NOW.plus(later), 10.0);
        let score = scope.score(NOW.plus(later));
        assert_eq!(score > 1.0, is_kept, "{later}");
    }
    assert_eq!(failing.core().phase, Phase::Open);
}
#[test]
fn at_the_highest_level_only_what_is_being_tried_is_put_off_again() {
    let scope = open(Evidence::Failure);
    while scope.core().level < 6 {
        assert!(scope.put_off(6, NOW, 0.5));
    }
    assert!(!scope.put_off(6, NOW, 0.5), "that is known");
    let later = NOW.plus(200.0);
    scope.begin_probes(later);
    assert!(scope.begin_probe(later));
    assert!(!scope.succeed_probe(scope.core().epoch, later));
    assert!(!scope.put_off(5, later, 0.5), "that is less");
    assert_eq!(scope.core().phase, Phase::HalfOpen);
    assert!(scope.put_off(6, later, 0.5));
    let core = scope.core();
    assert_eq!((core.phase, core.level, core.good), (Phase::Open, 6, 0));
}

#[test]
fn each_minute_of_health_takes_one_level_back() {
    for (seconds, level) in [(0.0, 5), (150.0, 3), (900.0, 1)] {
        let scope = open(Evidence::Failure);
        while scope.core().level < 4 {
            assert!(scope.put_off(4, NOW, 0.5));
        }
        assert!(scope.release(NOW));
        let (epoch, later) = (scope.core().epoch, NOW.plus(seconds));
        assert!(!scope.trip(epoch + 1, Evidence::Failure, later, 0.5));
        assert!(scope.trip(epoch, Evidence::Failure, later, 0.5));
        assert_eq!(scope.core().level, level, "{seconds}");
    }
}
