//! What an attempt ends with: an answer for the client, or a failure.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::LOCATION;
use hyper::upgrade::Upgraded;
use serde::Deserialize;
use tokio::time::Instant;

use super::events::EventStream;
use super::secrets::Secrets;
use super::timers::StreamTimeouts;
use crate::catalogue::{Prefill, Unwanted};
use crate::config::UpstreamId;
use crate::event::Tokens;
use crate::outcome::{Defect, Outcome, Stage};
use crate::upstream::{ReplyBody, Seat, SendError};
use crate::wire::body::ReadError;
use crate::wire::memory::NoMemory;

/// An attempt that has an answer for the client.
#[derive(Debug)]
pub(in crate::failover) struct AttemptAnswer {
    pub(in crate::failover) status: u16,
    pub(in crate::failover) headers: HeaderMap,
    pub(in crate::failover) body: AttemptBody,
    /// Success, or the upstream's rejection of the request; for a forwarded request, what its status says.
    pub(in crate::failover) outcome: Outcome,
    /// Fields of the request that the translation had to drop.
    pub(in crate::failover) dropped: Vec<String>,
    /// Whether the upstream may have stored something that can be referred to later.
    pub(in crate::failover) is_kept: bool,
    /// What a whole answer costs, if the upstream says so.
    pub(in crate::failover) tokens: Option<Tokens>,
    /// For a forwarded request: whether there is nothing at its path, so that nothing was done.
    pub(in crate::failover) is_lacking: bool,
}

impl AttemptAnswer {
    /// An answer to a request from which nothing was dropped.
    pub(in crate::failover) fn new(
        status: u16,
        headers: HeaderMap,
        body: AttemptBody,
        outcome: Outcome,
    ) -> Self {
        Self {
            status,
            headers,
            body,
            outcome,
            dropped: Vec::new(),
            is_kept: false,
            tokens: None,
            is_lacking: false,
        }
    }

    /// Whether the upstream says that the request itself is wrong.
    pub(in crate::failover) fn is_rejection(&self) -> bool {
        matches!(self.outcome, Outcome::RejectedRequest { .. })
    }

    /// Where the upstream has put what it has created, if a header says so.
    pub(in crate::failover) fn created_at(&self) -> Option<&str> {
        let place = self.headers.get(LOCATION)?.to_str().ok()?;
        matches!(self.status, 200..=299).then_some(place)
    }
}

/// How an attempt has ended. Its answer is boxed, because it is handed on often.
pub(in crate::failover) type Ended = Result<Box<AttemptAnswer>, Failure>;

/// The body of an answer.
#[derive(Debug)]
pub(in crate::failover) enum AttemptBody {
    Whole(Bytes),
    Stream(Box<Held>),
    Opaque(Box<Opaque>),
    /// A connection that speaks WebSocket from here on.
    Upgraded(Box<Opened>),
}

/// A connection that speaks WebSocket from here on.
#[derive(Debug)]
pub(in crate::failover) struct Opened {
    pub(in crate::failover) connection: Upgraded,
    /// Its seat at an upstream that serves a limited number of requests at a time.
    pub(in crate::failover) seat: Option<Seat>,
    /// How long the upstream may take nothing of what waits for it.
    pub(in crate::failover) patience: Duration,
}

/// An attempt that failed.
#[derive(Debug)]
pub(in crate::failover) struct Failure {
    pub(in crate::failover) outcome: Outcome,
    pub(in crate::failover) detail: Option<String>,
    /// The error that the upstream sent about the request, in the client's API.
    pub(in crate::failover) error: Option<Box<UpstreamError>>,
    /// Whether the error may be about our changes to the request, so that other candidates are asked.
    pub(in crate::failover) is_doubtful: bool,
    /// Optional fields of the request that the error refuses by their names.
    pub(in crate::failover) unwanted: Unwanted,
}

impl Failure {
    /// A failure with the error that the upstream sent about the request.
    pub(in crate::failover) fn by_upstream_error(outcome: Outcome, error: UpstreamError) -> Self {
        Self {
            detail: error.reason(),
            error: Some(Box::new(error)),
            ..outcome.into()
        }
    }

    /// A failure that an event of the stream reports.
    pub(super) fn by_event(outcome: Outcome, error_event: Bytes) -> Self {
        let error = UpstreamError {
            status: outcome.status().unwrap_or(400),
            headers: HeaderMap::new(),
            body: error_event,
        };
        Self {
            error: Some(Box::new(error)),
            ..outcome.into()
        }
    }

    /// A whole answer in which nothing is said.
    pub(super) fn silent(status: u16, headers: HeaderMap, body: Bytes) -> Self {
        let answer = UpstreamError {
            status,
            headers,
            body,
        };
        Self {
            error: Some(Box::new(answer)),
            ..Outcome::InvalidReply(Defect::Silent).into()
        }
    }

    /// Whether nothing is said in a whole answer.
    pub(in crate::failover) fn is_silent(&self) -> bool {
        self.outcome == Outcome::InvalidReply(Defect::Silent)
    }

