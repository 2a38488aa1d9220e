//! Errors in `OpenAI`'s shape.

use bytes::Bytes;
use serde_json::{Value, json};

/// The error body for an `OpenAI` client, made from one of Anthropic's.
pub fn error(body: &[u8]) -> Bytes {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    json!({ "error": object(&body["error"]) })
        .to_string()
        .into()
}

/// The error object.
pub(super) fn object(error: &Value) -> Value {
    let message = error["message"]
        .as_str()
        .unwrap_or("the upstream gave no reason");
    let (kind, code) = match error["type"].as_str().unwrap_or_default() {
        "invalid_request_error" if message.contains("prompt is too long") => {
            ("invalid_request_error", Some("context_length_exceeded"))
        }
        "invalid_request_error" => ("invalid_request_error", None),
        "authentication_error" => ("invalid_request_error", Some("invalid_api_key")),
        "billing_error" => ("insufficient_quota", Some("insufficient_quota")),
        "permission_error" => ("invalid_request_error", Some("permission_error")),
        "not_found_error" => ("invalid_request_error", Some("model_not_found")),
        "request_too_large" => ("invalid_request_error", Some("request_too_large")),
        "rate_limit_error" => ("requests", Some("rate_limit_exceeded")),
        "overloaded_error" => ("server_error", Some("server_is_overloaded")),
        _ => ("server_error", Some("server_error")),
    };
    json!({ "message": message, "type": kind, "param": null, "code": code })
}
