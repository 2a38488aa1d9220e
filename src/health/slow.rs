//! How long a healthy upstream takes to its first token, and from when on a wait is evidence of slowness.
//!
//! The mean and variance of the logarithm of the time are averaged exponentially (α = 0.02) while the scope is healthy.
//! Almost every healthy request gets its first token within `e^μ · max(3, e^{3σ})`, the 99.9th percentile of a
//! log-normal distribution. The time must be learnt, and the percentile must be high: the 97th would eject healthy
//! upstreams dozens of times an hour. What is learnt is normal, however long it is: only the time limit bounds it.
//!
//! A wait that the client cuts short is evidence too, as far as a healthy upstream would have answered by then
//! (`waited_in_vain`).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

const ALPHA: f32 = 0.02;
const EARLIEST: f32 = 4.0;
const ENOUGH: u32 = 30;
const UNKNOWN: f32 = 0.05;
const ENOUGH_WHOLE: u32 = 50;
/// Shorter waits that were cut short are no evidence: people change their minds, and editors cancel.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// No single wait is more evidence than this, in nats: as much as a timeout.
const LONGEST_WAIT: f32 = 3.4;

/// The properties of a request on which its time to the first token depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Whether the answer is streamed; an answer that is not takes as long as all its tokens.
    pub is_streamed: bool,
    /// The size of the request body, in bytes; long prompts take longer.
    pub size: usize,
}

impl Shape {
    /// A handshake, which no model has to answer: its time says nothing about the time of answers.
    pub const HANDSHAKE: Self = Self {
        is_streamed: true,
        size: usize::MAX,
    };

    fn index(self) -> usize {
        if self == Self::HANDSHAKE {
            return 6;
        }
        let bucket = match self.size {
            ..=4096 => 0,
            4097..=65_536 => 1,
            _ => 2,
        };
        bucket + if self.is_streamed { 0 } else { 3 }
    }
}

/// A wait for a first token that somebody has cut short.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    /// How long it was, without the time to send the request.
    pub waited: Duration,
    /// How long another upstream took, which was asked later and answered the same request meanwhile.
    pub rival: Option<Duration>,
}

impl From<Duration> for Silence {
    fn from(waited: Duration) -> Self {
        Self {
            waited,
            rival: None,
        }
    }
}

/// The baselines of one model: one for each kind of request.
#[derive(Debug, Default)]
pub(super) struct Baselines([Baseline; 7]);

#[derive(Debug, Default)]
struct Baseline {
    /// Mean and variance of the logarithm of seconds (f32 each).
    moments: AtomicU64,
    samples: AtomicU32,
}

impl Baselines {
    /// How long a request may wait for its first token before that is evidence of slowness; `None` while too little is
    /// known.
    pub(super) fn slow_after(&self, shape: Shape, limit: Duration) -> Option<Duration> {
        let baseline = self.known(shape)?;
        let seconds = baseline.quantile().max(EARLIEST);
        Some(Duration::from_secs_f32(seconds.min(limit.as_secs_f32())))
    }

    /// The baseline of a kind of request; `None` while too little is known.
    fn known(&self, shape: Shape) -> Option<&Baseline> {
        let baseline = &self.0[shape.index()];
        let enough = if shape.is_streamed {
            ENOUGH
        } else {
            ENOUGH_WHOLE
        };
        (baseline.samples.load(Ordering::Relaxed) >= enough).then_some(baseline)
    }

    /// The log-likelihood ratio of a wait without a first token that was cut short.
    ///
    /// With the chance `S` that a healthy upstream takes longer, and a share `q` of requests that a broken one never
    /// answers, it is `ln(1 − q + q/S)`. `q` is 30 %, as elsewhere, but more while few answers prove the opposite. The
    /// mean over all waits for a healthy upstream is below zero, however impatient its clients are.
    pub(super) fn waited_in_vain(&self, shape: Shape, silence: Silence, limit: Duration) -> f32 {
        let Silence { waited, rival } = silence;
        if waited < SHORTEST_WAIT {
            return 0.0;
        }
        let baseline = &self.0[shape.index()];
        let samples = baseline.samples.load(Ordering::Relaxed).min(1000) as f32;
        let hangs = (1.0 / (samples + 1.0)).max(0.3);
        let prior = match rival {
            Some(rival) => Prior::beside(rival),
            None => Prior::of(shape, limit),
        };
        let (mean, deviation) = baseline.expected(prior, samples);
        let survival = survival((waited.as_secs_f32().ln() - mean) / deviation);
        (1.0 - hangs + hangs / survival).ln().min(LONGEST_WAIT)
    }

