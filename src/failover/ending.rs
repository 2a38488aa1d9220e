//! What an attempt ends with: something for the client, or a reason to go on.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::LOCATION;
use hyper::upgrade::Upgraded;
use serde::Deserialize;
use tokio::time::Instant;

use super::events::EventStream;
use super::timers::Limits;
use crate::config::{Prefill, UpstreamId};
use crate::outcome::{Blame, Defect, Outcome, Stage};
use crate::upstream::{ReplyBody, SendError};
use crate::wire::body::ReadError;

/// An attempt that brought something for the client.
#[derive(Debug)]
pub(super) struct Won {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: WonBody,
    /// Success, or the upstream's verdict that the request is wrong; of a forwarded request, whatever its status tells.
    pub(super) outcome: Outcome,
    /// Fields of the request that its translation had to leave out.
    pub(super) dropped: Vec<String>,
    /// Whether its upstream may keep something that can be referred to later.
    pub(super) is_kept: bool,
}

impl Won {
    /// Won by a request from which nothing was left out.
    pub(super) fn new(status: u16, headers: HeaderMap, body: WonBody, outcome: Outcome) -> Self {
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
pub(super) enum WonBody {
    Whole(Bytes),
    Stream(Box<Held>),
    Opaque(Box<Opaque>),
    /// A connection that speaks WebSocket from here on.
    Switched(Upgraded),
}

/// An attempt that brought nothing.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) outcome: Outcome,
    pub(super) detail: Option<String>,
    /// What the upstream has said against the request, in the client's words.
    pub(super) verdict: Option<Box<Verdict>>,
    /// Whether that may be about our words rather than the client's, so that others are asked.
    pub(super) is_doubtful: bool,
}

impl Lost {
    /// By what an upstream has said against the request.
    pub(super) fn by_verdict(outcome: Outcome, verdict: Verdict) -> Self {
        Self {
            detail: verdict.reason(),
            verdict: Some(Box::new(verdict)),
            ..outcome.into()
        }
    }

    /// By an event that says so.
    pub(super) fn by_event(outcome: Outcome, said: Bytes) -> Self {
        let verdict = Verdict {
            status: outcome.status().unwrap_or(400),
            headers: HeaderMap::new(),
            body: said,
        };
        Self {
            verdict: (outcome.blame() == Blame::Client).then(|| Box::new(verdict)),
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
    pub(super) fn doubtful(won: Won) -> Self {
        let lost = match won.body {
            WonBody::Whole(body) => {
                let verdict = Verdict {
                    status: won.status,
                    headers: won.headers,
                    body,
                };
                Self::by_verdict(won.outcome, verdict)
            }
            _ => won.outcome.into(),
        };
        Self {
            is_doubtful: true,
            ..lost
        }
    }
}

/// An upstream's word against a request, which goes to the client if nobody else answers.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Enough of a reason to understand it.
const LONGEST_REASON: usize = 300;

/// `{"error": {"message": "..."}}`, as both `OpenAI`'s and Anthropic's clients are told.
#[derive(Deserialize)]
struct Told {
    error: Reason,
}

#[derive(Deserialize)]
struct Reason {
    message: String,
}

impl Verdict {
    /// What it says in words, shortened.
    fn reason(&self) -> Option<String> {
        let told: Told = serde_json::from_slice(&self.body).ok()?;
        let mut reason = told.error.message;
        if let Some((end, _)) = reason.char_indices().nth(LONGEST_REASON) {
            reason.truncate(end);
            reason.push('…');
        }
        Some(reason)
    }
}

/// What an upstream has said against a request.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) upstream: UpstreamId,
    pub(super) verdict: Box<Verdict>,
    /// Whether it stands whatever becomes of the others: it is the word of whom the client would have asked without us.
    pub(super) is_definite: bool,
}

impl From<Outcome> for Lost {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            detail: None,
            verdict: None,
            is_doubtful: false,
        }
    }
}

impl From<SendError> for Lost {
    fn from(error: SendError) -> Self {
        Self {
            detail: Some(error.detail),
            ..error.outcome.into()
        }
    }
}

impl From<ReadError> for Lost {
    fn from(error: ReadError) -> Self {
        let outcome = match error {
            ReadError::TooLarge(_) => Outcome::InvalidReply(Defect::TooLarge),
            ReadError::Stalled => Outcome::TimedOut(Stage::Idle),
            ReadError::TooLate => Outcome::TimedOut(Stage::Total),
            ReadError::Broken(_) => Outcome::ConnectionLost,
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
    pub(super) limits: Limits,
    /// When the first content came.
    pub(super) since: Instant,
    /// How the upstream was asked to continue a given beginning.
    pub(super) prefill: Prefill,
}

/// A body of unknown meaning.
#[derive(Debug)]
pub(super) struct Opaque {
    pub(super) rest: ReplyBody,
    /// How long it is, if the upstream has said so.
    pub(super) length: Option<u64>,
    /// How patient it is waited for.
    pub(super) limits: Limits,
}
