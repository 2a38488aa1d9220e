//! What an error reply means.
//!
//! Status and error code decide. Message texts are asked only where a provider gives nothing else, because
//! providers echo prompts in them.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::outcome::Outcome;
use crate::wire::allowance::reset_in;

/// The outcome that an error status and its body stand for.
pub fn classify(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Outcome {
    outcome(status, retry_after, &ErrorFields::read(body))
}

/// The outcome that anything but a 101 to a WebSocket's handshake stands for. That an upstream speaks no WebSocket is no
/// failure, and says nothing about the model, which may be there for other requests.
pub fn classify_handshake(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Outcome {
    let error = ErrorFields::read(body);
    match status {
        ..400 | 405 | 426 | 501 => Outcome::UpgradeRefused { status },
        404 | 410 if !error.is("model_not_found") => Outcome::UpgradeRefused { status },
        _ => outcome(status, retry_after, &error),
    }
}

/// The outcome that an error inside a good reply stands for: by its code, else by its type; where neither is
/// known, it is the upstream's fault.
pub(in crate::dialect) fn classify_inner(
    error: &RawValue,
    retry_after: Option<Duration>,
) -> Outcome {
    let error = ErrorFields::read(error.get().as_bytes());
    outcome(error.status(), retry_after, &error)
}

fn outcome(status: u16, retry_after: Option<Duration>, error: &ErrorFields) -> Outcome {
    let retry_after = retry_after.or(error.wait);
    match status {
        401 if error.is("invalid_model") => Outcome::ModelUnavailable,
        400 | 403 | 422 if error.refuses_content() => Outcome::ContentRefused { status },
        400 | 413 if error.says_too_long() => Outcome::TooLong { status },
        // Gemini answers a bad key with 400.
        400 if error.message.contains("API key not valid") => Outcome::Unauthorized { status },
        400 | 403 | 429 if QUOTA.iter().any(|name| error.is(name)) => Outcome::QuotaExhausted,
        401 | 403 => Outcome::Unauthorized { status },
        402 => Outcome::QuotaExhausted,
        404 | 410 => Outcome::ModelUnavailable,
        408 => Outcome::ServerError { status },
        429 => Outcome::RateLimited { retry_after },
        409 | 498 | 503 | 529 => Outcome::Overloaded {
            status,
            retry_after,
        },
        400..=499 => Outcome::RejectedRequest { status },
        _ => Outcome::ServerError { status },
    }
}

/// Codes and types that say: longer than the model's window.
const TOO_LONG: [&str; 4] = [
    "context_length_exceeded",
    "exceed_context_size_error",
    "tokens_too_long",
    "characters_too_long",
];

/// Codes and types that say: not about this.
const REFUSED: [&str; 7] = [
    "content_filter",
    "content_policy_violation",
    "ResponsibleAIPolicyViolation",
    "moderation_blocked",
    "bio_policy",
    "cyber_policy",
    "misalignment_policy_violation",
];

/// Codes and types that say: no money, no allowance. They are not a matter of seconds.
const QUOTA: [&str; 10] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
    "billing_hard_limit_reached",
    "blocked_api_access",
    "usage_limit_reached",
];

/// What codes and types of an error inside a 200 mean as a status. Unknown ones are the upstream's fault.
const STATUS_OF: [(&str, u16); 21] = [
    ("invalid_request_error", 400),
    ("invalid_prompt", 400),
    ("context_length_exceeded", 400),
    ("content_filter", 400),
    ("content_policy_violation", 400),
    ("bio_policy", 400),
    ("cyber_policy", 400),
    ("misalignment_policy_violation", 400),
    ("BadRequestError", 400),
    ("authentication_error", 401),
    ("invalid_api_key", 401),
    ("permission_error", 403),
    ("not_found_error", 404),
    ("model_not_found", 404),
    ("rate_limit_error", 429),
    ("requests", 429),
    ("tokens", 429),
    ("RESOURCE_EXHAUSTED", 429),
    ("overloaded_error", 529),
    ("server_is_overloaded", 503),
    ("slow_down", 503),
];

/// The fields of an error that decide.
#[derive(Debug, Default)]
struct ErrorFields {
    code: String,
    kind: String,
    /// Gemini's `status`: a name, where its `code` is a number.
    name: String,
    message: String,
    /// How long it asks us to stay away, where no header does.
    wait: Option<Duration>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawFields<'a> {
    /// A text, or a number at vLLM, `OpenRouter` and Gemini.
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    details: Option<&'a RawValue>,
}

/// One of Gemini's `details`: `{"@type": "...RetryInfo", "retryDelay": "37s"}`.
#[derive(Deserialize)]
struct Detail<'a> {
    #[serde(borrow, rename = "retryDelay")]
    retry_delay: Option<Cow<'a, str>>,
}

