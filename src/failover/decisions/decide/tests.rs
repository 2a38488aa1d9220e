//! Tables of situations, and what follows from them.

mod again;
mod at_once;
mod turns;

use std::time::Duration;

use tokio::time::Instant;

use super::{
    BEYOND_DOUBT, Choice, Door, ENOUGH, InFlight, Next, Situation, StartReason, Tried, calls_until,
    next,
};
use crate::failover::decisions::budget::{Expense, Tokens};

const WELL: Choice = Choice {
    tried: Tried::Not,
    door: Door::Open,
    odds: 0.8,
    needs: None,
    is_tried_elsewhere: false,
};
const GONE: Choice = Choice {
    tried: Tried::No,
    ..WELL
};
const DEAD: Choice = Choice {
    door: Door::Out { is_fresh: false },
    odds: 0.02,
    ..WELL
};
const SHUT: Choice = Choice {
    door: Door::Shut,
    ..WELL
};
const JUST_DEAD: Choice = Choice {
    door: Door::Out { is_fresh: true },
    ..DEAD
};
/// It is likely to be dead, but nobody knows yet.
const DOUBTFUL: Choice = Choice { odds: 0.1, ..DEAD };
const FLAKY: Choice = Choice { odds: 0.6, ..DEAD };

/// A request that came `at(0)`, as it looks to the rules.
struct Scene {
    start: Instant,
}

impl Scene {
    fn at(&self, seconds: f64) -> Instant {
        self.start + Duration::from_secs_f64(seconds)
    }

    fn failed(&self, calls: u32, odds: f32) -> Choice {
        self.tried(calls, odds, false)
    }

    /// It did not look at the request.
    fn unread(&self, calls: u32, odds: f32) -> Choice {
        self.tried(calls, odds, true)
    }

    fn tried(&self, calls: u32, odds: f32, is_unread: bool) -> Choice {
        let not_before = self.start;
        Choice {
            tried: Tried::Again {
                calls,
                not_before,
                is_unread,
            },
            odds,
            ..WELL
        }
    }

    fn limited(&self, seconds: f64) -> Choice {
        let until = self.at(seconds);
        Choice {
            door: Door::CoolingDown { until },
            ..WELL
        }
    }

    fn now<'a>(&self, choices: &'a [Choice]) -> Situation<'a> {
        Situation {
            now: self.at(1.0),
            until: self.at(600.0),
            patience: None,
            wait_until: self.at(11.0),
            choices,
            started: choices.iter().filter(|it| it.tried != Tried::Not).count(),
            last_start: self.at(0.0),
            last_took: Duration::ZERO,
            in_flight: InFlight::default(),
            tokens: Tokens::FULL,
            has_turn: false,
        }
    }
}

fn scene() -> Scene {
    Scene {
        start: Instant::now(),
    }
}

fn starts(choice: usize, reason: StartReason) -> impl Fn(Next) -> bool {
    move |next| matches!(next, Next::Start { choice: it, reason: why, .. } if (it, why) == (choice, reason))
}

#[test]
fn everybody_is_asked_once_in_order_before_anybody_is_asked_again() {
    use StartReason::{Again, LastResort, Next as InTurn};
    let scene = scene();
    let failed = scene.failed(1, 0.9);
    for (choices, choice, reason) in [
        (&[WELL, WELL][..], 0, InTurn),
        (&[DEAD, WELL], 1, InTurn),
        (&[FLAKY, WELL], 1, InTurn),
        (&[failed, GONE, scene.limited(2.0), WELL], 3, InTurn),
        (&[failed, GONE, DEAD], 0, Again),
        (&[scene.failed(1, 0.4), scene.failed(1, 0.5)], 1, Again),
        (&[scene.failed(2, 0.5), scene.failed(1, 0.5)], 1, Again),
        (&[scene.failed(1, 0.4), FLAKY], 1, LastResort),
        (&[DEAD, JUST_DEAD, FLAKY], 2, LastResort),
        // Nobody has been asked, so somebody is, in spite of everything.
        (&[DEAD], 0, LastResort),
        (&[scene.limited(60.0), DEAD], 1, LastResort),
        // The request would fail without it.
        (&[GONE, DOUBTFUL], 1, LastResort),
        (&[GONE, GONE, DEAD, DOUBTFUL], 3, LastResort),
        (&[scene.failed(9, 0.9), GONE, DOUBTFUL], 2, LastResort),
    ] {
        let next = next(&scene.now(choices));
        assert!(starts(choice, reason)(next), "{choices:?}: {next:?}");
    }
}

