//! Rejections: apart from `exhausted`, the only module that chooses a status and an error body of our own.

use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use strsim::jaro_winkler;

use super::error::ErrorResponse;
use super::exhausted;
use super::headers::{attempts_header, put_ours};
use super::limited;
use super::rate_headers;
use super::record::RequestRecord;
use super::stopping;
use super::stored;
use super::story;
use crate::browser::{METHODS, Refused};
use crate::clients::{Client, Exceeded};
use crate::config::UpstreamId;
use crate::event::{ClientLimit, Refusal, RequestFailure, RequestResult};
use crate::failover::Exhausted;
use crate::routing::RouteTable;
use crate::wire::body::{Body, ReadError, full};
use crate::wire::coding::CodingError;
use crate::wire::headers::JSON;
use crate::wire::host::HostError;
use crate::wire::json::Fault;
use crate::wire::memory::NoMemory;
use crate::wire::multipart::FormError;

/// Why we reject a request.
#[derive(Debug)]
pub(super) enum Rejection {
    Browser(Refused),
    NoKey,
    WrongKey,
    ExpiredKey,
    /// The client may use other models: these.
    ModelNotAllowed {
        model: String,
        allowed: String,
    },
    /// The client has reached one of its limits.
    Limited(Box<Exceeded>),
    Method,
    Host(HostError),
    BadPath,
    TwoModels,
    Upgrade,
    Coding(CodingError),
    Body(ReadError),
    NotJson(serde_json::Error),
    Untranslatable(Fault),
    NoMemory(NoMemory),
    Form(FormError),
    NoModel,
    /// This header is not what it must be.
    Header(&'static str, &'static str),
    /// The request asks for an upstream that its route does not have; it has these.
    UnknownUpstream {
        name: UpstreamId,
        known: String,
    },
    UnknownModel {
        model: String,
        hint: String,
    },
    /// More requests arrive than the process can handle.
    Overloaded,
    TooBusy,
    OwnerUnavailable(UpstreamId),
    /// The request goes on from this answer, which was translated.
    Unstored(String),
    /// The path names this answer, which was translated.
    NoSuchResponse(String),
    /// The request goes on after this message, and nobody is known to have what was said before.
    NoThread(String),
    Exhausted(Box<Unanswered>),
    Stopping,
    Panicked,
}

impl From<Box<Exceeded>> for Rejection {
    fn from(exceeded: Box<Exceeded>) -> Self {
        Self::Limited(exceeded)
    }
}

impl From<HostError> for Rejection {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        Self::Browser(refused)
    }
}

impl From<ReadError> for Rejection {
    fn from(error: ReadError) -> Self {
        Self::Body(error)
    }
}

impl From<CodingError> for Rejection {
    fn from(error: CodingError) -> Self {
        Self::Coding(error)
    }
}

impl From<serde_json::Error> for Rejection {
    fn from(error: serde_json::Error) -> Self {
        Self::NotJson(error)
    }
}

impl From<NoMemory> for Rejection {
    fn from(why: NoMemory) -> Self {
        Self::NoMemory(why)
    }
}

impl From<FormError> for Rejection {
    fn from(error: FormError) -> Self {
        Self::Form(error)
    }
}

impl From<Unanswered> for Rejection {
    fn from(unanswered: Unanswered) -> Self {
        Self::Exhausted(Box::new(unanswered))
    }
}

/// A request that no upstream answered.
#[derive(Debug)]
pub(super) struct Unanswered {
    /// Why.
    pub(super) exhausted: Exhausted,
    /// The model that it asked for; empty if it named none.
    pub(super) model: String,
}

impl Rejection {
    /// No route matches this model; the message lists the routes.
    pub(super) fn unknown_model(model: &str, routes: &RouteTable) -> Self {
        let patterns = || routes.rules().iter().map(|rule| &**rule.pattern.as_str());
        let nearest = patterns()
            .map(|pattern| (jaro_winkler(pattern, model), pattern))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        let hint = match nearest {
            Some((_, pattern)) => format!("did you mean `{pattern}`?"),
            None => format!(
                "routes are there for: {}",
                patterns().collect::<Vec<_>>().join(", ")
            ),
        };
        Self::UnknownModel {
            model: model.to_owned(),
            hint,
        }
    }

    /// The client may not use this model; the message lists those that it may use.
    pub(super) fn model_not_allowed(model: &str, client: &Client) -> Self {
        Self::ModelNotAllowed {
            model: model.to_owned(),
            allowed: limited::allowed(client),
        }
    }

    /// What of its client's rules has refused the request.
    fn limit(&self) -> Option<ClientLimit> {
        match self {
            Self::Limited(exceeded) => Some(exceeded.limit),
            Self::ModelNotAllowed { .. } => Some(ClientLimit::Models),
            Self::ExpiredKey => Some(ClientLimit::Expiry),
            _ => None,
        }
    }

    /// Whether the client disconnected while it sent its request.
    fn is_to_nobody(&self) -> bool {
        matches!(self, Self::Body(ReadError::Broken(_)))
    }

