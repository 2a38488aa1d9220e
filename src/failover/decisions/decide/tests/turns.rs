//! What a request does that the queue has given a turn.

use super::{JUST_DEAD, scene, starts};
use crate::failover::decisions::decide::{Choice, Next, Situation, StartReason, next};

#[test]
fn a_turn_is_for_trying_what_is_unlikely_but_not_for_breaking_a_cooldown() {
    let scene = scene();
    let with_turn = |choices: &[Choice]| {
        next(&Situation {
            has_turn: true,
            ..scene.now(choices)
        })
    };
    assert!(starts(0, StartReason::LastResort)(with_turn(&[JUST_DEAD])));
    assert!(starts(0, StartReason::Again)(with_turn(&[
        scene.failed(9, 0.1)
    ])));
    assert!(matches!(
        with_turn(&[scene.limited(2.0)]),
        Next::Queue { .. }
    ));
}

#[test]
fn what_another_replica_tries_is_waited_for_and_not_tried_in_turn() {
    let scene = scene();
    let elsewhere = Choice {
        is_tried_elsewhere: true,
        ..JUST_DEAD
    };
    let with_turn = |choices: &[Choice]| {
        next(&Situation {
            has_turn: true,
            ..scene.now(choices)
        })
    };
    assert!(matches!(with_turn(&[elsewhere]), Next::Queue { .. }));
    let is_second = starts(1, StartReason::LastResort);
    assert!(is_second(with_turn(&[elsewhere, JUST_DEAD])));
    // It is waited for no more, and nobody has been asked.
    let choices = [elsewhere];
    let too_late = Situation {
        wait_until: scene.start,
        started: 0,
        ..scene.now(&choices)
    };
    assert!(starts(0, StartReason::LastResort)(next(&too_late)));
}