impl ErrorFields {
    /// Reads `{"error": {..}}`, the same inside an array (Gemini), `{"error": "text"}` (Ollama), or the fields on
    /// top (older vLLM, Mistral). What cannot be read stays empty.
    fn read(body: &[u8]) -> Self {
        let text = std::str::from_utf8(body).unwrap_or_default().trim();
        let text = text
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or(text);
        let fields = serde_json::from_str::<Envelope<'_>>(text)
            .ok()
            .and_then(|envelope| envelope.error)
            .map_or(text, RawValue::get);
        match serde_json::from_str::<RawFields<'_>>(fields) {
            Ok(raw) => Self {
                wait: wait(&raw),
                code: plain(raw.code),
                kind: raw.kind.unwrap_or_default().into_owned(),
                name: plain(raw.status),
                message: raw.message.unwrap_or_default().into_owned(),
            },
            Err(_) => Self {
                message: serde_json::from_str(fields).unwrap_or_default(),
                ..Self::default()
            },
        }
    }

    /// Anthropic and Gemini say it in words only.
    fn says_too_long(&self) -> bool {
        TOO_LONG.iter().any(|name| self.is(name))
            || self.message.starts_with("prompt is too long")
            || self
                .message
                .contains("exceeds the maximum number of tokens")
    }

    /// Qianfan's codes are `input_unsafe` and kin.
    fn refuses_content(&self) -> bool {
        REFUSED.iter().any(|name| self.is(name)) || self.code.ends_with("_unsafe")
    }

    fn is(&self, name: &str) -> bool {
        [&self.code, &self.kind, &self.name]
            .into_iter()
            .any(|field| field == name)
    }

    /// The HTTP status that this error would have had.
    fn status(&self) -> u16 {
        match self.code.parse() {
            Ok(status @ 400..=599) => status,
            // Qianfan's are `rpm_rate_limit_exceeded`, `tpm_rate_limit_exceeded` and more.
            _ if self.code.ends_with("rate_limit_exceeded") => 429,
            _ => STATUS_OF
                .iter()
                .find(|(name, _)| self.is(name))
                .map_or(500, |(_, status)| *status),
        }
    }
}

/// The wait that a body asks for: in its details, or in words (`Please try again in 41.724s.`).
fn wait(error: &RawFields<'_>) -> Option<Duration> {
    let details = error.details.map_or("[]", RawValue::get);
    let details: Vec<Detail<'_>> = serde_json::from_str(details).unwrap_or_default();
    let delay = details.into_iter().find_map(|detail| detail.retry_delay);
    let in_words = || {
        let (_, rest) = error.message.as_deref()?.split_once("try again in ")?;
        rest.split([' ', ','])
            .next()
            .map(|word| word.trim_end_matches('.'))
    };
    reset_in(delay.as_deref().or_else(in_words)?, SystemTime::UNIX_EPOCH)
}

fn plain(raw: Option<&RawValue>) -> String {
    raw.map_or_else(String::new, |raw| raw.get().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::value::RawValue;

    use super::{classify, classify_handshake, classify_inner};
    use crate::outcome::Outcome;

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

    #[test]
    fn status_and_code_decide() {
        let cases = [
            (
                400,
                r#"{"error":{"message":"no","type":"invalid_request_error","code":null}}"#,
                "rejected",
            ),
            (
                400,
                r#"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]"#,
                "unauthorized",
            ),
            (
                400,
                r#"{"error":{"code":"billing_hard_limit_reached"}}"#,
                "quota_exhausted",
            ),
            (
                401,
                r#"{"error":{"code":"invalid_api_key"}}"#,
                "unauthorized",
            ),
            (
                401,
                r#"{"error":{"code":"invalid_model","message":"No permission"}}"#,
                "model_unavailable",
            ),
            (402, "", "quota_exhausted"),
            (404, "not json", "model_unavailable"),
            (408, "", "server_error"),
            (413, "", "rejected"),
            (422, "", "rejected"),
            (
                429,
                r#"{"error":{"code":"rate_limit_exceeded"}}"#,
                "rate_limited",
            ),
            (
                429,
                r#"{"error":{"type":"insufficient_quota"}}"#,
                "quota_exhausted",
            ),
            (
                500,
                r#"{"error":"model runner has stopped"}"#,
                "server_error",
            ),
            (503, "", "overloaded"),
            (529, "", "overloaded"),
            (530, "", "server_error"),
        ];
        for (status, body, label) in cases {
            assert_eq!(
                classify(status, None, body.as_bytes()).label(),
                label,
                "{status} {body}"
            );
        }
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
            Outcome::RateLimited { retry_after: wait }
        );
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
            (400, "", "rejected"),
            (401, "", "unauthorized"),
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
            Outcome::RateLimited { retry_after } => retry_after.map(|wait| wait.as_millis()),
            other => panic!("{other}"),
        };
        let gemini = r#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"Help"},{"@type":"RetryInfo","retryDelay":"37s"}]}}]"#;
        assert_eq!(wait(gemini), Some(37_000));
        let words = r#"{"error":{"message":"Rate limit reached. Please try again in 1m41.724s. Visit us."}}"#;
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
}
