//! Errors in the shape of either API.

use bytes::Bytes;
use serde_json::{Value, json};

use super::overflow::overflow;
use crate::dialect::errors::{self, says_too_long};

/// An error object of any API, in Anthropic's shape.
pub fn error(error: &Value) -> Value {
    in_words(shaped(error_kind(error), error))
}

/// The same for the error of a reply with this status.
pub fn error_for(status: u16, error: &Value) -> Value {
    shaped(error_kind_for(Some(status), error), error)
}

/// An error in Anthropic's shape, in the words by which agents that see no status and no type (opencode) know to ask again.
pub fn in_words(mut error: Value) -> Value {
    let message = message_of(&error);
    let is_said = message.to_ascii_lowercase().contains("server error");
    if error["type"] == "api_error" && !is_said {
        error["message"] = format!("Internal server error: {message}").into();
    }
    error
}

/// An error body of this API, in the words by which agents know what is too long: whoever copies the API has words of its own. Any
/// other body stays byte for byte.
pub fn body_in_words(body: Bytes) -> Bytes {
    let mut parsed: Value = serde_json::from_slice(&body).unwrap_or_default();
    let error = &parsed["error"];
    if !error.is_object() || !says_too_long(error) {
        return body;
    }
    let said = message_of(error);
    let better = too_long(said.clone());
    if better == said {
        return body;
    }
    parsed["error"]["message"] = better.into();
    parsed.to_string().into()
}

fn shaped(kind: &'static str, error: &Value) -> Value {
    let message = message_of(error);
    match says_too_long(error) {
        true => json!({ "type": "invalid_request_error", "message": too_long(message) }),
        false => json!({ "type": kind, "message": message }),
    }
}

/// Claude Code compacts the conversation when it reads the first of Anthropic's words, and asks for a shorter answer when it reads the
/// others.
fn too_long(message: String) -> String {
    match overflow(&message) {
        Some(overflow) => overflow,
        None if TOO_LONG.iter().any(|words| message.contains(words)) => message,
        None => format!("{}: {message}", TOO_LONG[0]),
    }
}

/// An error object of Anthropic's, in `OpenAI`'s shape.
pub fn to_openai(error: &Value) -> Value {
    let message = message_of(error);
    let (kind, code) = match error["type"].as_str().unwrap_or_default() {
        "invalid_request_error" if says_too_long(error) => {
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

/// Anthropic's type of an error, whose object may be in `OpenAI`'s shape or in Anthropic's own. `status`: that of the reply, if
/// there is one; it decides where neither code nor type is known.
fn error_kind_for(status: Option<u16>, error: &Value) -> &'static str {
    // A kind that covers much says less than the status.
    let known = known_kind(error).filter(|kind| !(status.is_some() && GENERAL.contains(kind)));
    known.unwrap_or(match status {
        Some(401) => "authentication_error",
        Some(402) => "billing_error",
        Some(403) => "permission_error",
        Some(404) => "not_found_error",
        Some(413) => "request_too_large",
        Some(429) => "rate_limit_error",
        Some(504) => "timeout_error",
        Some(503 | 529) => "overloaded_error",
        Some(400..=499) => "invalid_request_error",
        Some(_) | None => "api_error",
    })
}

/// The same for an error that came without a status of its own. Some give it as the code.
pub fn error_kind(error: &Value) -> &'static str {
    let status = ["code", "status"]
        .into_iter()
        .find_map(|field| error[field].as_u64());
    error_kind_for(status.and_then(|status| u16::try_from(status).ok()), error)
}

fn message_of(error: &Value) -> String {
    let said = errors::message_of(error);
    match said.as_str() {
        "" => "the upstream gave no reason".to_owned(),
        _ => said,
    }
}

fn known_kind(error: &Value) -> Option<&'static str> {
    let is = |names: &[&str]| {
        let mut fields = [&error["code"], &error["type"]]
            .into_iter()
            .filter_map(Value::as_str);
        fields.any(|field| names.contains(&field))
    };
    KINDS
        .iter()
        .find(|(_, names)| is(names))
        .map(|(kind, _)| *kind)
}

/// Types that many errors have.
const GENERAL: [&str; 2] = ["invalid_request_error", "api_error"];

/// How Anthropic says that a request is too long: alone, or with the answer that it asks for.
const TOO_LONG: [&str; 2] = [
    "prompt is too long",
    "input length and `max_tokens` exceed context limit",
];

