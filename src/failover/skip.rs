//! Candidates that are not asked, and why.

use crate::config::UpstreamId;
use crate::routing::Candidate;

/// A candidate that is not asked.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// Which one.
    pub upstream: UpstreamId,
    /// Why.
    pub reason: SkipReason,
}

impl Skipped {
    pub(super) fn new(candidate: &Candidate, reason: SkipReason) -> Self {
        Self {
            upstream: candidate.upstream.id().clone(),
            reason,
        }
    }
}

/// Why a candidate is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// Another upstream owns what the request refers to.
    Elsewhere,
    /// It lacks something that the request needs.
    Unsupported(&'static str),
    /// The request is longer than its context window.
    TooSmall,
    /// Its embeddings would come from another model, and vectors of two models cannot be compared.
    OtherModel,
    /// It cannot continue the start of an answer.
    CannotContinue,
    /// It is out of rotation after failures.
    OutOfRotation,
    /// In a cooldown, because we had sent too much.
    RateLimited,
    /// In a cooldown, because it had too much to do.
    Busy,
    /// In a cooldown, because it refused the key.
    KeyRefused,
    /// In a cooldown, because its account had no money or quota left.
    QuotaExhausted,
    /// In a cooldown, because it did not have the model.
    ModelMissing,
    /// The request would have to be translated, and its JSON cannot be read into a tree.
    Unreadable,
    /// The request would have to be translated, and takes more memory for that than any may have.
    TooLarge,
    /// The request would have to be translated, and others had the memory for that.
    NoMemory,
}

impl SkipReason {
    /// Whether the reason will pass by itself, whatever the request is.
    pub fn is_for_now(self) -> bool {
        match self {
            Self::OutOfRotation
            | Self::RateLimited
            | Self::Busy
            | Self::KeyRefused
            | Self::QuotaExhausted
            | Self::ModelMissing
            | Self::NoMemory => true,
            Self::Elsewhere
            | Self::Unsupported(_)
            | Self::TooSmall
            | Self::OtherModel
            | Self::CannotContinue
            | Self::Unreadable
            | Self::TooLarge => false,
        }
    }

    /// The reason in words.
    pub fn reason(self) -> String {
        let reason = match self {
            Self::Unsupported(what) => {
                return format!("it cannot do what the request needs: {what}");
            }
            Self::Elsewhere => "what the request refers to lives at another upstream",
            Self::TooSmall => "its context window is too small",
            Self::OtherModel => "its embeddings are of another model and cannot be compared",
            Self::CannotContinue => "it cannot continue a prefill",
            Self::OutOfRotation => "it is out of rotation after failures",
            Self::RateLimited => "it is rate limited",
            Self::Busy => "it is overloaded",
            Self::KeyRefused => "its key was refused",
            Self::QuotaExhausted => "its quota was exhausted",
            Self::ModelMissing => "it did not have the model",
            Self::Unreadable => "it has another API, and the JSON cannot be translated",
            Self::TooLarge => "it has another API, and the request is too large to be translated",
            Self::NoMemory => {
                "it has another API, and there was no memory to translate the request"
            }
        };
        reason.to_owned()
    }
}
