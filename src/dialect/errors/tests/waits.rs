//! How long an error asks us to wait.

use std::time::Duration;

use crate::dialect::errors::{self, ErrorReply};
use crate::outcome::Outcome;

#[test]
fn a_wait_is_asked_for_by_headers_then_by_words_and_is_else_estimated() {
    let words = br#"{"error":{"message":"Please retry after 26 seconds."}}"#;
    let seconds = |asked, estimated, body| {
        let secs = |seconds: Option<u64>| seconds.map(Duration::from_secs);
        let reply = ErrorReply {
            asked: secs(asked),
            estimated: secs(estimated),
            ..ErrorReply::new(429, body)
        };
        match errors::classify(&reply) {
            Outcome::RateLimited { retry_after } => retry_after.map(|wait| wait.as_secs()),
            other => panic!("{other}"),
        }
    };
    assert_eq!(seconds(Some(3), Some(60), &words[..]), Some(3));
    assert_eq!(seconds(None, Some(60), &words[..]), Some(26));
    assert_eq!(seconds(None, Some(60), b"{}"), Some(60));
    assert_eq!(seconds(None, None, b""), None);
}

/// A failure has nothing to do with what is left of a rate limit, which stands in the headers of all replies.
#[test]
fn only_a_rate_limit_is_waited_for_by_estimate() {
    let by_estimate = |status, body| {
        errors::classify(&ErrorReply {
            estimated: Some(Duration::from_secs(20)),
            ..ErrorReply::new(status, body)
        })
    };
    let failed = |status| Outcome::ServerError { status };
    assert_eq!(by_estimate(500, &b"{}"[..]), failed(500));
    assert_eq!(by_estimate(408, b"<html>"), failed(408));
    let overloaded = |status| Outcome::Overloaded {
        status,
        retry_after: None,
    };
    assert_eq!(by_estimate(503, b"{}"), overloaded(503));
    let words = br#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    assert_eq!(by_estimate(529, words), overloaded(529));
    let money = br#"{"error":{"message":"m"}}"#;
    assert_eq!(by_estimate(402, money), Outcome::QuotaExhausted);
}
