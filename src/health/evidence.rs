//! What one attempt says about health, as a log-likelihood ratio: how much more likely a broken upstream is to show it
//! than one that fails as often as we tolerate.
//!
//! A broken upstream is assumed to fail 30 % of its requests. A failure of a kind that is tolerated at rate `p` adds
//! `ln(0.30 / p)`, a success adds `ln(0.70 / 0.95)`. So the kinds that a healthy upstream almost never shows add the
//! most.

use crate::outcome::Outcome;

/// The log-likelihood ratio of a success: `ln((1 − 0.30) / (1 − 0.05))`.
pub(super) const SUCCESS: f32 = -0.305;

/// The log-likelihood ratio of an error that the API has not sent. Tolerated: 15 %.
pub(super) const FOREIGN_ERROR: f32 = 0.69;

/// The kinds of evidence against a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// No connection: refused, DNS, TLS, or none in time. Tolerated: 0.5 %.
    Connection,
    /// A 5xx status, a lost connection, or an invalid reply. Tolerated: 5 %.
    Failure,
    /// No first token at the hard limit. Tolerated: 1 %.
    Timeout,
    /// No first token when almost every healthy request has one; the request is still in flight. Tolerated: 2 %.
    Slow,
    /// A stream that broke after its first token: no retry can repair that. Tolerated: 1 %.
    BrokenStream,
}

impl Evidence {
    /// The log-likelihood ratio that it adds to the score, in nats.
    pub(super) fn log_likelihood(self) -> f32 {
        match self {
            Self::Connection => 4.1,
            Self::Failure => 1.79,
            Self::Timeout => 3.4,
            Self::Slow => 2.7,
            // It also takes back the success of the stream's first token.
            Self::BrokenStream => 3.4 - SUCCESS,
        }
    }

    /// How many successful probes end the half-open phase of a scope that tripped for this. A total failure shows at
    /// once whether it is over; a partial one takes longer to rule out.
    pub(super) fn successes_to_heal(self) -> u32 {
        match self {
            Self::Connection | Self::Timeout | Self::Slow => 3,
            Self::Failure | Self::BrokenStream => 5,
        }
    }

    /// Whether upstreams of the same failure domain may fail of this, too: a data centre that is down, and not a model
    /// that is slow.
    pub(super) fn is_contagious(self) -> bool {
        match self {
            Self::Connection | Self::Failure => true,
            Self::Timeout | Self::Slow | Self::BrokenStream => false,
        }
    }

    /// The evidence in an outcome; `None` if it says nothing about health. `had_content` separates an early failure
    /// from a broken stream.
    pub(super) fn of(outcome: &Outcome, had_content: bool) -> Option<Self> {
        if !outcome.hurts_health() {
            return None;
        }
        if had_content {
            return Some(Self::BrokenStream);
        }
        match outcome {
            Outcome::Unreachable(_) => Some(Self::Connection),
            Outcome::TimedOut(_) => Some(Self::Timeout),
            Outcome::StreamBroken => Some(Self::BrokenStream),
            Outcome::ConnectionLost
            | Outcome::ServerError { .. }
            | Outcome::Overloaded { .. }
            | Outcome::ForeignError { .. }
            | Outcome::InvalidReply(_) => Some(Self::Failure),
            // None of these hurts health.
            Outcome::Success
            | Outcome::RejectedRequest { .. }
            | Outcome::ContentRefused { .. }
            | Outcome::RateLimited { .. }
            | Outcome::QuotaExhausted { .. }
            | Outcome::Unauthorized { .. }
            | Outcome::ModelUnavailable { .. }
            | Outcome::UpgradeRefused { .. }
            | Outcome::TooLong { .. }
            | Outcome::Unsupported { .. }
            | Outcome::ProviderBoundItems { .. }
            | Outcome::EndpointMissing { .. }
            | Outcome::ClientGone
            | Outcome::Superseded
            | Outcome::NoMemory
            | Outcome::NoResources
            | Outcome::Full { .. }
            | Outcome::Stopped => None,
        }
    }

    /// All of them.
    pub(super) const ALL: [Self; 5] = [
        Self::Connection,
        Self::Failure,
        Self::Timeout,
        Self::Slow,
        Self::BrokenStream,
    ];

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

    /// The one with this label.
    pub(super) fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.label() == label)
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

/// What one attempt showed, and how much that adds to the scores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finding {
    /// `None` for a success.
    pub(super) evidence: Option<Evidence>,
    pub(super) log_likelihood: f32,
}

impl Finding {
    pub(super) const SUCCESS: Self = Self {
        evidence: None,
        log_likelihood: SUCCESS,
    };

    pub(super) fn against(evidence: Evidence) -> Self {
        Self {
            evidence: Some(evidence),
            log_likelihood: evidence.log_likelihood(),
        }
    }
}
