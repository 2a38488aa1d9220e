//! The error for a request that no upstream answered; it contains everything that is known.

use std::time::Duration;

use super::attention::{self, attention};
use super::error::ErrorResponse;
use super::story;
use crate::event::{AttemptReport, RequestResult};
use crate::failover::{Exhausted, SkipReason, Skipped};
use crate::outcome::{Blame, Outcome};

/// When a client should ask again where nobody has said when: we ask at once, too.
const SOON: Duration = Duration::from_secs(1);

/// The error for a request that no upstream answered. `model`: what the client asked for; empty if it named none.
pub(super) fn error_response(exhausted: &Exhausted, model: &str) -> ErrorResponse {
    let about = match model {
        "" => String::new(),
        model => format!(" (model {})", story::named(model)),
    };
    let everything = story::for_client(exhausted);
    let message = |summary: &str| format!("{summary}{about}: {everything}");
    let error_response = of_request(exhausted, &message)
        .or_else(|| of_ours(exhausted, &message))
        .unwrap_or_else(|| of_upstreams(exhausted, &message));
    error_response.telling(exhausted.attempts.clone())
}

/// How such a request ended: if it is itself the reason, and no upstream is to blame, nobody has failed.
pub(super) fn result(exhausted: &Exhausted) -> RequestResult {
    let is_wrong = of_request(exhausted, &str::to_owned).is_some();
    match is_wrong && exhausted.failed_by().is_empty() {
        true => RequestResult::Rejected,
        false => RequestResult::Failed,
    }
}

/// The error, if the request itself is the reason.
fn of_request(exhausted: &Exhausted, message: &dyn Fn(&str) -> String) -> Option<ErrorResponse> {
    if is_too_long(exhausted) {
        Some(ErrorResponse::new(
            400,
            "context_length_exceeded",
            message("the request is longer than any model here can take"),
        ))
    } else if let Some((code, summary)) = rejected(exhausted) {
        Some(ErrorResponse::new(400, code, message(summary)))
    } else if let Some(status) = refused_on_the_way(exhausted) {
        let summary = "something in front of the upstreams does not let the request through";
        Some(ErrorResponse::new(
            status,
            "refused_on_the_way",
            message(summary),
        ))
    } else if is_ruled_out(exhausted, SkipReason::TooLarge) {
        let summary = "the request is too large to be translated (limits.memory in the proxy's configuration)";
        Some(ErrorResponse::new(
            413,
            "request_too_large",
            message(summary),
        ))
    } else if is_ruled_out(exhausted, SkipReason::Unreadable) {
        let why = untranslatable(exhausted);
        Some(ErrorResponse::new(400, "untranslatable_json", why))
    } else if is_ruled_out(exhausted, SkipReason::NoCredential) {
        let summary = "send the key or the token of your own account at the provider";
        Some(ErrorResponse::new(401, "invalid_api_key", message(summary)))
    } else {
        let feature = unsupported_feature(exhausted)?;
        let summary = format!("no upstream can do what the request needs ({feature})");
        Some(ErrorResponse::new(
            400,
            "unsupported_by_upstreams",
            message(&summary),
        ))
    }
}

/// The error, if the proxy itself lacks something.
fn of_ours(exhausted: &Exhausted, message: &dyn Fn(&str) -> String) -> Option<ErrorResponse> {
    if lacks_memory(exhausted) {
        Some(no_memory(message("there was no memory for the request")))
    } else if is_ours(exhausted) {
        let summary =
            "the proxy has no file descriptor, port or memory left for a connection to an upstream";
        let code = "local_resources_exhausted";
        Some(ErrorResponse::new(503, code, message(summary)).after(SOON))
    } else if exhausted.is_network_lost {
        let summary = "our own network seems to be lost: no upstream can be connected to";
        let code = "local_network_unreachable";
        Some(ErrorResponse::new(503, code, message(summary)).after(SOON))
    } else {
        None
    }
}

