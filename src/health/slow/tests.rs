//! Tests of what is usual, and of what is slow.

use std::time::Duration;

use super::{Baseline, Baselines, Prior, Shape, Silence, moments, survival};

const LIMIT: Duration = Duration::from_secs(30);
const STREAM: Shape = Shape {
    is_streamed: true,
    size: 100,
};
const WHOLE: Shape = Shape {
    is_streamed: false,
    size: 100,
};

fn near(a: f32, b: f32) -> bool {
    (a - b).abs() < 0.003
}

#[test]
fn each_kind_of_request_has_a_baseline_of_its_own() {
    let sizes = [4096, 4097, 65_537];
    let shape = |is_streamed| move |size| Shape { is_streamed, size };
    let streams = sizes.map(shape(true)).map(Shape::index);
    let wholes = sizes.map(shape(false)).map(Shape::index);
    assert_eq!((streams, wholes), ([0, 1, 2], [3, 4, 5]));
    assert_eq!(Shape::HANDSHAKE.index(), 6);
}

/// A baseline of logarithms, which are half the one and half the other.
fn learnt(baseline: &Baseline, one: f32, other: f32) {
    for _ in 0..15 {
        baseline.learn(one);
        baseline.learn(other);
    }
}

#[test]
fn what_is_expected_lies_between_what_was_and_what_is_known() {
    let baseline = Baseline::default();
    learnt(&baseline, 1.0, 3.0);
    let (mean, deviation) = moments(&baseline);
    assert!(near(mean, 2.0) && near(deviation, 1.0));
    let prior = Prior {
        mean: -1.0,
        deviation: 2.0,
    };
    // A quarter of the one and three quarters of the other, which lie 3 apart.
    let (mean, deviation) = baseline.expected(prior, 15.0);
    assert!(near(mean, 1.25), "{mean}");
    assert!(
        near(deviation * deviation, 1.0 + 0.75 + 0.1875 * 9.0),
        "{deviation}"
    );
}

#[test]
fn the_tail_of_the_normal_distribution_is_as_in_the_tables() {
    for (z, tail) in [(-1.0, 0.8413), (0.0, 0.5), (1.0, 0.1587), (2.0, 0.0228)] {
        assert!((survival(z) - tail).abs() < 0.0003, "{z}");
    }
}

/// The mean is 3, the deviation 2: `e^5` lies one deviation above.
#[test]
fn a_wait_that_was_cut_short_would_have_lasted_longer_but_not_if_it_was_hopeless() {
    let baselines = Baselines::default();
    let baseline = &baselines.0[STREAM.index()];
    learnt(baseline, 1.0, 5.0);
    let mean = || moments(baseline).0;
    let wait = |logarithm: f32| Duration::from_secs_f32(logarithm.exp());
    baselines.learn_longer_than(STREAM, wait(9.2), 0.5);
    assert!(near(mean(), 3.0));
    // Half of the tail of 0.1587 begins 1.44 deviations above the mean.
    baselines.learn_longer_than(STREAM, wait(5.0), 0.5);
    assert!(near(mean(), 3.0 + 2.0 * 1.4405 / 31.0), "{}", mean());
}

#[test]
fn before_anything_is_learnt_nothing_is_slow() {
    let baselines = Baselines::default();
    assert_eq!(baselines.slow_after(STREAM, LIMIT), None);
    assert_eq!(baselines.slow_after(WHOLE, LIMIT), None);
}

#[test]
fn what_is_always_slow_is_normal_within_the_time_limit() {
    for (usual, limit) in [(18, 30), (95, 180), (29, 30)] {
        let (usual, limit) = (Duration::from_secs(usual), Duration::from_secs(limit));
        let baselines = Baselines::default();
        for _ in 0..100 {
            baselines.learn(STREAM, usual, limit);
        }
        assert_eq!(baselines.slow_after(STREAM, limit), Some(limit));
        assert!(baselines.waited_in_vain(STREAM, (usual / 2).into(), limit) < 0.5);
    }
}

/// Baselines of an upstream whose first tokens take 0.4 to 1.6 s.
fn fast() -> Baselines {
    let baselines = Baselines::default();
    for step in 0..500 {
        let factor = [0.5, 0.7, 1.0, 1.4, 2.0][step % 5];
        baselines.learn(STREAM, Duration::from_secs_f32(0.8 * factor), LIMIT);
    }
    baselines
}

