//! Values of labels: few, so that clients cannot create series.

use std::borrow::Cow;

use crate::event::ScopeId;
use crate::outcome::{Blame, Outcome};

/// Where there is no client or no route.
pub(super) const NONE: &str = "none";

/// The upstream as a whole has no model; to Prometheus an empty label is none.
pub(super) fn model_label(scope: &ScopeId) -> &str {
    scope.model.as_deref().unwrap_or_default()
}

/// HTTP defines statuses up to 599; whatever an upstream invents beyond is one label.
pub(super) fn status_label(status: u16) -> Cow<'static, str> {
    match status {
        200 => "200".into(),
        100..=599 => status.to_string().into(),
        _ => "other".into(),
    }
}

/// Keys are told by their position, from 1: what they are is a secret.
pub(super) fn key_label(index: usize) -> String {
    (index + 1).to_string()
}

/// What an attempt came to, in one word.
pub(super) const RESULTS: [&str; 4] = ["answered", "failed", "rejected", "abandoned"];

/// One of [`RESULTS`].
pub(super) fn result_label(outcome: &Outcome) -> &'static str {
    match (outcome, outcome.blame()) {
        (Outcome::Success, _) => "answered",
        (_, Blame::Upstream) => "failed",
        (Outcome::ClientGone, _) | (_, Blame::Nobody) => "abandoned",
        (_, Blame::Client) => "rejected",
    }
}

/// Outcomes that an outage shows, and reasons to pass an upstream over: series with them are there from the start. Those
/// with rarer ones begin when they are needed, as there would be too many with all.
pub(super) const REASONS: [&str; 15] = [
    "bad_call",
    "connect_refused",
    "connect_timeout",
    "connection_lost",
    "first_token_timeout",
    "headers_timeout",
    "idle_timeout",
    "model_unavailable",
    "no_answer",
    "overloaded",
    "quota_exhausted",
    "rate_limited",
    "server_error",
    "stream_broken",
    "unauthorized",
];
/// The same for upstreams that were not even asked.
pub(super) const PASSED_OVER: [&str; 6] = [
    "key_refused",
    "model_missing",
    "out_of_rotation",
    "overloaded",
    "quota_exhausted",
    "rate_limited",
];
