//! How long a healthy upstream takes to its first token, and from when on a wait is evidence of slowness.
//!
//! The mean and variance of the logarithm of the time are averaged exponentially (α = 0.02) while the scope is healthy.
//! Almost every healthy request gets its first token within `e^μ · max(3, e^{3σ})`, the 99.9th percentile of a
//! log-normal distribution. The time must be learnt, and the percentile must be high: the 97th would eject healthy
//! upstreams dozens of times an hour.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

const ALPHA: f32 = 0.02;
const EARLIEST: f32 = 4.0;
const ENOUGH: u32 = 30;
const ENOUGH_WHOLE: u32 = 50;

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
        let half = limit.as_secs_f32() / 2.0;
        let baseline = &self.0[shape.index()];
        let samples = baseline.samples.load(Ordering::Relaxed);
        let seconds = match (shape.is_streamed, samples) {
            // Until enough is known, half of the time limit.
            (true, ..ENOUGH) => half,
            (false, ..ENOUGH_WHOLE) => return None,
            _ => baseline.quantile(),
        };
        // With a short time limit, half of it comes before the earliest time.
        Some(Duration::from_secs_f32(seconds.max(EARLIEST).min(half)))
    }

    /// The usual time to the first token of a short streamed request, in seconds; one second while nothing is known.
    pub(super) fn usual(&self) -> f32 {
        let known = self
            .0
            .iter()
            .find(|baseline| baseline.samples.load(Ordering::Relaxed) > 0);
        known.map_or(1.0, |baseline| {
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

impl Baseline {
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

fn unpack(packed: u64) -> (f32, f32) {
    (
        f32::from_bits((packed >> 32) as u32),
        f32::from_bits(packed as u32),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Baselines, Shape};

    const LIMIT: Duration = Duration::from_secs(30);
    const STREAM: Shape = Shape {
        is_streamed: true,
        size: 100,
    };
    const WHOLE: Shape = Shape {
        is_streamed: false,
        size: 100,
    };

    #[test]
    fn before_anything_is_learnt_a_stream_is_slow_late_and_a_whole_answer_never() {
        let baselines = Baselines::default();
        assert_eq!(
            baselines.slow_after(STREAM, LIMIT),
            Some(Duration::from_secs(15))
        );
        assert_eq!(
            baselines.slow_after(STREAM, LIMIT * 4),
            Some(Duration::from_secs(60))
        );
        assert_eq!(baselines.slow_after(WHOLE, LIMIT), None);
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
}