    /// The headers ask us to wait this long: that counts if the stream itself does not say.
    pub(super) fn until(mut self, wait: Option<Duration>) -> Self {
        if let Outcome::RateLimited { retry_after, .. } | Outcome::Overloaded { retry_after, .. } =
            &mut self.outcome
        {
            *retry_after = retry_after.or(wait);
        }
        self
    }

    /// A rejection that may be about our changes to the request.
    pub(in crate::failover) fn doubtful(answer: AttemptAnswer) -> Self {
        let failure = match answer.body {
            AttemptBody::Whole(body) => {
                let error = UpstreamError {
                    status: answer.status,
                    headers: answer.headers,
                    body,
                };
                Self::by_upstream_error(answer.outcome, error)
            }
            _ => answer.outcome.into(),
        };
        Self {
            is_doubtful: true,
            ..failure
        }
    }
}

/// An error that an upstream sent about a request, or an answer in which nothing is said. It goes to the client if nobody
/// answers.
#[derive(Debug)]
pub(in crate::failover) struct UpstreamError {
    pub(in crate::failover) status: u16,
    pub(in crate::failover) headers: HeaderMap,
    pub(in crate::failover) body: Bytes,
}

/// The most that is shown of a reason, in characters.
const LONGEST_REASON: usize = 300;

/// `{"error": {"message": "..."}}`, as both `OpenAI`'s and Anthropic's clients get it.
#[derive(Deserialize)]
struct ErrorBody {
    error: Reason,
}

#[derive(Deserialize)]
struct Reason {
    message: String,
}

impl UpstreamError {
    /// Its message, shortened.
    fn reason(&self) -> Option<String> {
        let error_body: ErrorBody = serde_json::from_slice(&self.body).ok()?;
        let reason = shortened(&error_body.error.message);
        // That is what we say ourselves where the upstream says nothing.
        (!reason.ends_with(" gave no reason")).then_some(reason)
    }
}

/// The beginning of a text in the upstream's words, without what is left of a key that it has masked itself
/// (`sk-ab***yz`).
pub(super) fn shortened(text: &str) -> String {
    let is_masked = |piece: &str| piece.find("**").is_some_and(|at| at > 0);
    let pieces = text
        .split(' ')
        .map(|piece| if is_masked(piece) { "***" } else { piece });
    let mut short = pieces.collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = short.char_indices().nth(LONGEST_REASON) {
        short.truncate(end);
        short.push('…');
    }
    short
}

/// An upstream error with its upstream.
#[derive(Debug)]
pub(in crate::failover) struct ReceivedError {
    pub(in crate::failover) upstream: UpstreamId,
    pub(in crate::failover) error: Box<UpstreamError>,
    /// The place of its attempt among all attempts of the request.
    pub(in crate::failover) place: usize,
    /// Whether it is the first choice's: then it is the answer even if other candidates failed otherwise.
    pub(in crate::failover) is_first_choices: bool,
    /// Whether it is an answer in which nothing is said.
    pub(in crate::failover) is_silent: bool,
    /// Whether it says that the request is wrong, and not only that it is not for this upstream.
    pub(in crate::failover) is_rejection: bool,
}

impl From<Outcome> for Failure {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            detail: None,
            error: None,
            is_doubtful: false,
            unwanted: Unwanted::NONE,
        }
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        Self {
            detail: Some(error.detail),
            ..error.outcome.into()
        }
    }
}

impl From<NoMemory> for Failure {
    fn from(error: NoMemory) -> Self {
        Self {
            detail: Some(error.to_string()),
            ..Outcome::NoMemory.into()
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let outcome = match error {
            ReadError::TooLarge(_) => Outcome::InvalidReply(Defect::TooLarge),
            ReadError::Stalled => Outcome::TimedOut(Stage::Idle),
            ReadError::TooLate => Outcome::TimedOut(Stage::Total),
            ReadError::Broken(_) => Outcome::ConnectionLost,
            ReadError::NoMemory(_) => Outcome::NoMemory,
        };
        Self {
            detail: Some(error.to_string()),
            ..outcome.into()
        }
    }
}

/// A stream whose first content has come.
#[derive(Debug)]
pub(in crate::failover) struct Held {
    /// What has come so far, whole events only.
    pub(in crate::failover) first: Bytes,
    /// What is still to come.
    pub(in crate::failover) rest: ReplyBody,
    /// The reader of its events.
    pub(in crate::failover) events: EventStream,
    /// Its timeouts.
    pub(in crate::failover) limits: StreamTimeouts,
    /// When the first content came.
    pub(in crate::failover) since: Instant,
    /// How the upstream was asked to continue the start of an answer.
    pub(in crate::failover) prefill: Prefill,
    /// How long the client may get nothing before it gets a sign of life.
    pub(in crate::failover) keepalive: Duration,
    /// What its errors must not show.
    pub(in crate::failover) secrets: Secrets,
}

/// A body of unknown meaning.
#[derive(Debug)]
pub(in crate::failover) struct Opaque {
    /// What has come of it so far.
    pub(in crate::failover) first: Option<Bytes>,
    /// What is still to come.
    pub(in crate::failover) rest: ReplyBody,
    /// Its length, if the upstream has announced it.
    pub(in crate::failover) length: Option<u64>,
    /// Whether it consists of events, so that an error may be its end.
    pub(in crate::failover) is_events: bool,
    /// Its timeouts.
    pub(in crate::failover) limits: StreamTimeouts,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::HeaderMap;
    use http::header::LOCATION;

