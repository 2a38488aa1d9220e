//! Response headers that report what happened to a request.

use http::header::{HeaderMap, HeaderValue};

use super::record::RequestRecord;
use crate::event::AttemptReport;
use crate::request::ClientApi;

/// The log of attempts as a structured header (RFC 8941): `openai;outcome=overloaded;status=503;ms=12, ...`.
pub(super) fn attempts_header(attempts: &[AttemptReport]) -> HeaderValue {
    let entries: Vec<String> = attempts
        .iter()
        .map(|attempt| {
            let status = attempt
                .outcome
                .status()
                .map_or_else(String::new, |status| format!(";status={status}"));
            format!(
                "{};outcome={}{status};ms={}",
                attempt.upstream,
                attempt.outcome.label(),
                attempt.elapsed.as_millis()
            )
        })
        .collect();
    header(&entries.join(", "))
}

/// Sets the request id, under the names from which SDKs copy it into their errors.
pub(super) fn put_id(headers: &mut HeaderMap, record: &RequestRecord) {
    let id = header(record.id.as_str());
    if record.client_api == ClientApi::Anthropic {
        // The upstream's own id stays: its support asks for it.
        headers.entry("request-id").or_insert(id.clone());
    }
    headers.insert("x-request-id", id);
}

/// A header value from text of our own, which is always valid.
pub(super) fn header(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("invalid"))
}