#[test]
fn who_can_be_of_no_use_is_not_asked() {
    let scene = scene();
    for choices in [
        &[][..],
        &[GONE],
        &[GONE, scene.limited(60.0)],
        &[GONE, DEAD],
        &[SHUT],
        &[GONE, SHUT],
    ] {
        assert_eq!(next(&scene.now(choices)), Next::Done, "{choices:?}");
    }
}

#[test]
fn how_often_somebody_is_asked_follows_from_the_odds() {
    assert_eq!(
        [0.9, 0.7, 0.5, 0.3, 0.15].map(|odds| calls_until(ENOUGH, odds)),
        [3, 5, 8, 15, 33]
    );
    let scene = scene();
    for (calls, odds, is_asked) in [
        (4, 0.7, true),
        (5, 0.7, false),
        (7, 0.5, true),
        (8, 0.5, false),
        (1, 0.16, true),
        (1, 0.14, false),
    ] {
        let choices = [scene.failed(calls, odds)];
        let next = next(&scene.now(&choices));
        let asks = starts(0, StartReason::Again)(next);
        assert_eq!(asks, is_asked, "{calls} calls at {odds}: {next:?}");
    }
}

#[test]
fn a_request_waits_for_what_may_help_soon_and_for_nothing_else() {
    let scene = scene();
    let queue = |seconds| Next::Queue {
        opens_at: scene.at(seconds),
    };
    for (choices, expected) in [
        (&[scene.limited(3.0), scene.limited(2.0)][..], queue(2.0)),
        (&[GONE, scene.limited(2.0)], queue(2.0)),
        (&[SHUT, scene.limited(2.0)], queue(2.0)),
        (&[DEAD, JUST_DEAD], queue(1.0)),
        (&[scene.failed(9, 0.1)], queue(1.0)),
        (&[GONE, scene.limited(12.0)], Next::Done),
    ] {
        assert_eq!(next(&scene.now(choices)), expected, "{choices:?}");
    }
    let limited = [scene.limited(5.0)];
    let impatient = Situation {
        until: scene.at(4.0),
        ..scene.now(&limited)
    };
    assert_eq!(next(&impatient), Next::Done);
}

#[test]
fn a_request_that_fails_where_others_are_answered_does_not_wait() {
    let scene = scene();
    let queue = Next::Queue {
        opens_at: scene.at(1.0),
    };
    let spent = |odds| scene.failed(calls_until(BEYOND_DOUBT, odds), odds);
    let unlucky = |odds| scene.failed(calls_until(ENOUGH, odds), odds);
    for (choices, expected) in [
        (&[spent(0.98)][..], Next::Done),
        (&[spent(0.5), spent(0.9)], Next::Done),
        (&[spent(0.2)], Next::Done),
        // One of some hundred requests has so much bad luck.
        (&[unlucky(0.7)], queue),
        (&[unlucky(0.98)], queue),
        // It may be down.
        (&[spent(0.9), scene.failed(6, 0.14)], queue),
        (&[spent(0.9), JUST_DEAD], queue),
        // It has not looked at the request.
        (&[scene.unread(9, 0.98)], queue),
        (
            &[spent(0.9), scene.limited(2.0)],
            Next::Queue {
                opens_at: scene.at(2.0),
            },
        ),
    ] {
        let situation = scene.now(choices);
        assert_eq!(next(&situation), expected, "{choices:?}");
        let with_turn = Situation {
            has_turn: true,
            ..situation
        };
        let is_asked = matches!(next(&with_turn), Next::Start { .. });
        let is_cooling = matches!(
            choices,
            [
                ..,
                Choice {
                    door: Door::CoolingDown { .. },
                    ..
                }
            ]
        );
        assert_eq!(
            is_asked,
            expected != Next::Done && !is_cooling,
            "{choices:?}"
        );
    }
}