    use super::{AttemptAnswer, AttemptBody, Failure, LONGEST_REASON, UpstreamError, shortened};
    use crate::outcome::Outcome;
    use crate::wire::body::ReadError;
    use crate::wire::memory::NoMemory;

    const REJECTED: Outcome = Outcome::RejectedRequest { status: 400 };

    fn answer(status: u16, outcome: Outcome, body: &'static str) -> AttemptAnswer {
        let body = AttemptBody::Whole(Bytes::from_static(body.as_bytes()));
        AttemptAnswer::new(status, HeaderMap::new(), body, outcome)
    }

    #[test]
    fn what_an_upstream_has_created_lies_where_its_success_says() {
        let place = |status| {
            let mut answer = answer(status, Outcome::Success, "");
            let location = "/v1/responses/resp_1".parse().unwrap();
            answer.headers.insert(LOCATION, location);
            answer.created_at().map(str::to_owned)
        };
        assert_eq!(place(201).as_deref(), Some("/v1/responses/resp_1"));
        assert_eq!(place(302), None);
        assert_eq!(answer(201, Outcome::Success, "").created_at(), None);
    }

    #[test]
    fn a_failure_keeps_what_the_upstream_said() {
        let said = r#"{"error": {"message": "no such tool"}}"#;
        let doubtful = Failure::doubtful(answer(400, REJECTED, said));
        assert!(doubtful.is_doubtful && !doubtful.is_silent());
        assert_eq!(doubtful.detail.as_deref(), Some("no such tool"));
        assert_eq!(doubtful.error.unwrap().body, said);
        for (outcome, status) in [(REJECTED, 400), (Outcome::ServerError { status: 503 }, 503)] {
            let event = Failure::by_event(outcome, Bytes::from_static(said.as_bytes()));
            let error = event.error.unwrap();
            assert_eq!((error.status, error.body), (status, Bytes::from(said)));
        }
        let silent = Failure::silent(200, HeaderMap::new(), Bytes::from("{}"));
        assert!(silent.is_silent());
        assert_eq!(silent.error.unwrap().body, "{}");
        let large = Failure::from(ReadError::TooLarge(7));
        assert!(large.detail.is_some_and(|detail| !detail.is_empty()));
        let no_memory = Failure::from(NoMemory::Now);
        assert!(no_memory.detail.is_some_and(|detail| !detail.is_empty()));
    }

    #[test]
    fn a_reason_is_given_where_the_upstream_gave_one() {
        let reason = |body: &'static str| {
            let error = UpstreamError {
                status: 400,
                headers: HeaderMap::new(),
                body: Bytes::from_static(body.as_bytes()),
            };
            error.reason()
        };
        let said = reason(r#"{"error": {"message": "no such tool", "code": 1}}"#);
        assert_eq!(said.as_deref(), Some("no such tool"));
        let ours = r#"{"error": {"message": "the upstream gave no reason"}}"#;
        assert_eq!(reason(ours), None);
        assert_eq!(reason("<html>"), None);
    }

    #[test]
    fn a_pause_is_as_long_as_the_stream_says_and_else_as_its_headers_say() {
        let [said, asked] = [2, 30].map(Duration::from_secs);
        let limited = |retry_after| Outcome::RateLimited {
            status: 429,
            retry_after,
            is_daily: false,
        };
        let until = |outcome: Outcome| Failure::from(outcome).until(Some(asked)).outcome;
        assert_eq!(until(limited(None)), limited(Some(asked)));
        assert_eq!(until(limited(Some(said))), limited(Some(said)));
        assert_eq!(until(REJECTED), REJECTED);
    }

    #[test]
    fn an_answer_is_no_rejection() {
        let is_rejection = |status, outcome| {
            let body = AttemptBody::Whole(Bytes::new());
            AttemptAnswer::new(status, HeaderMap::new(), body, outcome).is_rejection()
        };
        assert!(!is_rejection(200, Outcome::Success));
        assert!(is_rejection(400, Outcome::RejectedRequest { status: 400 }));
    }

    #[test]
    fn a_reason_shows_no_part_of_a_key_that_the_upstream_has_masked() {
        assert_eq!(
            shortened("Wrong key: sk-ab****yz. **Ask** sk-c** for it, or a*b."),
            "Wrong key: *** **Ask** *** for it, or a*b."
        );
    }

    #[test]
    fn a_long_reason_ends_at_a_whole_letter() {
        let longest = "ä".repeat(LONGEST_REASON);
        assert_eq!(shortened(&longest), longest);
        assert_eq!(shortened(&format!("{longest}ä")), longest + "…");
    }
}
