//! The packed state of a scope: several small values that change together, in 64 bits.

/// The atomics of scopes: those of `loom` where every interleaving is tried (`--cfg model`), else the standard ones.
pub(super) mod atomic {
    #[cfg(model)]
    pub(in crate::health) use loom::sync::atomic::{AtomicU64, Ordering};
    #[cfg(not(model))]
    pub(in crate::health) use std::sync::atomic::{AtomicU64, Ordering};
}

use super::evidence::Evidence;
use super::time::Tick;

/// The state of a scope's circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// All traffic is admitted.
    Closed,
    /// No traffic is admitted.
    Open,
    /// A few live requests are admitted as probes, to see whether the scope has healed.
    HalfOpen,
    /// Traffic returns step by step.
    SlowStart,
}

impl Phase {
    /// A short constant name for labels and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::SlowStart => "slow_start",
        }
    }

    /// Whether the scope is out of rotation. If not, it serves requests, and gathers evidence from them.
    pub fn is_out(self) -> bool {
        match self {
            Self::Open | Self::HalfOpen => true,
            Self::Closed | Self::SlowStart => false,
        }
    }
}

/// The word that holds the circuit breaker's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Core {
    pub(super) phase: Phase,
    /// How often in a row the scope has tripped; each time doubles the pause.
    pub(super) level: u64,
    /// What it tripped for, last.
    pub(super) cause: Evidence,
    /// Successful probes in this half-open phase.
    pub(super) good: u32,
    /// Whether a last-resort attempt was made since it opened.
    pub(super) is_forced: bool,
    /// Which state this is. What an attempt finds is evidence only about the state in which the attempt began.
    pub(super) epoch: u32,
    /// When an open scope becomes half-open.
    pub(super) until: Tick,
}

impl Core {
    pub(super) fn pack(self) -> u64 {
        (self.phase as u64)
            | self.level << 2
            | self.cause.code() << 5
            | u64::from(self.good.min(15)) << 8
            | u64::from(self.is_forced) << 12
            | u64::from(self.epoch & EPOCHS) << 13
            | u64::from(self.until.0) << 32
    }

    pub(super) fn unpack(packed: u64) -> Self {
        Self {
            phase: match packed & 3 {
                0 => Phase::Closed,
                1 => Phase::Open,
                2 => Phase::HalfOpen,
                _ => Phase::SlowStart,
            },
            level: packed >> 2 & 7,
            cause: Evidence::from_code(packed >> 5 & 7),
            good: (packed >> 8 & 15) as u32,
            is_forced: packed >> 12 & 1 == 1,
            epoch: (packed >> 13) as u32 & EPOCHS,
            until: Tick((packed >> 32) as u32),
        }
    }

    /// The number of the state after this one.
    pub(super) fn next_epoch(self) -> u32 {
        self.epoch.wrapping_add(1) & EPOCHS
    }
}

const EPOCHS: u32 = (1 << 19) - 1;

pub(super) fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

pub(super) fn halves(packed: u64) -> (u32, u32) {
    ((packed >> 32) as u32, packed as u32)
}

/// A fraction in 16 bits.
fn fixed(fraction: f32) -> u32 {
    (fraction.clamp(0.0, 1.0) * 65535.0).round() as u32
}

/// The progress of a slow start.
#[derive(Clone, Copy)]
pub(super) struct SlowStart {
    /// The fraction of its traffic that the scope gets.
    pub(super) fraction: f32,
    /// Below it, the fraction rises quickly.
    pub(super) threshold: f32,
    /// When the last step was taken.
    pub(super) tick: Tick,
}

impl SlowStart {
    pub(super) fn pack(self) -> u64 {
        pair(
            fixed(self.fraction) << 16 | fixed(self.threshold),
            self.tick.0,
        )
    }

    pub(super) fn unpack(packed: u64) -> Self {
        let (fractions, tick) = halves(packed);
        Self {
            fraction: (fractions >> 16) as f32 / 65535.0,
            threshold: (fractions & 0xffff) as f32 / 65535.0,
            tick: Tick(tick),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Core, EPOCHS, Phase, SlowStart};
    use crate::health::evidence::Evidence;
    use crate::health::time::Tick;

    #[test]
    fn each_part_of_a_circuit_breaker_keeps_its_value_beside_the_others() {
        let least = Core {
            phase: Phase::Closed,
            level: 0,
            cause: Evidence::Connection,
            good: 0,
            is_forced: false,
            epoch: 0,
            until: Tick(0),
        };
        let most = Core {
            phase: Phase::SlowStart,
            level: 7,
            cause: Evidence::BrokenStream,
            good: 15,
            is_forced: true,
            epoch: EPOCHS,
            until: Tick(u32::MAX),
        };
        let mut cores = vec![least, most];
        for (of, other) in [(least, most), (most, least)] {
            let (phase, level, cause) = (other.phase, other.level, other.cause);
            cores.extend([Core { phase, ..of }, Core { level, ..of }]);
            cores.extend([
                Core { cause, ..of },
                Core {
                    good: other.good,
                    ..of
                },
            ]);
            let (is_forced, epoch, until) = (other.is_forced, other.epoch, other.until);
            cores.extend([Core { is_forced, ..of }, Core { epoch, ..of }]);
            cores.push(Core { until, ..of });
        }
        for phase in [Phase::Open, Phase::HalfOpen] {
            cores.push(Core { phase, ..least });
        }
        for cause in [Evidence::Failure, Evidence::Timeout, Evidence::Slow] {
            cores.push(Core { cause, ..most });
        }
        for core in cores {
            assert_eq!(Core::unpack(core.pack()), core);
        }
        assert_eq!(most.next_epoch(), 0);
    }

    #[test]
    fn more_successes_than_are_counted_spoil_no_other_part() {
        let core = Core {
            good: 16,
            ..Core::unpack(0)
        };
        assert_eq!(Core::unpack(core.pack()).good, 15);
        assert!(!Core::unpack(core.pack()).is_forced);
    }

    #[test]
    fn the_fractions_of_a_slow_start_are_kept_to_four_digits() {
        for (fraction, threshold) in [(0.0, 1.0), (1.0, 0.0), (0.25, 0.75), (0.05, 0.1)] {
            let slow_start = SlowStart {
                fraction,
                threshold,
                tick: Tick(u32::MAX),
            };
            let kept = SlowStart::unpack(slow_start.pack());
            assert!((kept.fraction - fraction).abs() < 1e-4, "{fraction}");
            assert!((kept.threshold - threshold).abs() < 1e-4, "{threshold}");
            assert_eq!(kept.tick, Tick(u32::MAX));
        }
    }
}
