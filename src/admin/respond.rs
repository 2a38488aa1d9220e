//! Answers to operators: JSON, and plain text.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::wire::body::{Body, full};
use crate::wire::headers::JSON;

pub(super) fn json(status: StatusCode, value: &Value) -> Response<Body> {
    with_type(status, JSON, format!("{value:#}\n"))
}

/// An error as JSON: `{"error": "…"}`.
pub(super) fn error(status: StatusCode, message: &str) -> Response<Body> {
    json(status, &json!({ "error": message }))
}

pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    with_type(status, plain, body)
}

pub(super) fn with_type(
    status: StatusCode,
    media_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}
