//! What is decided without a look at all candidates is what would be decided with it.

use std::time::Duration;

use super::{DEAD, DOUBTFUL, FLAKY, GONE, JUST_DEAD, SHUT, Scene, WELL, scene};
use crate::failover::decisions::budget::Tokens;
use crate::failover::decisions::decide::{Choice, InFlight, Situation, at_once, next};

fn choice(scene: &Scene, random: &mut fastrand::Rng) -> Choice {
    match random.u8(..9) {
        0 => GONE,
        1 => DEAD,
        2 => SHUT,
        3 => JUST_DEAD,
        4 => DOUBTFUL,
        5 => FLAKY,
        6 => scene.failed(random.u32(1..4), random.f32()),
        7 => scene.limited(2.0),
        _ => WELL,
    }
}

#[test]
fn the_first_candidate_is_asked_whoever_the_others_are() {
    let scene = scene();
    let mut random = fastrand::Rng::with_seed(7);
    let mut decided = 0;
    for round in 0..20_000 {
        let count = random.usize(..5);
        let choices: Vec<Choice> = (0..count).map(|_| choice(&scene, &mut random)).collect();
        let full = Situation {
            until: scene.at(if random.u8(..8) == 0 { 0.5 } else { 600.0 }),
            patience: random.bool().then(|| scene.at(20.0)),
            last_took: Duration::from_secs(random.u64(..20)),
            started: random.usize(..4),
            in_flight: InFlight {
                count: random.usize(..3),
                is_lost_cause: random.u8(..4) == 0,
                is_late: random.u8(..4) == 0,
            },
            tokens: match random.bool() {
                true => Tokens::FULL,
                false => Tokens {
                    retries: 0.0,
                    paid: 0.0,
                },
            },
            has_turn: random.bool(),
            ..scene.now(&choices)
        };
        let untried = || choices.iter().position(Choice::is_left);
        let blind = Situation {
            choices: &[],
            ..full.clone()
        };
        if let Some(at_once) = at_once(&blind, untried) {
            assert_eq!(at_once, next(&full), "round {round}: {full:?}");
            decided += 1;
        }
    }
    assert!(decided > 5_000, "{decided}");
}
