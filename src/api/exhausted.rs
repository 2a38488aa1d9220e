//! What a client is told when no upstream answered: everything.

use std::time::Duration;

use super::refusal::Refusal;
use crate::event::AttemptReport;
use crate::failover::{Exhausted, PassedOver};
use crate::outcome::Outcome;

/// What only a change of the configuration can mend; no retry makes sense.
const NEVER: Duration = Duration::MAX;

/// The error for a request that nobody answered.
pub(super) fn refusal(exhausted: &Exhausted) -> Refusal {
    let message = |summary: &str| format!("{summary}: {}", story(exhausted));
    let wait = exhausted.retry_in.unwrap_or(Duration::from_secs(1));
    let refusal = if is_throttled(exhausted) {
        let message = message("every upstream is rate limited");
        Refusal::new(429, "rate_limit_exceeded", message).after(wait)
    } else if is_unknown(exhausted) {
        Refusal::new(
            404,
            "model_not_found",
            message("no upstream has this model"),
        )
    } else if is_too_long(exhausted) {
        Refusal::new(
            400,
            "context_length_exceeded",
            message("the request is longer than any model here can take"),
        )
    } else if let Some((code, summary)) = rejected(exhausted) {
        Refusal::new(400, code, message(summary))
    } else if exhausted.is_network_lost {
        let message = message("our own network seems to be lost: no upstream can be connected to");
        Refusal::new(503, "local_network_unreachable", message).after(Duration::from_secs(1))
    } else if let Some(lack) = lacks(exhausted) {
        Refusal::new(
            400,
            "unsupported_by_upstreams",
            message(&format!(
                "no upstream can do what the request needs ({lack})"
            )),
        )
    } else if let Some(creator) = &exhausted.lives_at {
        let message = message(&format!(
            "what the request refers to lives at {creator} only, which did not answer"
        ));
        Refusal::new(503, "creator_unavailable", message).after(wait)
    } else if is_hopeless(exhausted) {
        let message = message("no upstream can serve this request");
        Refusal::new(503, "no_upstream_available", message).after(NEVER)
    } else {
        let message = message("all upstreams failed");
        Refusal::new(503, "all_upstreams_failed", message).after(wait)
    };
    refusal.telling(exhausted.attempts.clone())
}

/// Whether rate limits are all that is in the way.
fn is_throttled(exhausted: &Exhausted) -> bool {
    let is_limited = |outcome: &Outcome| matches!(outcome, Outcome::RateLimited { .. });
    is_all_about(exhausted, is_limited, PassedOver::RateLimited)
}

/// Whether everybody who could be asked says that there is no such model.
fn is_unknown(exhausted: &Exhausted) -> bool {
    let is_missing = |outcome: &Outcome| *outcome == Outcome::ModelUnavailable;
    is_all_about(exhausted, is_missing, PassedOver::ModelMissing)
}

/// Whether it is one thing that is in the way everywhere: by what was tried now, or why it was not.
fn is_all_about(exhausted: &Exhausted, is_it: impl Fn(&Outcome) -> bool, it: PassedOver) -> bool {
    let attempts = exhausted.attempts.iter();
    let tried = attempts.map(|attempt| is_it(&attempt.outcome));
    let reasons = exhausted.passed_over.iter().map(|(_, why)| *why);
    let passed_over = reasons.filter(|why| why.is_for_now());
    let mut all = tried.chain(passed_over.map(|why| why == it)).peekable();
    all.peek().is_some() && all.all(|is_it| is_it)
}

/// Whether the request is too long for everybody who said anything about it, or for all whose window is known.
fn is_too_long(exhausted: &Exhausted) -> bool {
    let mut attempts = exhausted.attempts.iter();
    let mut passed_over = exhausted.passed_over.iter();
    let is_too_small = |(_, why): &(_, PassedOver)| *why == PassedOver::TooSmall;
    if exhausted.attempts.is_empty() {
        !exhausted.passed_over.is_empty() && passed_over.all(is_too_small)
    } else {
        exhausted.is_against_request()
            && attempts.all(|attempt| matches!(attempt.outcome, Outcome::TooLong { .. }))
    }
}

/// What an upstream has said against the request itself, where it said so inside a stream; or that all refuse its
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

/// What somebody lacks whom the request could go to, if nothing is in the way that could change.
fn lacks(exhausted: &Exhausted) -> Option<&'static str> {
    let mut lacks = exhausted
        .passed_over
        .iter()
        .filter_map(|(_, why)| match why {
            PassedOver::Lacks(lack) => Some(Some(*lack)),
            PassedOver::TooSmall | PassedOver::OtherModel | PassedOver::CannotContinue => None,
            _ => Some(None),
        });
    let is_missing =
        |attempt: &AttemptReport| matches!(attempt.outcome, Outcome::EndpointMissing { .. });
    if !exhausted.attempts.iter().all(is_missing) {
        return None;
    }
    match lacks.next() {
        Some(first) => first.filter(|_| lacks.all(|lack| lack.is_some())),
        None => (!exhausted.attempts.is_empty()).then_some("this endpoint"),
    }
}

/// Whether nobody was asked, and nobody will be.
fn is_hopeless(exhausted: &Exhausted) -> bool {
    let mut passed_over = exhausted.passed_over.iter();
    exhausted.attempts.is_empty() && !passed_over.any(|(_, why)| why.is_for_now())
}

fn story(exhausted: &Exhausted) -> String {
    let attempts = exhausted.attempts.iter().map(|attempt| {
        let detail = attempt.detail.iter().map(|detail| format!(", {detail}"));
        format!(
            "{}: {}{}",
            attempt.upstream,
            attempt.outcome,
            detail.collect::<String>()
        )
    });
    let passed_over = exhausted
        .passed_over
        .iter()
        .map(|(upstream, why)| format!("{upstream}: not asked, {}", why.reason()));
    attempts.chain(passed_over).collect::<Vec<_>>().join("; ")
}
