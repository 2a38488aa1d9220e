//! Replies with an error status.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};

use super::ending::{AttemptAnswer, AttemptBody, Failure, UpstreamError};
use crate::config::Refusals;
use crate::dialect::rate_limit;
use crate::outcome::{Blame, Outcome};
use crate::upstream::Reply;
use crate::wire::body::{Patience, read_whole};
use crate::wire::headers::{JSON, retry_after};
use crate::wire::offload;

/// The most that is read of an error: enough to classify it and to pass it on.
pub(super) const LARGEST_ERROR: usize = 1 << 20;

/// The client's fault becomes the answer, everything else is a failure; for refused content the route decides.
/// `classify` determines the outcome, `error_body` translates the error for the client.
pub(super) async fn refusal(
    reply: Reply,
    patience: Patience,
    refusals: Refusals,
    classify: impl Fn(u16, Option<Duration>, &[u8]) -> Outcome,
    error_body: impl Fn(u16, Bytes) -> Bytes,
) -> Result<AttemptAnswer, Failure> {
    // If the body breaks off, the status alone decides.
    let body = read_whole(reply.body, LARGEST_ERROR, patience)
        .await
        .unwrap_or_default();
    let wait = wait_asked_by(&reply.headers);
    let (outcome, error_body) = offload::at_once(body.len(), || {
        let outcome = classify(reply.status, wait, &body);
        (outcome, error_body(reply.status, body.clone()))
    });
    let mut headers = reply.headers;
    if error_body != body {
        headers.remove(CONTENT_ENCODING);
        headers.insert(CONTENT_TYPE, JSON);
    }
    settle(reply.status, headers, error_body, outcome, refusals)
}

/// What follows from an upstream's error; `error_body` is in the client's API.
pub(super) fn settle(
    status: u16,
    headers: HeaderMap,
    error_body: Bytes,
    outcome: Outcome,
    refusals: Refusals,
) -> Result<AttemptAnswer, Failure> {
    match outcome {
        outcome if is_answer(&outcome, refusals) => {
            let body = AttemptBody::Whole(error_body);
            Ok(AttemptAnswer::new(status, headers, body, outcome))
        }
        outcome if outcome.blame() == Blame::Client => {
            let error = UpstreamError {
                status,
                headers,
                body: error_body,
            };
            Err(Failure::by_upstream_error(outcome, error))
        }
        outcome => Err(outcome.into()),
    }
}

fn is_answer(outcome: &Outcome, refusals: Refusals) -> bool {
    match outcome {
        Outcome::RejectedRequest { .. } => true,
        Outcome::ContentRefused { .. } => refusals == Refusals::Return,
        Outcome::Success
        | Outcome::Unreachable(_)
        | Outcome::ConnectionLost
        | Outcome::TimedOut(_)
        | Outcome::ServerError { .. }
        | Outcome::Overloaded { .. }
        | Outcome::RateLimited { .. }
        | Outcome::QuotaExhausted
        | Outcome::Unauthorized { .. }
        | Outcome::ModelUnavailable
        | Outcome::UpgradeRefused { .. }
        | Outcome::TooLong { .. }
        | Outcome::Unsupported { .. }
        | Outcome::ProviderBoundItems { .. }
        | Outcome::EndpointMissing { .. }
        | Outcome::InvalidReply(_)
        | Outcome::StreamBroken
        | Outcome::ClientGone
        | Outcome::Superseded
        | Outcome::NoMemory
        | Outcome::NoResources
        | Outcome::Full
        | Outcome::Stopped => false,
    }
}

/// How long a reply asks us to wait: by `Retry-After`, else until a rate limit that is used up is full again.
pub(super) fn wait_asked_by(headers: &HeaderMap) -> Option<Duration> {
    let now = SystemTime::now();
    retry_after(headers, now).or_else(|| rate_limit::exhausted(headers, now))
}