    /// Learns from a wait that was cut short: a healthy upstream would have taken longer, by so much as `draw` says, a
    /// random number between 0 and 1 (stochastic imputation, as in the EM algorithm). Without it, impatient clients
    /// would make the upstream look faster than it is, since only its fast answers would be seen.
    pub(super) fn learn_longer_than(&self, shape: Shape, waited: Duration, draw: f32) {
        let Some(baseline) = self.known(shape).filter(|_| waited >= SHORTEST_WAIT) else {
            return;
        };
        let (mean, deviation) = moments(baseline);
        let z = (waited.as_secs_f32().ln() - mean) / deviation;
        // A wait that no healthy upstream would have caused shows nothing of what is usual.
        if z < 3.0 {
            let tail = survival(z) * draw.max(0.01);
            // The logistic distribution, which resembles the normal one, can be inverted.
            let longer = ((1.0 - tail) / tail).ln() / 1.702;
            baseline.learn(mean + deviation * longer.max(z));
        }
    }

    /// The usual time to the first token of a short streamed request, in seconds. While nothing is known it is taken to
    /// be very short, so that somebody finds out.
    pub(super) fn usual(&self) -> f32 {
        let known = self
            .0
            .iter()
            .find(|baseline| baseline.samples.load(Ordering::Relaxed) > 0);
        known.map_or(UNKNOWN, |baseline| {
            unpack(baseline.moments.load(Ordering::Relaxed)).0.exp()
        })
    }

    /// The 95th percentile of the time to the first token, `e^{μ + 1.645 σ}`; `None` while too little is known.
    pub(super) fn late_after(&self, shape: Shape) -> Option<Duration> {
        let baseline = &self.0[shape.index()];
        if baseline.samples.load(Ordering::Relaxed) < ENOUGH {
            return None;
        }
        let (mean, variance) = unpack(baseline.moments.load(Ordering::Relaxed));
        Some(Duration::from_secs_f32(
            (mean + 1.645 * variance.sqrt()).exp(),
        ))
    }

    /// Learns from the time that a healthy upstream took to a first token.
    pub(super) fn learn(&self, shape: Shape, took: Duration, limit: Duration) {
        let ceiling = self.slow_after(shape, limit).unwrap_or(limit);
        let seconds = took.min(ceiling).as_secs_f32().max(0.001);
        self.0[shape.index()].learn(seconds.ln());
    }
}

/// What is expected of the time to a first token before anything is learnt: the mean and the standard deviation of its
/// logarithm. It is broad, and follows the time limit, which is longer for models that think.
struct Prior {
    mean: f32,
    deviation: f32,
}

impl Prior {
    /// What is expected of a request that another upstream has answered in so much time: about as much.
    fn beside(rival: Duration) -> Self {
        Self {
            mean: rival.as_secs_f32().max(0.5).ln(),
            deviation: 1.1,
        }
    }

    fn of(shape: Shape, limit: Duration) -> Self {
        let median = limit.as_secs_f32().max(1.0) / 15.0;
        Self {
            mean: median.ln(),
            // Whole answers differ more, as they may be short or long.
            deviation: if shape.is_streamed { 1.1 } else { 1.5 },
        }
    }
}

/// The chance that a standard normal variable is greater than `z` (Page, 1977; the error is below 0.0002).
fn survival(z: f32) -> f32 {
    1.0 / (1.0 + (z * (1.5976 + 0.070_566 * z * z)).exp())
}

impl Baseline {
    /// The mean and the standard deviation of the logarithm, as the prior and so many samples suggest. The prior is
    /// worth a few samples.
    fn expected(&self, prior: Prior, samples: f32) -> (f32, f32) {
        const WORTH: f32 = 5.0;
        let (mean, variance) = unpack(self.moments.load(Ordering::Relaxed));
        let (a, b) = (WORTH / (WORTH + samples), samples / (WORTH + samples));
        let apart = mean - prior.mean;
        let variance = a * prior.deviation * prior.deviation + b * variance + a * b * apart * apart;
        (a * prior.mean + b * mean, variance.sqrt().max(0.05))
    }

    fn quantile(&self) -> f32 {
        let (mean, variance) = unpack(self.moments.load(Ordering::Relaxed));
        mean.exp() * (3.0 * variance.sqrt()).exp().max(3.0)
    }

    fn learn(&self, value: f32) {
        let samples = self.samples.fetch_add(1, Ordering::Relaxed);
        // The first samples make a plain average, so that the very first one does not count for too much.
        let alpha = ALPHA.max(1.0 / (samples.min(1 << 20) as f32 + 1.0));
        let mut seen = self.moments.load(Ordering::Relaxed);
        loop {
            let (mean, variance) = unpack(seen);
            let difference = value - mean;
            let mean = mean + alpha * difference;
            let variance = (1.0 - alpha) * (variance + alpha * difference * difference);
            let new = u64::from(mean.to_bits()) << 32 | u64::from(variance.to_bits());
            match self.moments.compare_exchange_weak(
                seen,
                new,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(actual) => seen = actual,
            }
        }
    }
}

/// The mean and the standard deviation of the logarithm.
fn moments(baseline: &Baseline) -> (f32, f32) {
    let (mean, variance) = unpack(baseline.moments.load(Ordering::Relaxed));
    (mean, variance.sqrt().max(0.05))
}

fn unpack(packed: u64) -> (f32, f32) {
    (
        f32::from_bits((packed >> 32) as u32),
        f32::from_bits(packed as u32),
    )
}

#[cfg(test)]
mod tests {
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
}
