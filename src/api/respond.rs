//! Turns an upstream's answer into an HTTP response.

use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;

use super::header_policy::for_client;
use super::headers::{REQUEST_ID, attempts_header, header, put_ours};
use super::record::{RequestRecord, result_of};
use super::stream::{RecordedStream, Whole};
use super::upgrade;
use super::waiting::Waiting;
use crate::event::RequestResult;
use crate::failover::{Answer, AnswerBody, Continuability};
use crate::wire::body::{Body, full};
use crate::wire::headers::JSON;
use crate::wire::upgrade::Handled;

const UPSTREAM: HeaderName = HeaderName::from_static("x-backstop-upstream");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-backstop-attempts");

/// The response that passes an upstream's answer on.
pub(super) fn with_answer(mut answer: Box<Answer>, mut record: Box<RequestRecord>) -> Handled {
    record.answered_by(&answer);
    record.answering(answer.status, Some(answer.waited));
    let mut headers = headers_of(&mut answer, &record);
    let result = result_of(&answer);
    let body = match answer.body {
        AnswerBody::Whole(bytes) => {
            // A translated error, or one from which our key was removed, has another length.
            headers.remove(CONTENT_LENGTH);
            let whole = Whole::new(bytes);
            RecordedStream::new(whole, record, result).boxed_unsync()
        }
        AnswerBody::Relay(relay) => return upgrade::respond(relay, headers, record),
        AnswerBody::Stream(stream) => {
            // The stream may get an additional ending.
            headers.remove(CONTENT_LENGTH);
            headers = fitting(headers);
            RecordedStream::new(stream, record, RequestResult::Answered).boxed_unsync()
        }
        AnswerBody::Opaque(stream) => RecordedStream::new(stream, record, result).boxed_unsync(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = headers;
    response.into()
}

/// The same headers in a map of their size. The connection keeps the map for as long as a stream lasts, and the one that came
/// from the upstream's connection has room for all headers of the request.
fn fitting(headers: HeaderMap) -> HeaderMap {
    let mut fitting = HeaderMap::with_capacity(headers.len());
    fitting.extend(headers);
    fitting
}

/// The response to a stream whose upstream is silent: head and keep-alive comments now, the answer later.
pub(super) fn with_waiting(waiting: Waiting, mut record: Box<RequestRecord>) -> Response<Body> {
    record.answering(200, None);
    let mut response = Response::new(full(""));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    put_ours(headers, &record);
    *response.body_mut() = waiting.into_body(record);
    response
}

/// A response that we make ourselves, without an upstream.
pub(super) struct Own {
    pub(super) json: Value,
    /// A header that describes the response.
    pub(super) note: Option<(&'static str, String)>,
}

impl From<Value> for Own {
    fn from(json: Value) -> Self {
        Self { json, note: None }
    }
}

/// The response with our own content.
pub(super) fn with_own(own: &Own, mut record: Box<RequestRecord>) -> Response<Body> {
    let mut response = Response::new(full(own.json.to_string()));
    let headers = response.headers_mut();
    if let Some((name, text)) = &own.note {
        headers.insert(*name, header(text.as_str()));
    }
    headers.insert(CONTENT_TYPE, JSON);
    put_ours(headers, &record);
    record.answering(200, None);
    record.finish(RequestResult::Answered);
    response
}

/// The response to an OPTIONS request, which has headers only.
pub(super) fn with_options(headers: HeaderMap, mut record: Box<RequestRecord>) -> Response<Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = headers;
    put_ours(response.headers_mut(), &record);
    record.answering(204, None);
    record.finish(RequestResult::Answered);
    response
}

fn headers_of(answer: &mut Answer, record: &RequestRecord) -> HeaderMap {
    let theirs = answer.headers.get(REQUEST_ID).cloned();
    let mut headers = for_client(std::mem::take(&mut answer.headers));
    if answer.status >= 400 {
        // A redirect on an error would lead nowhere.
        headers.remove(LOCATION);
    }
    if let Some(theirs) = theirs {
        headers.insert("x-backstop-upstream-request-id", theirs);
    }
    put_ours(&mut headers, record);
    headers.insert(UPSTREAM, header(answer.served_by.as_ref()));
    headers.insert(ATTEMPTS, attempts_header(&answer.attempts));
    if !answer.dropped.is_empty() {
        headers.insert("x-backstop-dropped", header(answer.dropped.join(", ")));
    }
    if let Some(continuation) = answer.continuation {
        headers.insert("x-backstop-continuation", continuation_header(continuation));
    }
    headers
}

/// Whether the stream could continue at another upstream, as a structured header: `prefill`, `regenerate` or
/// `off;reason=json`.
fn continuation_header(continuation: Continuability) -> HeaderValue {
    match continuation {
        Continuability::Possible(way) => HeaderValue::from_static(way.label()),
        Continuability::Refused(reason) => header(format!("off;reason={reason}")),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LINK};

    use super::fitting;

    #[test]
    fn a_map_of_its_size_has_the_same_headers() {
        let mut headers = HeaderMap::with_capacity(40);
        for (name, value) in [(LINK, "a"), (CONTENT_TYPE, "b"), (LINK, "c")] {
            headers.append::<HeaderName>(name, HeaderValue::from_static(value));
        }
        let fitting = fitting(headers.clone());
        assert_eq!(fitting, headers);
        assert!(fitting.capacity() < 8, "{}", fitting.capacity());
    }
}
