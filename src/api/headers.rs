//! Response headers that report what happened to a request.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::rate_headers;
use super::record::RequestRecord;
use crate::event::AttemptReport;
use crate::request::ClientApi;
use crate::wire::json;

/// The request's id: on a response ours, on an upstream's reply its own.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The log of attempts as a structured header (RFC 8941): `openai;outcome=overloaded;status=503;ms=12, ...`.
pub(super) fn attempts_header(attempts: &[AttemptReport]) -> HeaderValue {
    let mut log = Vec::with_capacity(64 * attempts.len());
    for attempt in attempts {
        if !log.is_empty() {
            log.extend_from_slice(b", ");
        }
        log.extend_from_slice(attempt.upstream.as_ref().as_bytes());
        log.extend_from_slice(b";outcome=");
        log.extend_from_slice(attempt.outcome.label().as_bytes());
        // Numbers are written as in JSON, which is quicker than to format them.
        if let Some(status) = attempt.outcome.status() {
            log.extend_from_slice(b";status=");
            json::put(&status, &mut log);
        }
        log.extend_from_slice(b";ms=");
        json::put(&(attempt.elapsed.as_millis() as u64), &mut log);
    }
    header(log)
}

/// Sets the request id, under the names from which SDKs copy it into their errors, and where the client stands with its
/// limits.
pub(super) fn put_ours(headers: &mut HeaderMap, record: &RequestRecord) {
    let id = header(record.id.as_bytes());
    if record.client_api == ClientApi::Anthropic {
        // The upstream's own id stays: its support asks for it.
        headers.entry("request-id").or_insert(id.clone());
    }
    headers.insert(REQUEST_ID, id);
    if let Some(taken) = &record.taken {
        rate_headers::put(headers, record.client_api, &taken.standings);
    }
}

/// A header value from text of our own, which is always valid.
pub(super) fn header(text: impl TryInto<HeaderValue>) -> HeaderValue {
    text.try_into()
        .unwrap_or_else(|_| HeaderValue::from_static("invalid"))
}
