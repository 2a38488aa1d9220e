//! Who is asked again, what that costs, and when it is too late.

use std::time::Duration;

use super::{GONE, WELL, scene, starts};
use crate::failover::decisions::budget::Bucket;
use crate::failover::decisions::decide::{
    Choice, Door, InFlight, Next, Situation, StartReason, Tried, next, pause,
};

#[test]
fn nobody_is_asked_again_before_the_pause_is_over_or_when_time_is_up() {
    let scene = scene();
    let mut choice = scene.failed(1, 0.9);
    choice.tried = Tried::Again {
        calls: 1,
        not_before: scene.at(1.5),
        is_unread: false,
    };
    let choices = [choice];
    let mut situation = scene.now(&choices);
    let until = scene.at(1.5);
    assert_eq!(next(&situation), Next::Pause { until });
    situation.now = until;
    assert!(starts(0, StartReason::Again)(next(&situation)));
    situation.until = until;
    assert_eq!(next(&situation), Next::Done);
    assert!((0..20).all(|n| pause(n, 1.0) <= Duration::from_secs(2)));
    assert_eq!(pause(0, 1.0).as_millis(), 100);
    assert_eq!(pause(3, 0.5).as_millis(), 400);
}

#[test]
fn to_ask_again_costs_a_little_and_the_time_that_was_lost() {
    let scene = scene();
    let choices = [scene.failed(1, 0.9)];
    for (seconds, tokens) in [(0, 0.1), (5, 0.6), (10, 1.1), (60, 1.1)] {
        let last_took = Duration::from_secs(seconds);
        let situation = Situation {
            last_took,
            ..scene.now(&choices)
        };
        let next = next(&situation);
        let Next::Start {
            expense: Some(expense),
            ..
        } = next
        else {
            panic!("{next:?}");
        };
        assert_eq!(expense.bucket, Bucket::Retries);
        assert!((expense.tokens - tokens).abs() < 1e-6, "{expense:?}");
    }
}

#[test]
fn whoever_comes_too_late_is_asked_for_once_and_never_again() {
    let scene = scene();
    let too_late = |choices: &[Choice]| {
        next(&Situation {
            now: scene.at(600.0),
            ..scene.now(choices)
        })
    };
    assert!(starts(0, StartReason::Next)(too_late(&[WELL, WELL])));
    assert_eq!(too_late(&[scene.failed(1, 0.9), WELL]), Next::Done);
}

#[test]
fn beside_an_attempt_that_is_lost_only_somebody_who_may_answer_at_once_is_asked_again() {
    let scene = scene();
    let failed = scene.failed(1, 0.9);
    let later = Choice {
        tried: Tried::Again {
            calls: 1,
            not_before: scene.at(2.0),
            is_unread: false,
        },
        ..failed
    };
    let door = |door| Choice { door, ..failed };
    let until = scene.at(2.0);
    let beside = |choice: Choice| {
        let choices = [GONE, choice];
        next(&Situation {
            in_flight: InFlight {
                count: 1,
                is_lost_cause: true,
                is_late: false,
            },
            ..scene.now(&choices)
        })
    };
    let next = beside(failed);
    assert!(starts(1, StartReason::Ejected)(next), "{next:?}");
    for choice in [
        later,
        door(Door::CoolingDown { until }),
        door(Door::Out { is_fresh: true }),
        door(Door::Shut),
        scene.failed(1, 0.01),
        scene.failed(20, 0.9),
    ] {
        assert_eq!(beside(choice), Next::Await { alarm: None }, "{choice:?}");
    }
}

#[test]
fn nobody_waits_for_what_comes_when_the_time_is_over() {
    let scene = scene();
    for (not_before, is_pause) in [(599.9, true), (600.0, false)] {
        let tried = Tried::Again {
            calls: 1,
            not_before: scene.at(not_before),
            is_unread: false,
        };
        let choices = [Choice { tried, ..WELL }];
        let next = next(&scene.now(&choices));
        assert_eq!(matches!(next, Next::Pause { .. }), is_pause, "{next:?}");
    }
    for (opens, is_queue) in [(10.9, true), (11.0, false)] {
        let choices = [GONE, scene.limited(opens)];
        let next = next(&scene.now(&choices));
        assert_eq!(matches!(next, Next::Queue { .. }), is_queue, "{next:?}");
    }
}