fn of_upstreams(exhausted: &Exhausted, message: &dyn Fn(&str) -> String) -> ErrorResponse {
    let wait = wait(exhausted);
    if exhausted.is_in_thread {
        let summary =
            "the upstream that has the thread did not answer; send the whole conversation";
        ErrorResponse::new(404, "thread_not_found", message(summary)).about("thread")
    } else if is_throttled(exhausted) {
        let message = message("every upstream is rate limited");
        ErrorResponse::new(429, "rate_limit_exceeded", message).after(wait)
    } else if let Some(attention) = attention(exhausted) {
        attention::error_response(attention, message)
    } else if is_taken_out(exhausted) {
        let message = message("an operator has taken out every upstream that could answer");
        ErrorResponse::new(503, "no_upstream_available", message).in_vain()
    } else if let Some(owner) = &exhausted.pinned_to {
        let message = message(&format!(
            "what the request refers to lives at {owner} only, which did not answer"
        ));
        ErrorResponse::new(503, "owner_unavailable", message).after(wait)
    } else if has_no_candidate(exhausted) {
        let message = message("no upstream can serve this request");
        ErrorResponse::new(503, "no_upstream_available", message).in_vain()
    } else {
        let message = message("all upstreams failed");
        ErrorResponse::new(503, "all_upstreams_failed", message).after(wait)
    }
}

/// When it makes sense to ask again: when we would. The end of a cooldown is known. A circuit breaker's pause is not:
/// a health check may end it at any moment, and nobody waits for it where nobody else is left.
fn wait(exhausted: &Exhausted) -> Duration {
    let has_end = |outcome: &Outcome| {
        matches!(
            outcome,
            Outcome::RateLimited { .. }
                | Outcome::Overloaded {
                    retry_after: Some(_),
                    ..
                }
                | Outcome::Unauthorized { .. }
                | Outcome::QuotaExhausted { .. }
                | Outcome::ModelUnavailable { .. }
        ) || outcome.blame() == Blame::Client
    };
    let mut attempts = exhausted.attempts.iter();
    let mut skipped = exhausted.skipped.iter();
    let is_known = attempts.all(|attempt| has_end(&attempt.outcome))
        && !skipped.any(|skipped| skipped.reason == SkipReason::OutOfRotation);
    let wait = exhausted.retry_in.unwrap_or(SOON);
    if is_known { wait } else { wait.min(SOON) }
}

/// Whether rate limits are the only obstacle.
fn is_throttled(exhausted: &Exhausted) -> bool {
    let is_limited = |outcome: &Outcome| matches!(outcome, Outcome::RateLimited { .. });
    is_all_about(exhausted, is_limited, SkipReason::RateLimited)
}

/// Whether an operator has taken out everybody who could answer.
fn is_taken_out(exhausted: &Exhausted) -> bool {
    is_all_about(exhausted, |_| false, SkipReason::TakenOut)
}

/// Whether all candidates have the same obstacle: as the outcome of an attempt, or as the reason to skip them.
fn is_all_about(exhausted: &Exhausted, is_it: impl Fn(&Outcome) -> bool, it: SkipReason) -> bool {
    let attempts = exhausted.attempts.iter();
    let tried = attempts.map(|attempt| is_it(&attempt.outcome));
    let reasons = exhausted.skipped.iter().map(|skipped| skipped.reason);
    let skipped = reasons.filter(|why| why.is_for_now());
    let mut all = tried.chain(skipped.map(|why| why == it)).peekable();
    all.peek().is_some() && all.all(|is_it| is_it)
}

/// Whether the request is too long for every candidate that reported about it, or for all whose context window is
/// known.
fn is_too_long(exhausted: &Exhausted) -> bool {
    let mut attempts = exhausted.attempts.iter();
    let mut skipped = exhausted.skipped.iter();
    let is_too_small = |skipped: &Skipped| skipped.reason == SkipReason::TooSmall;
    if exhausted.attempts.is_empty() {
        !exhausted.skipped.is_empty() && skipped.all(is_too_small)
    } else {
        exhausted.is_against_request()
            && attempts.all(|attempt| matches!(attempt.outcome, Outcome::TooLong { .. }))
    }
}

/// The upstream error that rejects the request itself, if it came inside a stream, or if all candidates refuse the
/// content.
fn rejected(exhausted: &Exhausted) -> Option<(&'static str, &'static str)> {
    match exhausted.attempts.last()?.outcome {
        Outcome::RejectedRequest { .. } if exhausted.is_against_request() => Some((
            "invalid_request",
            "an upstream says that the request is wrong",
        )),
        Outcome::ContentRefused { .. } => {
            Some(("content_filter", "no upstream answers this for its content"))
        }
        _ => None,
    }
}

