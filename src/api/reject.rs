//! Refusing: the only place that chooses a status and an error body of ours.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use serde_json::{Value, json};
use strsim::jaro_winkler;

use super::respond;
use super::tally::Tally;
use crate::event::{AttemptReport, RequestResult};
use crate::failover::{Exhausted, PassedOver};
use crate::outcome::Outcome;
use crate::routing::RouteTable;
use crate::wire::body::{Body, ReadError, full};

/// Why a client gets an error from us.
#[derive(Debug)]
pub(super) enum Rejection {
    NoKey,
    WrongKey,
    BadPath,
    Upgrade,
    Compressed,
    Body(ReadError),
    NotJson(serde_json::Error),
    NoModel,
    UnknownModel { model: String, hint: String },
    TooBusy,
    Exhausted(Exhausted),
}

impl From<ReadError> for Rejection {
    fn from(error: ReadError) -> Self {
        Self::Body(error)
    }
}

impl From<serde_json::Error> for Rejection {
    fn from(error: serde_json::Error) -> Self {
        Self::NotJson(error)
    }
}

impl From<Exhausted> for Rejection {
    fn from(exhausted: Exhausted) -> Self {
        Self::Exhausted(exhausted)
    }
}

impl Rejection {
    /// No route is for this model; says which are there.
    pub(super) fn unknown_model(model: &str, routes: &RouteTable) -> Self {
        let patterns = || routes.rules().iter().map(|rule| rule.pattern.as_str());
        let nearest = patterns()
            .map(|pattern| (jaro_winkler(pattern, model), pattern))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        let hint = match nearest {
            Some((_, pattern)) => format!("did you mean `{pattern}`?"),
            None => format!(
                "routes are there for: {}",
                patterns()
                    .map(|text| &**text)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        Self::UnknownModel {
            model: model.to_owned(),
            hint,
        }
    }

    fn parts(&self) -> ErrorParts {
        match self {
            Self::NoKey => ErrorParts::new(
                401,
                "invalid_api_key",
                "no API key was sent; use one of the keys that the proxy's configuration lists under `clients`",
            ),
            Self::WrongKey => ErrorParts::new(
                401,
                "invalid_api_key",
                "this API key is not one of the proxy's `clients`",
            ),
            Self::BadPath => ErrorParts::new(
                400,
                "invalid_path",
                "the path must not contain `.` or `..` segments",
            ),
            Self::Upgrade => ErrorParts::new(
                404,
                "upgrade_not_supported",
                "WebSockets are not relayed yet; use plain HTTP requests",
            ),
            Self::Compressed => ErrorParts::new(
                415,
                "unsupported_content_encoding",
                "compressed request bodies are not read yet; send the body without content-encoding",
            ),
            Self::Body(ReadError::TooLarge(limit)) => ErrorParts::new(
                413,
                "request_too_large",
                format!(
                    "the request body is larger than {limit} bytes (limits.body in the proxy's configuration)"
                ),
            ),
            Self::Body(error) => ErrorParts::new(
                408,
                "request_body_timeout",
                format!("the request could not be read: {error}"),
            ),
            Self::NotJson(error) => ErrorParts::new(
                400,
                "invalid_json",
                format!("the request body is not a JSON object: {error}"),
            ),
            Self::NoModel => {
                ErrorParts::new(400, "missing_model", "the request names no `model`").about("model")
            }
            Self::UnknownModel { model, hint } => ErrorParts::new(
                404,
                "model_not_found",
                format!("the proxy has no route for model `{model}`; {hint}"),
            )
            .about("model"),
            Self::TooBusy => ErrorParts::new(
                503,
                "too_many_requests_in_flight",
                "the proxy serves as many requests as it may (limits.requests)",
            )
            .after(Duration::from_secs(1)),
            Self::Exhausted(exhausted) => exhausted_parts(exhausted),
        }
    }
}

/// What an error response is made of.
struct ErrorParts {
    status: u16,
    code: &'static str,
    message: String,
    param: Option<&'static str>,
    retry_after: Option<Duration>,
    attempts: Option<Value>,
}

impl ErrorParts {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            param: None,
            retry_after: None,
            attempts: None,
        }
    }

    fn about(self, param: &'static str) -> Self {
        Self {
            param: Some(param),
            ..self
        }
    }

