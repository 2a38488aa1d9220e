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
mod tests;
