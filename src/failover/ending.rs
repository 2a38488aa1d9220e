//! What an attempt ends with: something for the client, or a reason to go on.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::LOCATION;
use hyper::upgrade::Upgraded;
use serde::Deserialize;
use tokio::time::Instant;

use super::events::EventStream;
use super::timers::StreamTimeouts;
use crate::config::{Prefill, UpstreamId};
use crate::outcome::{Blame, Defect, Outcome, Stage};
use crate::upstream::{ReplyBody, SendError};
use crate::wire::body::ReadError;
use crate::wire::memory::NoMemory;

/// An attempt that brought something for the client.
#[derive(Debug)]
pub(super) struct AttemptAnswer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: AttemptBody,
    /// Success, or the upstream's verdict that the request is wrong; of a forwarded request, whatever its status tells.
    pub(super) outcome: Outcome,
    /// Fields of the request that its translation had to leave out.
    pub(super) dropped: Vec<String>,
    /// Whether its upstream may keep something that can be referred to later.
    pub(super) is_kept: bool,
}

impl AttemptAnswer {
    /// The answer to a request from which nothing was left out.
    pub(super) fn new(
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
        }
    }

    /// Where the upstream has put what it has created, if it tells by a header.
    pub(super) fn created_at(&self) -> Option<&str> {
        let place = self.headers.get(LOCATION)?.to_str().ok()?;
        matches!(self.status, 200..=299).then_some(place)
    }
}

/// The body that was won.
#[derive(Debug)]
pub(super) enum AttemptBody {
    Whole(Bytes),
    Stream(Box<Held>),
    Opaque(Box<Opaque>),
    /// A connection that speaks WebSocket from here on.
    Upgraded(Upgraded),
}

/// An attempt that brought nothing.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) outcome: Outcome,
    pub(super) detail: Option<String>,
    /// What the upstream has said against the request, in the client's words.
    pub(super) error: Option<Box<UpstreamError>>,
    /// Whether that may be about our words rather than the client's, so that others are asked.
    pub(super) is_doubtful: bool,
}

impl Failure {
    /// By what an upstream has said against the request.
    pub(super) fn by_upstream_error(outcome: Outcome, error: UpstreamError) -> Self {
        Self {
            detail: error.reason(),
            error: Some(Box::new(error)),
            ..outcome.into()
        }
    }

    /// By an event that says so.
    pub(super) fn by_event(outcome: Outcome, error_event: Bytes) -> Self {
        let error = UpstreamError {
            status: outcome.status().unwrap_or(400),
            headers: HeaderMap::new(),
            body: error_event,
        };
        Self {
            error: (outcome.blame() == Blame::Client).then(|| Box::new(error)),
            ..outcome.into()
        }
    }

    /// Its headers have asked us to stay away for so long: that counts where the stream itself did not say.
    pub(super) fn until(mut self, wait: Option<Duration>) -> Self {
        if let Outcome::RateLimited { retry_after } | Outcome::Overloaded { retry_after, .. } =
            &mut self.outcome
        {
            *retry_after = retry_after.or(wait);
        }
        self
    }

    /// By a verdict that may be about our words.
    pub(super) fn doubtful(answer: AttemptAnswer) -> Self {
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

/// An upstream's word against a request, which goes to the client if nobody else answers.
#[derive(Debug)]
pub(super) struct UpstreamError {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Enough of a reason to understand it.
const LONGEST_REASON: usize = 300;

/// `{"error": {"message": "..."}}`, as both `OpenAI`'s and Anthropic's clients are told.
#[derive(Deserialize)]
struct ErrorBody {
    error: Reason,
}

#[derive(Deserialize)]
struct Reason {
    message: String,
}

impl UpstreamError {
    /// What it says in words, shortened.
    fn reason(&self) -> Option<String> {
        let error_body: ErrorBody = serde_json::from_slice(&self.body).ok()?;
        let mut reason = error_body.error.message;
        if let Some((end, _)) = reason.char_indices().nth(LONGEST_REASON) {
            reason.truncate(end);
            reason.push('…');
        }
        Some(reason)
    }
}

/// What an upstream has said against a request.
#[derive(Debug)]
pub(super) struct ReceivedError {
    pub(super) upstream: UpstreamId,
    pub(super) error: Box<UpstreamError>,
    /// Whether it stands whatever becomes of the others: it is the word of whom the client would have asked without us.
    pub(super) is_definite: bool,
}

impl From<Outcome> for Failure {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            detail: None,
            error: None,
            is_doubtful: false,
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

/// A stream whose first content is there.
#[derive(Debug)]
pub(super) struct Held {
    /// What has come so far, whole events only.
    pub(super) first: Bytes,
    /// What is still to come.
    pub(super) rest: ReplyBody,
    /// How to read it.
    pub(super) events: EventStream,
    /// How patient it is waited for.
    pub(super) limits: StreamTimeouts,
    /// When the first content came.
    pub(super) since: Instant,
    /// How the upstream was asked to continue a given beginning.
    pub(super) prefill: Prefill,
}

/// A body of unknown meaning.
#[derive(Debug)]
pub(super) struct Opaque {
    /// What has come of it so far.
    pub(super) first: Option<Bytes>,
    /// What is still to come.
    pub(super) rest: ReplyBody,
    /// How long it is, if the upstream has said so.
    pub(super) length: Option<u64>,
    /// How patient it is waited for.
    pub(super) limits: StreamTimeouts,
}