/// Anthropic's types of errors, and the codes and types of others that mean the same.
const KINDS: [(&str, &[&str]); 10] = [
    (
        "authentication_error",
        &["invalid_api_key", "authentication_error"],
    ),
    ("permission_error", &["permission_error", "access_denied"]),
    (
        "billing_error",
        &[
            "insufficient_quota",
            "credit_balance_exhausted",
            "billing_error",
        ],
    ),
    (
        "rate_limit_error",
        &[
            "rate_limit_exceeded",
            "requests",
            "tokens",
            "rate_limit_error",
        ],
    ),
    (
        "not_found_error",
        &["model_not_found", "not_found_error", "NotFoundError"],
    ),
    ("request_too_large", &["request_too_large"]),
    (
        "overloaded_error",
        &["server_is_overloaded", "slow_down", "overloaded_error"],
    ),
    ("timeout_error", &["timeout_error"]),
    // These are the last: many errors have these types, and a code that is more specific.
    (
        "invalid_request_error",
        &["invalid_request_error", "BadRequestError"],
    ),
    ("api_error", &["api_error", "server_error"]),
];

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::{body_in_words, error, error_for, to_openai};

    #[test]
    fn errors_of_others_take_anthropics_types() {
        let table = r#"
            rate_limit_error {"code": "rate_limit_exceeded", "type": "requests"}
            not_found_error {"type": "invalid_request_error", "code": "model_not_found"}
            invalid_request_error {"type": "invalid_request_error", "code": "invalid"}
            billing_error {"type": "insufficient_quota"}
            overloaded_error {"type": "server_error", "code": "server_is_overloaded"}
            overloaded_error {"type": "overloaded_error"}
            timeout_error {"type": "timeout_error"}
            api_error {"type": "server_error", "code": "stream_interrupted"}
            api_error {"type": "unheard_of"}
            rate_limit_error {"code": 429}
            invalid_request_error {"code": 400, "type": "BadRequestError"}
            api_error null
        "#;
        for line in table.trim().lines() {
            let (kind, given) = line.trim().split_once(' ').unwrap();
            let given = serde_json::from_str(given).unwrap();
            assert_eq!(error(&given)["type"], kind, "{line}");
        }
        let test = json!({"message": "Test error", "type": "test_error", "code": "test"});
        for (status, kind) in [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (404, "not_found_error"),
            (422, "invalid_request_error"),
            (429, "rate_limit_error"),
            (500, "api_error"),
            (529, "overloaded_error"),
        ] {
            assert_eq!(error_for(status, &test)["type"], kind, "{status}");
        }
        for (status, kind, expected) in [
            (400, "server_error", "invalid_request_error"),
            (401, "invalid_request_error", "authentication_error"),
            (400, "rate_limit_exceeded", "rate_limit_error"),
        ] {
            let given = json!({"message": "m", "type": kind});
            assert_eq!(error_for(status, &given)["type"], expected, "{given}");
        }
    }

    #[test]
    fn failures_without_a_status_are_said_in_the_words_that_clients_look_for() {
        let given = json!({"message": "gone", "type": "server_error"});
        let expected = json!({"type": "api_error", "message": "Internal server error: gone"});
        assert_eq!(error(&given), expected);
        assert_eq!(error(&expected), expected);
        assert_eq!(error_for(500, &given)["message"], "gone");
    }

    #[test]
    fn what_is_too_long_is_said_in_the_words_that_clients_look_for() {
        let given = json!({"message": "9 > 5", "code": "context_length_exceeded"});
        let expected =
            json!({"type": "invalid_request_error", "message": "prompt is too long: 9 > 5"});
        assert_eq!(error(&given), expected);
        assert_eq!(error(&expected), expected);
        assert_eq!(to_openai(&expected)["code"], "context_length_exceeded");
        let with_answer = json!({"type": "invalid_request_error", "message": "input length and `max_tokens` exceed context limit: 9 + 5 > 10"});
        assert_eq!(to_openai(&with_answer)["code"], "context_length_exceeded");
        // Whoever is behind OpenRouter says it, here within a stream.
        let words = "This model's maximum context length is 10 tokens. However, you requested 14 tokens (9 in the messages, 5 in the completion).";
        let raw = json!({"error": {"message": words}}).to_string();
        let behind =
            json!({"message": "Provider returned error", "code": 400, "metadata": {"raw": raw}});
        let said = error(&behind);
        let begins = "input length and `max_tokens` exceed context limit: 9 + 5 > 10";
        assert!(
            said["message"].as_str().unwrap().starts_with(begins),
            "{said}"
        );
    }

    #[test]
    fn who_copies_the_api_says_what_is_too_long_in_its_words_and_anthropics_own_stay() {
        let body = |message: &str| {
            Bytes::from(format!(
                r#"{{"type": "error", "error": {{"type":"invalid_request_error","message":"{message}"}}}}"#
            ))
        };
        let theirs = "invalid params, context window exceeds limit (2013)";
        let said: Value = serde_json::from_slice(&body_in_words(body(theirs))).unwrap();
        assert_eq!(
            said["error"]["message"],
            format!("prompt is too long: {theirs}")
        );
        for message in [
            "prompt is too long: 9 tokens > 5 maximum",
            "input length and `max_tokens` exceed context limit: 9 + 5 > 10",
            "Overloaded",
        ] {
            assert_eq!(body_in_words(body(message)), body(message));
        }
        for odd in [
            "",
            "[]",
            r#"{"error":"prompt too long; exceeded max context length"}"#,
        ] {
            assert_eq!(body_in_words(odd.into()), odd);
        }
    }

    #[test]
    fn errors_of_anthropic_take_openais_codes() {
        for (kind, code) in [
            ("authentication_error", json!("invalid_api_key")),
            ("overloaded_error", json!("server_is_overloaded")),
            ("not_found_error", json!("model_not_found")),
            ("invalid_request_error", json!(null)),
            ("something_new", json!("server_error")),
        ] {
            let error = to_openai(&json!({"type": kind, "message": "m"}));
            assert_eq!((&error["code"], &error["message"]), (&code, &json!("m")));
        }
        assert!(to_openai(&json!(null))["message"].is_string());
    }
}
