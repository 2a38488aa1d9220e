//! How errors are classified.

mod facts;
mod history;
mod requests;
mod waits;

use std::time::Duration;

use serde_json::value::RawValue;

use super::{ErrorReply, classify_inner};
use crate::outcome::Outcome;

fn reply(status: u16, asked: Option<Duration>, body: &[u8]) -> ErrorReply<'_> {
    ErrorReply {
        asked,
        ..ErrorReply::new(status, body)
    }
}

fn classify(status: u16, asked: Option<Duration>, body: &[u8]) -> Outcome {
    super::classify(&reply(status, asked, body))
}

fn classify_handshake(status: u16, asked: Option<Duration>, body: &[u8]) -> Outcome {
    super::classify_handshake(&reply(status, asked, body))
}

fn classify_response(status: u16, asked: Option<Duration>, body: &[u8]) -> Outcome {
    super::classify_response(&reply(status, asked, body))
}

/// Checks a table: in each line a status, the outcome that it stands for, and the body.
fn check(table: &str) {
    for line in table.trim().lines() {
        let (status, rest) = line.split_once(' ').unwrap();
        let (label, body) = rest.split_once(' ').unwrap_or((rest, ""));
        let outcome = classify(status.parse().unwrap(), None, body.as_bytes());
        assert_eq!(outcome.label(), label, "{line}");
    }
}