    /// Whether there was no room for the request, and why.
    fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Overloaded => Some(Refusal::Overloaded),
            Self::TooBusy => Some(Refusal::Requests),
            Self::NoMemory(NoMemory::Now)
            | Self::Body(ReadError::NoMemory(NoMemory::Now))
            | Self::Coding(CodingError::NoMemory(NoMemory::Now)) => Some(Refusal::Memory),
            _ => None,
        }
    }

    fn error_response(&self) -> ErrorResponse {
        match self {
            Self::Browser(refused) => kept_out(refused),
            Self::NoKey => unauthorized(
                "no API key came as `Authorization: Bearer`, `x-api-key` or `api-key`; use one of the proxy's `clients`",
            ),
            Self::WrongKey => unauthorized("this API key is not among the proxy's `clients`"),
            Self::ExpiredKey => limited::expired(),
            Self::ModelNotAllowed { model, allowed } => limited::model_not_allowed(model, allowed),
            Self::Limited(exceeded) => limited::exceeded(exceeded),
            Self::Method => ErrorResponse::new(
                405,
                "method_not_allowed",
                "the proxy does not pass this method on",
            ),
            Self::Host(error) => ErrorResponse::new(400, "invalid_host", error.to_string()),
            Self::BadPath => bad_path(),
            Self::Header(name, must) => invalid_header(name, must),
            Self::UnknownUpstream { name, known } => unknown_upstream(name, known),
            Self::Upgrade => ErrorResponse::new(
                404,
                "upgrade_not_supported",
                "a WebSocket is opened with GET over HTTP/1.1, at /v1/realtime or /v1/responses",
            ),
            Self::TwoModels => two_models(),
            Self::Coding(error) => packed_wrongly(error),
            Self::Body(error) => unread(error),
            Self::NotJson(error) => {
                let message = format!("the request body is not a JSON object: {error}");
                ErrorResponse::new(400, "invalid_json", message)
            }
            Self::Untranslatable(fault) => {
                let message = format!("the JSON cannot be read: {fault}");
                ErrorResponse::new(400, "untranslatable_json", message)
            }
            Self::NoMemory(why) => no_memory(*why),
            Self::Form(error) => ErrorResponse::new(400, "invalid_form", error.to_string()),
            Self::NoModel => no_model(),
            Self::UnknownModel { model, hint } => ErrorResponse::new(
                404,
                "model_not_found",
                format!("the proxy has no route for model `{model}`; {hint}"),
            )
            .about("model"),
            Self::Overloaded => ErrorResponse::new(
                503,
                "overloaded",
                "more requests arrive than the proxy can handle (limits.queueing); send the request again later",
            )
            .after(Duration::from_secs(1)),
            Self::TooBusy => too_busy(),
            Self::OwnerUnavailable(owner) => stored::owner_unavailable(owner),
            Self::Unstored(id) => stored::unstored(id),
            Self::NoSuchResponse(id) => stored::no_response(id),
            Self::NoThread(id) => stored::no_thread(id),
            Self::Exhausted(unanswered) => {
                exhausted::error_response(&unanswered.exhausted, &unanswered.model)
            }
            Self::Stopping => stopping::error_response(),
            Self::Panicked => panicked(),
        }
    }
}

/// The error for a request that made us panic.
pub(super) fn panicked() -> ErrorResponse {
    ErrorResponse::new(
        500,
        "internal_error",
        "the request has met a bug of the proxy, whose log says where",
    )
}

fn too_busy() -> ErrorResponse {
    let message = "the proxy serves as many requests as it may (limits.requests)";
    ErrorResponse::new(503, "too_many_requests_in_flight", message).after(Duration::from_secs(1))
}

fn no_model() -> ErrorResponse {
    ErrorResponse::new(400, "missing_model", "the request names no `model`").about("model")
}

fn two_models() -> ErrorResponse {
    let message = "the query names `model` more than once";
    ErrorResponse::new(400, "invalid_query", message).about("model")
}

fn unauthorized(message: &str) -> ErrorResponse {
    ErrorResponse::new(401, "invalid_api_key", message)
}

fn invalid_header(name: &str, must: &str) -> ErrorResponse {
    let message = format!("the header {name} must be {must}");
    ErrorResponse::new(400, "invalid_header", message)
}

fn unknown_upstream(name: &UpstreamId, known: &str) -> ErrorResponse {
    let message = format!("the model's route has no upstream `{name}`; it has {known}");
    ErrorResponse::new(400, "unknown_upstream", message)
}

fn bad_path() -> ErrorResponse {
    ErrorResponse::new(
        400,
        "invalid_path",
        "servers would read the path in different ways: it must not have `.` or `..` segments, backslashes, semicolons, \
         control characters, or any of them or broken text in escapes",
    )
}

fn kept_out(refused: &Refused) -> ErrorResponse {
    let code = match refused {
        Refused::Host(_) => "host_not_allowed",
        Refused::Origin(_) | Refused::Nameless => "origin_not_allowed",
    };
    ErrorResponse::new(403, code, refused.to_string())
}

