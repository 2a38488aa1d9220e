//! What an attempt ends with: something for the client, or a reason to go on.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::Incoming;

use crate::dialect::openai::StreamReader;
use crate::outcome::{Defect, Outcome, Stage};
use crate::upstream::SendError;
use crate::wire::body::ReadError;
use crate::wire::sse::Framer;

/// An attempt that brought something for the client.
#[derive(Debug)]
pub(super) struct Won {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: WonBody,
    /// Success, or the upstream's verdict that the request is wrong.
    pub(super) outcome: Outcome,
}

/// The body that was won.
#[derive(Debug)]
pub(super) enum WonBody {
    Whole(Bytes),
    Stream(Box<Held>),
}

/// An attempt that brought nothing.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) outcome: Outcome,
    pub(super) detail: Option<String>,
}

impl From<Outcome> for Lost {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            detail: None,
        }
    }
}

impl From<SendError> for Lost {
    fn from(error: SendError) -> Self {
        Self {
            outcome: error.outcome,
            detail: Some(error.detail),
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
            outcome,
            detail: Some(error.to_string()),
        }
    }
}

/// A stream whose first content is there.
#[derive(Debug)]
pub(super) struct Held {
    /// What has come so far, whole events only.
    pub(super) first: Bytes,
    /// What is still to come.
    pub(super) rest: Incoming,
    /// The longest silence allowed from now on.
    pub(super) idle: Duration,
    /// How to read it; `None` for bytes of unknown meaning.
    pub(super) events: Option<Events>,
}

/// What it takes to follow a stream of events.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) framer: Framer,
    pub(super) reader: StreamReader,
}

impl Held {
    /// Bytes that nobody looks into.
    pub(super) fn opaque(rest: Incoming, idle: Duration) -> Self {
        Self {
            first: Bytes::new(),
            rest,
            idle,
            events: None,
        }
    }
}