/// The status with which something in front of every upstream refuses the size or the form of the request: a larger
/// body, or a longer head, than it lets pass.
fn refused_on_the_way(exhausted: &Exhausted) -> Option<u16> {
    let mut skipped = exhausted.skipped.iter();
    let mut statuses = exhausted
        .attempts
        .iter()
        .map(|attempt| match attempt.outcome {
            Outcome::ForeignError { status } => Some(status),
            _ => None,
        });
    let first = statuses.next()??;
    let is_about_request = matches!(first, 400 | 413 | 414 | 431)
        && statuses.all(|status| status == Some(first))
        && !skipped.any(|skipped| skipped.reason.is_for_now());
    is_about_request.then_some(first)
}

/// The error for a request that does not fit into the memory for bodies now.
pub(super) fn no_memory(message: String) -> ErrorResponse {
    let message = format!("{message} (limits.memory in the proxy's configuration)");
    ErrorResponse::new(503, "memory_limit_reached", message).after(Duration::from_secs(1))
}

fn lacks_memory(exhausted: &Exhausted) -> bool {
    let mut attempts = exhausted.attempts.iter();
    let mut skipped = exhausted.skipped.iter();
    attempts.any(|attempt| attempt.outcome == Outcome::NoMemory)
        || skipped.any(|skipped| skipped.reason == SkipReason::NoMemory)
}

/// Whether this reason excludes a candidate that could answer otherwise, and no other reason is temporary.
fn is_ruled_out(exhausted: &Exhausted, by: SkipReason) -> bool {
    let skipped = exhausted.skipped.iter();
    let mut reasons = skipped.map(|skipped| skipped.reason);
    exhausted.attempts.is_empty()
        && reasons.clone().any(|why| why == by)
        && !reasons.any(SkipReason::is_for_now)
}

fn untranslatable(exhausted: &Exhausted) -> String {
    let fault = exhausted.fault.as_ref().map(ToString::to_string);
    let fault = fault.unwrap_or_else(|| "it cannot be read".to_owned());
    format!("no upstream speaks this API, and the JSON cannot be translated: {fault}")
}

/// Whether no attempt reached an upstream because we lacked a resource ourselves.
fn is_ours(exhausted: &Exhausted) -> bool {
    let mut attempts = exhausted.attempts.iter();
    !exhausted.attempts.is_empty()
        && attempts.all(|attempt| attempt.outcome == Outcome::NoResources)
}

/// The feature that a candidate does not support, if no reason is temporary.
fn unsupported_feature(exhausted: &Exhausted) -> Option<&'static str> {
    let mut missing = exhausted
        .skipped
        .iter()
        .filter_map(|skipped| match skipped.reason {
            SkipReason::Unsupported(feature) => Some(Some(feature)),
            SkipReason::NotWanted
            | SkipReason::TooSmall
            | SkipReason::NoCredential
            | SkipReason::OtherModel
            | SkipReason::CannotContinue
            | SkipReason::Unreadable
            | SkipReason::TooLarge => None,
            SkipReason::Elsewhere
            | SkipReason::OutOfRotation
            | SkipReason::NetworkLost
            | SkipReason::TakenOut
            | SkipReason::RateLimited
            | SkipReason::Busy
            | SkipReason::KeyRefused
            | SkipReason::QuotaExhausted
            | SkipReason::ModelMissing
            | SkipReason::NoMemory
            | SkipReason::NoTime
            | SkipReason::NoBudget
            | SkipReason::OneAttempt => Some(None),
        });
    let is_missing =
        |attempt: &AttemptReport| matches!(attempt.outcome, Outcome::EndpointMissing { .. });
    if !exhausted.attempts.iter().all(is_missing) {
        return None;
    }
    match missing.next() {
        Some(first) => first.filter(|_| missing.all(|feature| feature.is_some())),
        None => (!exhausted.attempts.is_empty()).then_some("this endpoint"),
    }
}

/// Whether no candidate was asked, and none will be.
fn has_no_candidate(exhausted: &Exhausted) -> bool {
    let mut skipped = exhausted.skipped.iter();
    exhausted.attempts.is_empty() && !skipped.any(|skipped| skipped.reason.is_for_now())
}

#[cfg(test)]
mod tests;