#[test]
fn the_first_failover_is_free_and_the_next_ones_cost_the_time_that_was_lost() {
    let scene = scene();
    let failed = scene.failed(1, 0.9);
    let expense = |choices: &[Choice], seconds: f64| {
        let situation = Situation {
            last_took: Duration::from_secs_f64(seconds),
            ..scene.now(choices)
        };
        match next(&situation) {
            Next::Start { expense, .. } => expense.map(|expense| expense.tokens),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(expense(&[WELL], 0.0), None);
    assert_eq!(expense(&[failed, WELL], 30.0), None);
    assert_eq!(expense(&[failed, failed, WELL], 0.0), Some(0.0));
    assert_eq!(expense(&[failed, failed, WELL], 5.0), Some(0.5));
    assert_eq!(expense(&[failed, failed, WELL], 60.0), Some(1.0));
    assert_eq!(expense(&[failed, GONE], 0.0), Some(0.1));
    assert_eq!(expense(&[FLAKY], 0.0), None);
    assert_eq!(expense(&[DEAD], 0.0), None);
    assert_eq!(expense(&[GONE, DOUBTFUL], 0.0), Some(1.0));
}

#[test]
fn without_tokens_nobody_is_asked_again_except_in_turn() {
    let scene = scene();
    let choices = [scene.failed(1, 0.9), GONE];
    let mut situation = Situation {
        tokens: Tokens {
            retries: 0.05,
            paid: 0.0,
        },
        ..scene.now(&choices)
    };
    assert!(matches!(next(&situation), Next::Queue { .. }));
    situation.has_turn = true;
    assert!(starts(0, StartReason::Again)(next(&situation)));
}

#[test]
fn a_second_attempt_starts_when_the_first_is_lost_or_late_or_the_client_impatient() {
    let scene = scene();
    let choices = [GONE, WELL];
    let beside = |is_lost_cause, is_late, patience: Option<f64>| {
        next(&Situation {
            in_flight: InFlight {
                count: 1,
                is_lost_cause,
                is_late,
            },
            patience: patience.map(|seconds| scene.at(seconds)),
            ..scene.now(&choices)
        })
    };
    let wait = |seconds: Option<f64>| Next::Await {
        alarm: seconds.map(|seconds| scene.at(seconds)),
    };
    assert_eq!(beside(false, false, None), wait(None));
    assert!(starts(1, StartReason::Ejected)(beside(true, false, None)));
    assert!(starts(1, StartReason::Late)(beside(false, true, None)));
    // Nothing is known of the other, so it gets half of the time.
    assert_eq!(beside(false, false, Some(5.0)), wait(Some(2.5)));
    assert!(starts(1, StartReason::Impatient)(beside(
        false,
        false,
        Some(2.0)
    )));
}

#[test]
fn the_time_is_shared_among_those_who_are_left() {
    let scene = scene();
    let fast = Choice {
        needs: Some(Duration::from_millis(400)),
        ..WELL
    };
    for (choices, expected) in [
        (&[GONE, WELL, WELL][..], 4.0),
        (&[GONE, GONE, WELL], 6.0),
        (&[GONE, fast], 11.4),
        (&[GONE, fast, fast], 10.8),
        (&[GONE, scene.failed(1, 0.9)], 11.8),
    ] {
        let situation = Situation {
            in_flight: InFlight {
                count: 1,
                ..InFlight::default()
            },
            patience: Some(scene.at(12.0)),
            ..scene.now(choices)
        };
        let Next::Await { alarm: Some(alarm) } = next(&situation) else {
            panic!("{choices:?}");
        };
        let seen = alarm.saturating_duration_since(scene.start).as_secs_f64();
        assert!((seen - expected).abs() < 0.01, "{choices:?}: {seen}");
    }
}

#[test]
fn who_waits_for_an_upstream_that_went_out_is_asked_elsewhere_for_nothing_once() {
    let scene = scene();
    let choices = [GONE, WELL];
    let lost = |started| Situation {
        in_flight: InFlight {
            count: 1,
            is_lost_cause: true,
            is_late: false,
        },
        started,
        tokens: Tokens {
            retries: 0.0,
            paid: 0.0,
        },
        ..scene.now(&choices)
    };
    assert!(starts(1, StartReason::Ejected)(next(&lost(1))));
    assert_eq!(next(&lost(2)), Next::Await { alarm: None });
}

#[test]
fn what_runs_beside_another_attempt_is_paid_and_no_more_than_three_run() {
    let scene = scene();
    let choices = [GONE, WELL];
    let mut situation = Situation {
        in_flight: InFlight {
            count: 1,
            is_lost_cause: false,
            is_late: true,
        },
        ..scene.now(&choices)
    };
    let Next::Start { expense, .. } = next(&situation) else {
        panic!("nothing starts");
    };
    assert_eq!(expense, Some(Expense::PAID));
    situation.tokens.paid = 0.9;
    assert_eq!(next(&situation), Next::Await { alarm: None });
    situation.tokens.paid = 10.0;
    situation.in_flight.count = 3;
    assert_eq!(next(&situation), Next::Await { alarm: None });
}
