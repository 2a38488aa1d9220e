//! Headers that say what became of a request.

use http::header::{HeaderMap, HeaderValue};

use super::record::RequestRecord;
use crate::event::AttemptReport;
use crate::request::ClientApi;

/// The trail of attempts as a structured header (RFC 8941): `openai;outcome=overloaded;status=503;ms=12, ...`.
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

/// The id of a request, by the names under which SDKs tell it to whoever catches an error.
pub(super) fn put_id(headers: &mut HeaderMap, record: &RequestRecord) {
    let id = header(record.id.as_str());
    if record.client_api == ClientApi::Anthropic {
        // The upstream's own is the one that its support asks for.
        headers.entry("request-id").or_insert(id.clone());
    }
    headers.insert("x-request-id", id);
}

/// A header value of text that is ours, and thus always valid.
pub(super) fn header(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("invalid"))
}