#[test]
fn refused_content_is_known_by_its_code() {
    for (status, code) in [
        (403, "input_unsafe"),
        (400, "content_filter"),
        (400, "content_policy_violation"),
    ] {
        let body = format!(r#"{{"error":{{"code":"{code}","innererror":{{}}}}}}"#);
        let outcome = classify(status, None, body.as_bytes());
        assert_eq!(outcome, Outcome::ContentRefused { status }, "{code}");
    }
}

const ERRORS: &str = r#"
400 rejected {"error":{"message":"no","type":"invalid_request_error","code":null}}
400 unauthorized [{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]
400 quota_exhausted {"error":{"code":"billing_hard_limit_reached"}}
401 unauthorized {"error":{"code":"invalid_api_key"}}
401 model_unavailable {"error":{"code":"invalid_model","message":"No permission"}}
402 quota_exhausted {"error":{"message":"Payment required"}}
404 model_unavailable {"error":{"message":"The model `x` is gone"}}
408 server_error
413 rejected {"error":{"message":"Too many bytes"}}
422 rejected {"detail":[{"loc":["body","n"],"msg":"Field required"}]}
429 rate_limited {"error":{"code":"rate_limit_exceeded"}}
429 quota_exhausted {"error":{"type":"insufficient_quota"}}
500 server_error {"error":"model runner has stopped"}
503 overloaded
529 overloaded
530 server_error
"#;

#[test]
fn status_and_code_decide() {
    check(ERRORS);
}

#[test]
fn a_request_that_is_too_long_is_told_from_one_that_is_wrong() {
    for body in [
        r#"{"error":{"code":"context_length_exceeded","message":"m"}}"#,
        r#"{"error":{"code":400,"type":"exceed_context_size_error","message":"m"}}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 5"}}"#,
    ] {
        let outcome = classify(400, None, body.as_bytes());
        assert_eq!(outcome, Outcome::TooLong { status: 400 }, "{body}");
    }
}

#[test]
fn the_wait_an_upstream_asks_for_is_kept() {
    let wait = Some(Duration::from_secs(7));
    assert_eq!(
        classify(429, wait, b""),
        Outcome::RateLimited {
            status: 429,
            retry_after: wait,
            is_daily: false
        }
    );
    for status in [498, 503, 529] {
        let overloaded = Outcome::Overloaded {
            status,
            retry_after: wait,
        };
        assert_eq!(classify(status, wait, b"<html>"), overloaded);
    }
    // Who says nothing of load is not left alone for as long as that.
    for status in [408, 409, 500, 502, 504, 520, 530] {
        for (asked, believed) in [(2, 2), (7, 5), (3600, 5)] {
            let overloaded = Outcome::Overloaded {
                status,
                retry_after: Some(Duration::from_secs(believed)),
            };
            let asked = Some(Duration::from_secs(asked));
            assert_eq!(classify(status, asked, b"<html>"), overloaded);
        }
    }
    let rejected = br#"{"error":{"message":"m"}}"#;
    let outcome = classify(400, wait, rejected);
    assert_eq!(outcome, Outcome::RejectedRequest { status: 400 });
}

#[test]
fn an_upstream_without_websockets_is_not_to_blame() {
    let handshake = |status, body: &str| classify_handshake(status, None, body.as_bytes());
    for status in [200, 302, 404, 405, 410, 426, 501] {
        let outcome = handshake(status, "<html>");
        assert_eq!(outcome, Outcome::UpgradeRefused { status });
        assert!(!outcome.hurts_health());
    }
    let no_model = r#"{"error":{"code":"model_not_found"}}"#;
    for (status, body, label) in [
        (404, no_model, "model_unavailable"),
        (400, r#"{"error":{"message":"m"}}"#, "rejected"),
        (401, r#"{"error":{"message":"m"}}"#, "unauthorized"),
        (401, "<html>", "foreign_error"),
        (429, "", "rate_limited"),
        (500, "", "server_error"),
        (503, "", "overloaded"),
    ] {
        assert_eq!(handshake(status, body).label(), label);
    }
}

#[test]
fn a_wait_may_stand_in_the_body() {
    let wait = |body: &str| match classify(429, None, body.as_bytes()) {
        Outcome::RateLimited { retry_after, .. } => retry_after.map(|wait| wait.as_millis()),
        other => panic!("{other}"),
    };
    let gemini = r#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"Help"},{"@type":"RetryInfo","retryDelay":"37s"}]}}]"#;
    assert_eq!(wait(gemini), Some(37_000));
    let words =
        r#"{"error":{"message":"Rate limit reached. Please try again in 1m41.724s. Visit us."}}"#;
    assert_eq!(wait(words), Some(101_724));
    assert_eq!(
        wait(r#"{"error":{"message":"try again in a while"}}"#),
        None
    );
    assert_eq!(wait("{}"), None);
}

#[test]
fn an_error_inside_a_reply_is_classified_by_its_code_or_type() {
    let inner = |json: &str| {
        classify_inner(&RawValue::from_string(json.to_owned()).unwrap(), None).to_string()
    };
    assert_eq!(
        inner(r#"{"code":"rate_limit_exceeded","message":"slow"}"#),
        "rate_limited (429)"
    );
    assert_eq!(
        inner(r#"{"code":502,"message":"upstream"}"#),
        "server_error (502)"
    );
    assert_eq!(inner(r#"{"type":"overloaded_error"}"#), "overloaded (529)");
    assert_eq!(inner(r#"{"message":"?"}"#), "server_error (500)");
    assert_eq!(inner(r#""text""#), "server_error (500)");
}

#[test]
fn what_one_model_does_not_take_is_told_from_what_is_wrong() {
    for (status, body) in [
        (
            400,
            r#"{"error":{"message":"m","code":"unsupported_parameter"}}"#,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"seed: Extra inputs are not permitted"}}"#,
        ),
        (
            422,
            r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","store"],"msg":"Extra inputs are not permitted","input":false}]},"type":"invalid_request_error","code":null}"#,
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"store\": Cannot find field.","status":"INVALID_ARGUMENT"}}]"#,
        ),
        (
            400,
            r#"{"error":{"message":"registry.example/library/x does not support tools"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"'messages.2' : property 'annotations' is unsupported"}}"#,
        ),
    ] {
        let outcome = classify(status, None, body.as_bytes());
        assert_eq!(outcome, Outcome::Unsupported { status }, "{body}");
    }
    for body in [
        r#"{"error":{"message":"messages must not be empty","type":"invalid_request_error","code":null}}"#,
        r#"{"error":{"message":"You wrote: \"extra\"","type":"invalid_request_error"}}"#,
    ] {
        assert_eq!(
            classify(400, None, body.as_bytes()).label(),
            "rejected",
            "{body}"
        );
    }
}

#[test]
fn a_missing_path_is_told_from_a_missing_model() {
    let label = |body: &str| classify_response(404, None, body.as_bytes()).label();
    for body in [
        "404 page not found",
        r#"{"detail":"Not Found"}"#,
        r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#,
        r#"{"error":{"message":"Invalid URL (POST /v1/responses)","type":"invalid_request_error"}}"#,
        r#"{"error":{"message":"unknown request","type":"invalid_request_error","code":null}}"#,
        r#"{"error":{"message":"The requested resource was not found","type":"resource_not_found_error"}}"#,
    ] {
        assert_eq!(label(body), "endpoint_missing", "{body}");
    }
    for body in [
        r#"{"error":{"message":"Conversation with id 'conv_1' not found.","code":null}}"#,
        r#"{"error":{"message":"No such File object: file-1","code":null}}"#,
    ] {
        assert_eq!(label(body), "rejected", "{body}");
    }
    let no_model = r#"{"error":{"message":"model 'x' not found","type":"not_found_error"}}"#;
    assert_eq!(label(no_model), "model_unavailable");
    let no_item =
        r#"{"error":{"message":"Item with id 'rs_1' not found.","type":"invalid_request_error"}}"#;
    assert_eq!(label(no_item), "provider_bound_items");
}

#[test]
fn a_404_is_about_the_model_the_path_or_what_the_request_refers_to() {
    for (message, label) in [
        ("The model `gpt-9` does not exist", "model_unavailable"),
        (
            "This is a chat model and not supported in the v1/completions endpoint.",
            "unsupported",
        ),
        (
            "This model is only supported in v1/responses and not in v1/chat/completions.",
            "unsupported",
        ),
        ("Invalid URL (POST /chat/completions)", "unsupported"),
        ("Conversation with id 'conv_1' not found.", "rejected"),
        ("No such File object: file-1", "rejected"),
    ] {
        let body = serde_json::json!({"error": {"message": message, "code": null}}).to_string();
        assert_eq!(
            classify(404, None, body.as_bytes()).label(),
            label,
            "{message}"
        );
    }
    let here = r#"{"error":{"message":"This model is only supported in v1/chat/completions and not in v1/responses."}}"#;
    assert_eq!(
        classify_response(404, None, here.as_bytes()).label(),
        "unsupported"
    );
}

#[test]
fn what_is_said_in_words_alone_is_understood() {
    check(
        r#"
403 content_refused {"error":{"code":403,"message":"it requires moderation","metadata":{"reasons":["x"],"flagged_input":"y"}}}
400 content_refused {"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}
400 quota_exhausted {"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}
400 quota_exhausted {"type":"error","error":{"type":"invalid_request_error","message":"You're out of extra usage. Add more at claude.ai/settings/usage and keep going."}}
400 quota_exhausted {"type":"error","error":{"type":"invalid_request_error","message":"Third-party apps now draw from your extra usage, not your plan limits."}}
500 quota_exhausted {"type":"error","error":{"type":"api_error","message":"insufficient balance (1008)"}}
500 server_error {"type":"error","error":{"type":"api_error","message":"the prompt says: insufficient balance (1008)"}}
400 unauthorized {"error":{"code":400,"message":"API key expired.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}
429 unsupported {"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 50000.","type":"tokens","code":"rate_limit_exceeded"}}
"#,
    );
}

#[test]
fn the_code_of_an_error_inside_a_reply_says_as_much_as_that_of_any_other() {
    for (code, label) in [
        ("insufficient_quota", "quota_exhausted"),
        ("billing_error", "quota_exhausted"),
        ("moderation_blocked", "content_refused"),
        ("input_unsafe", "content_refused"),
        ("exceed_context_size_error", "too_long"),
        ("unsupported_parameter", "unsupported"),
        ("invalid_image_format", "rejected"),
        ("request_too_large", "rejected"),
        ("vector_store_timeout", "server_error"),
    ] {
        let error = format!(r#"{{"code":"{code}","message":"m"}}"#);
        let error = RawValue::from_string(error).unwrap();
        assert_eq!(classify_inner(&error, None).label(), label, "{code}");
    }
}

#[test]
fn a_model_that_writes_no_valid_call_is_nobodys_failure() {
    for code in ["tool_use_failed", "json_validate_failed"] {
        let body = serde_json::json!({"error": {"message": "m", "type": "invalid_request_error", "code": code}}).to_string();
        let outcome = classify(400, None, body.as_bytes());
        assert_eq!(outcome.label(), "failed_generation");
        assert!(!outcome.hurts_health() && outcome.may_pass());
        let error =
            RawValue::from_string(serde_json::json!({"message": "m", "code": code}).to_string());
        assert_eq!(classify_inner(&error.unwrap(), None), outcome);
    }
}