fn unread(error: &ReadError) -> ErrorResponse {
    let message = format!("the request could not be read: {error}");
    match error {
        ReadError::TooLarge(limit) => ErrorResponse::new(
            413,
            "request_too_large",
            format!(
                "the request body is larger than {limit} bytes (limits.body in the proxy's configuration)"
            ),
        ),
        ReadError::Stalled | ReadError::TooLate => {
            ErrorResponse::new(408, "request_body_timeout", message)
        }
        ReadError::Broken(_) => ErrorResponse::new(400, "request_body_broken", message),
        ReadError::NoMemory(why) => no_memory(*why),
    }
}

/// The error for a body that does not fit into the memory for bodies.
fn no_memory(why: NoMemory) -> ErrorResponse {
    match why {
        NoMemory::Now => exhausted::no_memory(why.to_string()),
        NoMemory::Ever => ErrorResponse::new(
            413,
            "request_too_large",
            "the request takes more memory than one request may have (limits.memory in the proxy's configuration)",
        ),
    }
}

fn packed_wrongly(error: &CodingError) -> ErrorResponse {
    let (status, code) = match error {
        CodingError::Unknown(_) | CodingError::Several(_) => (415, "unsupported_content_encoding"),
        CodingError::Broken(..) | CodingError::Padded => (400, "invalid_content_encoding"),
        CodingError::TooLarge(_) | CodingError::Bomb(_) => (413, "request_too_large"),
        CodingError::NoMemory(why) => return no_memory(*why),
    };
    ErrorResponse::new(status, code, error.to_string())
}

/// The error response for a rejection.
pub(super) fn respond(rejection: &Rejection, mut record: Box<RequestRecord>) -> Response<Body> {
    let error_response = rejection.error_response();
    let body = error_response.body(record.client_api, record.id.as_str());
    let mut response = Response::new(full(body));
    *response.status_mut() =
        StatusCode::from_u16(error_response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    put_ours(headers, &record);
    if let Rejection::Limited(exceeded) = rejection {
        rate_headers::put(headers, record.client_api, &exceeded.standings);
    }
    if let Some(wait) = error_response.retry_after {
        put_retry_after(headers, wait);
    }
    if matches!(rejection, Rejection::Method) {
        headers.insert(ALLOW, METHODS);
    }
    let result = match rejection {
        Rejection::Stopping | Rejection::Panicked => RequestResult::Failed,
        _ if rejection.refusal().is_some() => RequestResult::Failed,
        Rejection::Exhausted(unanswered) => exhausted::result(&unanswered.exhausted),
        _ => RequestResult::Rejected,
    };
    if error_response.is_in_vain {
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
    if let Rejection::Exhausted(unanswered) = rejection {
        let Unanswered { exhausted, model } = &**unanswered;
        if !exhausted.attempts.is_empty() {
            headers.insert("x-backstop-attempts", attempts_header(&exhausted.attempts));
        }
        record.unanswered(exhausted, story::for_log(exhausted, model));
    } else if result == RequestResult::Failed && rejection.refusal().is_none() {
        record.failure = Some(Box::new(RequestFailure {
            cause: Some(error_response.code),
            story: None,
        }));
    }
    if rejection.is_to_nobody() {
        // The record stays unfinished, so the request counts as cancelled by the client.
        return response;
    }
    record.refusal = rejection.refusal();
    record.limit = rejection.limit();
    record.answering(error_response.status, None);
    record.finish(result);
    response
}

/// SDKs sleep for as long as `retry-after` says: some without any bound, and some ignore more than a minute. So the
/// wait is always between 1 and 60 s; for a longer one, a header asks for no retry at all.
fn put_retry_after(headers: &mut HeaderMap, wait: Duration) {
    let seconds = wait.as_secs_f64().ceil();
    let whole_seconds = seconds.clamp(1.0, 60.0) as u64;
    headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds));
    if seconds > 60.0 {
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
}

#[cfg(test)]
mod tests {
    use super::{NoMemory, Refusal, Rejection};
    use crate::request::ClientApi;

    #[test]
    fn who_finds_no_room_is_asked_to_come_back_soon() {
        for (rejection, refusal, code) in [
            (Rejection::Overloaded, Refusal::Overloaded, "overloaded"),
            (
                Rejection::TooBusy,
                Refusal::Requests,
                "too_many_requests_in_flight",
            ),
            (
                Rejection::NoMemory(NoMemory::Now),
                Refusal::Memory,
                "memory_limit_reached",
            ),
        ] {
            assert_eq!(rejection.refusal(), Some(refusal));
            let error = rejection.error_response();
            assert_eq!(error.status, 503);
            assert!(error.retry_after.is_some());
            let body = error.body(ClientApi::OpenAi, "");
            assert!(body.contains(code), "{body}");
        }
        assert_eq!(Rejection::NoMemory(NoMemory::Ever).refusal(), None);
    }
}