    fn after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    fn kind(&self) -> &'static str {
        match self.status {
            401 => "authentication_error",
            429 => "rate_limit_error",
            500.. => "upstream_error",
            _ => "invalid_request_error",
        }
    }
}

/// The error response for a rejection.
pub(super) fn respond(rejection: &Rejection, mut tally: Tally) -> Response<Body> {
    let parts = rejection.parts();
    let mut error = json!({
        "message": parts.message,
        "type": parts.kind(),
        "param": parts.param,
        "code": parts.code,
    });
    if let Some(attempts) = &parts.attempts {
        error["attempts"] = attempts.clone();
    }
    let mut response = Response::new(full(json!({ "error": error }).to_string()));
    *response.status_mut() =
        StatusCode::from_u16(parts.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-request-id", respond::header(tally.id.as_str()));
    if let Some(wait) = parts.retry_after {
        put_retry_after(headers, wait);
    }
    let mut result = RequestResult::Rejected;
    if let Rejection::Exhausted(exhausted) = rejection {
        headers.insert("x-backstop-attempts", respond::trail(&exhausted.attempts));
        tally.attempts = exhausted.attempts.len();
        result = RequestResult::Failed;
    }
    tally.answering(parts.status, None);
    tally.finish(result);
    response
}

/// SDKs sleep for what they are told, some without any bound, and some ignore more than a minute: so a wait is
/// always between 1 and 60 s, and a longer one is said by asking for no retry at all.
fn put_retry_after(headers: &mut http::HeaderMap, wait: Duration) {
    let seconds = wait.as_secs_f64().ceil();
    headers.insert(
        RETRY_AFTER,
        HeaderValue::from(seconds.clamp(1.0, 60.0) as u64),
    );
    if seconds > 60.0 {
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
}

fn exhausted_parts(exhausted: &Exhausted) -> ErrorParts {
    let told = exhausted.attempts.iter().map(told_attempt);
    let passed = exhausted
        .passed_over
        .iter()
        .map(|(upstream, why)| format!("{upstream}: not asked, {}", why.reason()));
    let story: Vec<String> = told.chain(passed).collect();
    let (status, code, summary) = verdict(exhausted);
    let message = format!("{summary}: {}", story.join("; "));
    ErrorParts {
        attempts: Some(exhausted.attempts.iter().map(attempt_json).collect()),
        // A model that nobody has does not come by waiting.
        retry_after: (status != 404).then(|| exhausted.retry_in.unwrap_or(Duration::from_secs(1))),
        ..ErrorParts::new(status, code, message)
    }
}

fn verdict(exhausted: &Exhausted) -> (u16, &'static str, &'static str) {
    let all = |wanted: fn(&Outcome) -> bool| {
        exhausted
            .attempts
            .iter()
            .all(|attempt| wanted(&attempt.outcome))
    };
    let may_come_back = exhausted
        .passed_over
        .iter()
        .any(|(_, why)| *why == PassedOver::OutOfRotation);
    let is_throttled = exhausted
        .passed_over
        .iter()
        .any(|(_, why)| *why == PassedOver::AskedToWait);
    let has_attempts = !exhausted.attempts.is_empty();
    if (has_attempts || is_throttled)
        && !may_come_back
        && all(|outcome| matches!(outcome, Outcome::RateLimited { .. }))
    {
        return (429, "rate_limit_exceeded", "every upstream is rate limited");
    }
    if has_attempts
        && !may_come_back
        && !is_throttled
        && all(|outcome| *outcome == Outcome::ModelUnavailable)
    {
        return (404, "model_not_found", "no upstream has this model");
    }
    if !has_attempts {
        return (
            503,
            "no_upstream_available",
            "no upstream can serve this request",
        );
    }
    (503, "all_upstreams_failed", "all upstreams failed")
}

fn told_attempt(attempt: &AttemptReport) -> String {
    let detail = attempt
        .detail
        .as_ref()
        .map_or_else(String::new, |detail| format!(", {detail}"));
    format!("{}: {}{detail}", attempt.upstream, attempt.outcome)
}

fn attempt_json(attempt: &AttemptReport) -> Value {
    json!({
        "upstream": attempt.upstream.as_ref(),
        "outcome": attempt.outcome.label(),
        "status": attempt.outcome.status(),
        "detail": attempt.detail,
        "elapsed_ms": attempt.elapsed.as_millis() as u64,
    })
}