#[test]
fn the_longer_a_wait_in_vain_the_more_it_says() {
    let weights = |baselines: &Baselines| {
        [0.3, 0.9, 1.5, 3.0, 5.0, 20.0].map(|seconds| {
            baselines.waited_in_vain(STREAM, Duration::from_secs_f32(seconds).into(), LIMIT)
        })
    };
    for baselines in [fast(), Baselines::default()] {
        let weights = weights(&baselines);
        assert_eq!(weights[..2], [0.0, 0.0]);
        assert!(weights.is_sorted(), "{weights:?}");
        assert!(weights[5] > 3.3 && weights[5] <= 3.4, "{weights:?}");
    }
    // Who is known to be fast is known to be broken sooner.
    assert!(weights(&fast())[4] > 3.3);
    assert!((1.2..2.0).contains(&weights(&Baselines::default())[4]));
}

#[test]
fn impatient_clients_say_nothing_against_a_healthy_upstream() {
    let mut random = fastrand::Rng::with_seed(3);
    // The median is 3 s: of the most impatient ones four of five get no answer.
    for patience in [1.5, 2.0, 3.0, 5.0, 8.0] {
        let baselines = Baselines::default();
        let (mut sum, mut late) = (0.0, 0.0);
        for request in 0..4000 {
            let (u, v) = (random.f32().max(1e-9), random.f32());
            let normal = (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos();
            let takes = 3.0 * (0.8 * normal).exp();
            let wait = Duration::from_secs_f32(takes.min(patience));
            let weight = if takes < patience {
                baselines.learn(STREAM, wait, LIMIT);
                -0.305
            } else {
                let weight = baselines.waited_in_vain(STREAM, wait.into(), LIMIT);
                baselines.learn_longer_than(STREAM, wait, random.f32());
                weight
            };
            sum += if request < 1000 { 0.0 } else { weight };
            late += f32::from(u8::from(takes >= patience));
        }
        assert!(sum < 0.0, "{patience}: {sum} after {late} of 4000");
    }
}

#[test]
fn a_fast_upstream_counts_as_slow_earlier_than_a_slow_one() {
    let learnt = |seconds: f32| {
        let baselines = Baselines::default();
        for step in 0..200 {
            let factor = 1.0 + 0.1 * (step % 5) as f32;
            baselines.learn(
                STREAM,
                Duration::from_secs_f32(seconds * factor),
                LIMIT * 10,
            );
        }
        baselines
            .slow_after(STREAM, LIMIT * 10)
            .unwrap()
            .as_secs_f32()
    };
    assert!((learnt(0.2) - 4.0).abs() < 0.01);
    assert!((5.0..8.0).contains(&learnt(1.7)), "{}", learnt(1.7));
}

#[test]
fn who_is_silent_while_another_one_answers_is_suspected_sooner() {
    let baselines = Baselines::default();
    let waited = Duration::from_millis(2500);
    let alone = Silence::from(waited);
    let beside = |rival| Silence {
        rival: Some(rival),
        ..alone
    };
    let weight = |silence| baselines.waited_in_vain(WHOLE, silence, LIMIT * 4);
    assert!(weight(alone) < 0.5, "{}", weight(alone));
    let fast = weight(beside(Duration::from_millis(20)));
    assert!((2.0..3.4).contains(&fast), "{fast}");
    let slow = weight(beside(Duration::from_millis(2400)));
    assert!(slow < 1.0, "{slow}");
}

/// Mean 1 and deviation 1 of the logarithm: `e^(1 + 1.645)` seconds.
#[test]
fn a_hedged_request_starts_when_nineteen_of_twenty_are_answered() {
    let baselines = Baselines::default();
    assert_eq!(baselines.late_after(STREAM), None);
    for number in 0..30_u8 {
        assert_eq!(baselines.late_after(STREAM), None, "{number}");
        let logarithm = if number % 2 == 0 { 0.0_f32 } else { 2.0 };
        let took = Duration::from_secs_f32(logarithm.exp());
        baselines.learn(STREAM, took, LIMIT);
    }
    let late_after = baselines.late_after(STREAM).unwrap();
    assert!(
        (late_after.as_secs_f32() - 14.08).abs() < 0.2,
        "{late_after:?}"
    );
    assert_eq!(baselines.late_after(WHOLE), None);
}
