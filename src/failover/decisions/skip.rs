//! Candidates that are skipped, and why.

use std::sync::Arc;

use crate::config::UpstreamId;
use crate::health::CooldownReason;
use crate::routing::Candidate;

/// A candidate that is skipped.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// Which one.
    pub upstream: UpstreamId,
    /// Its model, as the configuration names it.
    pub model: Option<Arc<str>>,
    /// Why.
    pub reason: SkipReason,
}

impl Skipped {
    pub(super) fn new(candidate: &Candidate, reason: SkipReason) -> Self {
        Self {
            upstream: candidate.upstream.id().clone(),
            model: candidate.health.id().model.clone(),
            reason,
        }
    }

    /// Whether it is this candidate of the route.
    pub(super) fn is(&self, candidate: &Candidate) -> bool {
        self.upstream == *candidate.upstream.id() && self.model == candidate.health.id().model
    }
}

/// Why a candidate is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// Another upstream owns an object that the request refers to.
    Elsewhere,
    /// The request wants to be served by another one.
    NotWanted,
    /// It takes the client's own credential, and the request brings none.
    NoCredential,
    /// It does not support a feature that the request needs.
    Unsupported(&'static str),
    /// The request is longer than its context window.
    TooSmall,
    /// Its embeddings would come from another model, and vectors of two models cannot be compared.
    OtherModel,
    /// It cannot continue the start of an answer.
    CannotContinue,
    /// It is out of rotation after failures.
    OutOfRotation,
    /// Our own network does not lead to it.
    NetworkLost,
    /// An operator has taken it out.
    TakenOut,
    /// In a cooldown after it rate-limited us.
    RateLimited,
    /// In a cooldown after it reported that it was overloaded.
    Busy,
    /// In a cooldown after it rejected the key.
    KeyRefused,
    /// In a cooldown after its account had no money or quota left.
    QuotaExhausted,
    /// In a cooldown after it did not have the model.
    ModelMissing,
    /// The request would have to be translated, but its JSON cannot be parsed.
    Unreadable,
    /// The request would have to be translated, but takes more memory for that than one request may take.
    TooLarge,
    /// The request would have to be translated, but other requests hold the memory for that.
    NoMemory,
    /// The request's time was over before it was its turn.
    NoTime,
    /// The route's retry budget was used up before it was its turn.
    NoBudget,
    /// The request asks for one attempt only, and another one had it.
    OneAttempt,
}

impl SkipReason {
    /// Whether the reason is temporary and independent of the request.
    pub fn is_for_now(self) -> bool {
        match self {
            Self::OutOfRotation
            | Self::NetworkLost
            | Self::TakenOut
            | Self::RateLimited
            | Self::Busy
            | Self::KeyRefused
            | Self::QuotaExhausted
            | Self::ModelMissing
            | Self::NoMemory
            | Self::NoTime
            | Self::NoBudget
            | Self::OneAttempt => true,
            Self::Elsewhere
            | Self::NoCredential
            | Self::NotWanted
            | Self::Unsupported(_)
            | Self::TooSmall
            | Self::OtherModel
            | Self::CannotContinue
            | Self::Unreadable
            | Self::TooLarge => false,
        }
    }

    /// A short constant name for labels.
    pub fn label(self) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::NotWanted => "not_wanted",
            Self::NoCredential => "no_credential",
            Self::Unsupported(_) => "unsupported",
            Self::TooSmall => "too_small",
            Self::OtherModel => "other_model",
            Self::CannotContinue => "cannot_continue",
            Self::OutOfRotation => "out_of_rotation",
            Self::NetworkLost => "network_lost",
            Self::TakenOut => "taken_out",
            Self::RateLimited => "rate_limited",
            Self::Busy => "overloaded",
            Self::KeyRefused => "key_refused",
            Self::QuotaExhausted => "quota_exhausted",
            Self::ModelMissing => "model_missing",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::NoMemory => "no_memory",
            Self::NoTime => "no_time",
            Self::NoBudget => "no_budget",
            Self::OneAttempt => "one_attempt",
        }
    }

    /// A description of the reason.
    pub fn reason(self) -> String {
        let reason = match self {
            Self::Unsupported(what) => {
                return format!("it cannot do what the request needs: {what}");
            }
            Self::Elsewhere => "what the request refers to lives at another upstream",
            Self::NotWanted => "the request asks for another upstream",
            Self::NoCredential => {
                "it takes the client's own credential, and the request brought none"
            }
            Self::TooSmall => "its context window is too small",
            Self::OtherModel => "its embeddings are of another model and cannot be compared",
            Self::CannotContinue => "it cannot continue a prefill",
            Self::OutOfRotation => "it is out of rotation after failures",
            Self::NetworkLost => "our own network is lost",
            Self::TakenOut => "an operator has taken it out",
            Self::RateLimited => "it is rate limited",
            Self::Busy => "it is overloaded",
            Self::KeyRefused => "its key was refused",
            Self::QuotaExhausted => "its quota was exhausted",
            Self::ModelMissing => "it did not have the model",
            Self::Unreadable => "it has another API, and the JSON cannot be translated",
            Self::TooLarge => "it has another API, and the request is too large to be translated",
            Self::NoTime => "no time was left",
            Self::NoBudget => "the retry budget was used up",
            Self::OneAttempt => "the request asks for one attempt only",
            Self::NoMemory => {
                "it has another API, and there was no memory to translate the request"
            }
        };
        reason.to_owned()
    }
}

impl From<CooldownReason> for SkipReason {
    fn from(reason: CooldownReason) -> Self {
        match reason {
            CooldownReason::RateLimit => Self::RateLimited,
            CooldownReason::Overload => Self::Busy,
            CooldownReason::Credential => Self::KeyRefused,
            CooldownReason::Quota => Self::QuotaExhausted,
            CooldownReason::Model => Self::ModelMissing,
        }
    }
}
