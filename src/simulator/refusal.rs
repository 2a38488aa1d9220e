//! The error bodies providers typically send with each status.

use serde_json::{Value, json};

/// The error body typical of `status`: OpenAI's shape, and Anthropic's for its own 529.
pub(super) fn body(status: u16, model: &str) -> Value {
    let wording = wording(status);
    if status == 529 {
        return json!({
            "type": "error",
            "error": { "type": wording.kind, "message": wording.message },
            "request_id": null,
        });
    }
    json!({ "error": {
        "message": wording.message.replace("MODEL", model),
        "type": wording.kind,
        "param": wording.param,
        "code": wording.code,
    } })
}

/// The flat error event of the Responses API, which has no `error` object around it.
pub(super) fn flat_event(status: u16, model: &str, number: usize) -> Value {
    let wording = wording(status);
    json!({
        "type": "error",
        "code": wording.code.unwrap_or(wording.kind),
        "message": wording.message.replace("MODEL", model),
        "param": wording.param,
        "sequence_number": number,
    })
}

struct Wording {
    kind: &'static str,
    code: Option<&'static str>,
    param: Option<&'static str>,
    message: &'static str,
}

fn wording(status: u16) -> Wording {
    let (kind, code, message) = match status {
        400..500 => refused(status),
        _ => broken(status),
    };
    Wording {
        kind,
        code,
        param: (status == 404).then_some("model"),
        message,
    }
}

/// Type, code and message of an error that is the request's.
fn refused(status: u16) -> Words {
    match status {
        401 => (
            INVALID,
            Some("invalid_api_key"),
            "Incorrect API key provided.",
        ),
        402 => (
            "billing_error",
            Some("insufficient_balance"),
            "Insufficient balance.",
        ),
        403 => (
            "permission_error",
            Some("permission_denied"),
            "You are not allowed to use this model.",
        ),
        404 => (
            INVALID,
            Some("model_not_found"),
            "The model `MODEL` does not exist or you do not have access to it.",
        ),
        408 => (
            "timeout_error",
            Some("request_timeout"),
            "The request took too long to arrive.",
        ),
        409 => (
            "conflict_error",
            Some("conflict"),
            "The resource is being changed by another request.",
        ),
        413 => (
            INVALID,
            Some("request_too_large"),
            "The request is too large.",
        ),
        429 => (
            "requests",
            Some("rate_limit_exceeded"),
            "Rate limit reached for MODEL. Please try again later.",
        ),
        _ => (INVALID, None, "The request is not valid."),
    }
}

/// Type, code and message of an error that is the provider's.
fn broken(status: u16) -> Words {
    match status {
        502 => (SERVER, Some("bad_gateway"), "Bad gateway."),
        503 => (
            "service_unavailable_error",
            Some("server_is_overloaded"),
            "The server is currently overloaded. Please try again later.",
        ),
        504 => (
            "timeout_error",
            Some("gateway_timeout"),
            "The request timed out.",
        ),
        529 => ("overloaded_error", None, "Overloaded"),
        _ => (
            SERVER,
            None,
            "The server had an error while processing your request. Sorry about that!",
        ),
    }
}

type Words = (&'static str, Option<&'static str>, &'static str);

const INVALID: &str = "invalid_request_error";
const SERVER: &str = "server_error";
