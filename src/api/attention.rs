//! Failures that no retry can mend: somebody has to change a key, an account or the configuration.
//!
//! Their statuses are 402, 403 and 404, because many clients try again after every 5xx, whatever else an answer says.

use super::error::ErrorResponse;
use crate::failover::{Exhausted, SkipReason};
use crate::outcome::{Attention, Blame, Outcome};

/// The error that says so. `message` adds to a summary what is known.
pub(super) fn error_response(
    attention: Attention,
    message: &dyn Fn(&str) -> String,
) -> ErrorResponse {
    let (status, code, summary) = match attention {
        Attention::Key => (
            403,
            "upstream_key_refused",
            "an upstream refuses the proxy's key, and no other one can answer; a retry will not help until somebody changes that",
        ),
        Attention::Quota => (
            402,
            "upstream_quota_exhausted",
            "an upstream's account has no money or quota left, and no other one can answer; a retry will not help until somebody \
                 changes that",
        ),
        Attention::Model => (404, "model_not_found", "no upstream has this model"),
    };
    ErrorResponse::new(status, code, message(summary)).in_vain()
}

/// What is most urgent, if every candidate that could serve the request needs somebody to act.
pub(super) fn attention(exhausted: &Exhausted) -> Option<Attention> {
    let attempts = exhausted.attempts.iter().enumerate();
    let last_words = attempts.filter(|(index, attempt)| {
        let mut later = exhausted.attempts[index + 1..].iter();
        !later.any(|later| later.upstream == attempt.upstream && later.key == attempt.key)
    });
    // What is wrong with the request itself is wrong at every time.
    let tried = last_words
        .map(|(_, attempt)| &attempt.outcome)
        .filter(|outcome| outcome.blame() != Blame::Client && !is_lasting(outcome))
        .map(Outcome::attention);
    let skipped = exhausted.skipped.iter().map(|skipped| skipped.reason);
    let skipped = skipped.filter(|reason| reason.is_for_now()).map(of_skipped);
    let all: Option<Vec<Attention>> = tried.chain(skipped).collect();
    all?.into_iter().min()
}

/// Whether the upstream can never serve this kind of request.
fn is_lasting(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::EndpointMissing { .. } | Outcome::UpgradeRefused { .. }
    )
}

fn of_skipped(reason: SkipReason) -> Option<Attention> {
    match reason {
        SkipReason::KeyRefused => Some(Attention::Key),
        SkipReason::QuotaExhausted => Some(Attention::Quota),
        SkipReason::ModelMissing => Some(Attention::Model),
        SkipReason::Elsewhere
        | SkipReason::NotWanted
        | SkipReason::NoCredential
        | SkipReason::Unsupported(_)
        | SkipReason::TooSmall
        | SkipReason::OtherModel
        | SkipReason::CannotContinue
        | SkipReason::OutOfRotation
        | SkipReason::NetworkLost
        | SkipReason::TakenOut
        | SkipReason::RateLimited
        | SkipReason::Busy
        | SkipReason::Unreadable
        | SkipReason::TooLarge
        | SkipReason::NoMemory
        | SkipReason::NoTime
        | SkipReason::NoBudget
        | SkipReason::OneAttempt => None,
    }
}
