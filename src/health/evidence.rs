//! What one observation says about health: the log of how much more likely a broken upstream is to cause it than one
//! that fails as often as we tolerate.
//!
//! A broken upstream is taken to fail 30 % of its requests (`BAD`). A failure of a kind tolerated at rate `p` weighs
//! `ln(0.30 / p)`, a success `ln(0.70 / 0.95)`. Kinds that a healthy upstream almost never shows weigh the most.

use crate::outcome::Outcome;

/// A success: `ln((1 − 0.30) / (1 − 0.05))`.
pub(super) const SUCCESS: f32 = -0.305;

/// What an attempt showed of the upstream's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// No connection: refused, DNS, TLS, or none in time. Tolerated: 0.5 %.
    Connection,
    /// 5xx, a lost connection, a reply that is none. Tolerated: 5 %.
    Failure,
    /// No first token at the hard limit. Tolerated: 1 %.
    Timeout,
    /// No first token when almost every healthy request has had one; still in flight. Tolerated: 2 %.
    Slow,
    /// A stream that broke after its first token: no retry can mend that. Tolerated: 1 %.
    BrokenStream,
}

impl Evidence {
    /// The weight of the sign, in nats.
    pub(super) fn log_likelihood(self) -> f32 {
        match self {
            Self::Connection => 4.1,
            Self::Failure => 1.79,
            Self::Timeout => 3.4,
            Self::Slow => 2.7,
            // The success of its first token is taken back.
            Self::BrokenStream => 3.4 - SUCCESS,
        }
    }

    /// How many successes end a trial that began with this sign. What is broken altogether shows at once whether it
    /// has healed; what fails now and then takes longer.
    pub(super) fn successes_to_heal(self) -> u32 {
        match self {
            Self::Connection | Self::Timeout | Self::Slow => 3,
            Self::Failure | Self::BrokenStream => 5,
        }
    }

    /// What an outcome shows, `None` if it says nothing about health. `had_content` tells an early failure from a cut.
    pub(super) fn of(outcome: &Outcome, had_content: bool) -> Option<Self> {
        match outcome {
            outcome if !outcome.hurts_health() => None,
            _ if had_content => Some(Self::BrokenStream),
            Outcome::Unreachable(_) => Some(Self::Connection),
            Outcome::TimedOut(_) => Some(Self::Timeout),
            Outcome::StreamBroken => Some(Self::BrokenStream),
            // A reply that shows something broken; whatever else there is does not hurt health.
            _ => Some(Self::Failure),
        }
    }

    /// A short constant name for labels and logs.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Failure => "failures",
            Self::Timeout => "timeouts",
            Self::Slow => "slowness",
            Self::BrokenStream => "broken_streams",
        }
    }

    pub(super) fn code(self) -> u64 {
        self as u64
    }

    pub(super) fn from_code(code: u64) -> Self {
        match code {
            0 => Self::Connection,
            2 => Self::Timeout,
            3 => Self::Slow,
            4 => Self::BrokenStream,
            _ => Self::Failure,
        }
    }
}
