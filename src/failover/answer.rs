//! What a run ends with: an answer, or everything that is known about why there is none.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::Body;

use super::ending::ReceivedError;
use super::{OpaqueStream, Relay, SupervisedStream};
use crate::config::{Continuation, UpstreamId};
use crate::event::AttemptReport;
use crate::outcome::Blame;
use crate::wire::body::BodyError;

/// An upstream's answer, on its way to the client.
#[derive(Debug)]
pub struct Answer {
    /// The upstream's status: a success, or its rejection of the request; for a forwarded request, any.
    pub status: u16,
    /// The upstream's headers, unchanged.
    pub headers: HeaderMap,
    /// The body.
    pub body: AnswerBody,
    /// Who answered.
    pub served_by: UpstreamId,
    /// All attempts, the one that answered last.
    pub attempts: Vec<AttemptReport>,
    /// How long we waited for upstreams.
    pub waited: Duration,
    /// Fields of the request that the translation had to drop.
    pub dropped: Vec<String>,
    /// Whether a stream would continue elsewhere if it broke off; `None` unless its route asks for that.
    pub continuation: Option<Continuability>,
}

/// Whether a stream would continue elsewhere if it broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuability {
    /// It would, in this way.
    Possible(Continuation),
    /// The request has something that cannot be continued.
    Refused(&'static str),
}

/// The body of an answer.
#[derive(Debug)]
pub enum AnswerBody {
    /// Complete, and checked.
    Whole(Bytes),
    /// Events, supervised while they pass.
    Stream(Box<SupervisedStream>),
    /// Bytes of unknown meaning, supervised while they pass.
    Opaque(Box<OpaqueStream>),
    /// A WebSocket, ready to be relayed.
    Relay(Box<Relay>),
}

/// A body that is supervised to its end.
pub trait Watched: Body<Data = Bytes, Error = BodyError> + Unpin {
    /// How it ended, as soon as all of it has been handed out.
    fn ended(&self) -> Option<StreamEnd>;
}

/// How a supervised body ended.
#[derive(Clone, Copy, Debug)]
pub struct StreamEnd {
    /// How many attempts it took.
    pub attempts: usize,
    /// Whether it ended before it was complete.
    pub is_broken: bool,
}

/// No candidate gave an answer.
#[derive(Debug)]
pub struct Exhausted {
    /// All attempts, in order; none if nobody could be asked.
    pub attempts: Vec<AttemptReport>,
    /// How long we waited for them.
    pub waited: Duration,
    /// The candidates that were skipped, and why.
    pub skipped: Vec<(UpstreamId, SkipReason)>,
    /// When the first of them may be asked again.
    pub retry_in: Option<Duration>,
    /// Whether our own network seems to be lost.
    pub is_network_lost: bool,
    /// The only upstream that could have answered, because it owns an object that the request refers to.
    pub pinned_to: Option<UpstreamId>,
    /// The error that an upstream sent about the request.
    pub(super) error: Option<ReceivedError>,
}

impl Exhausted {
    /// Whether every candidate that could be asked rejects the request itself. If another one has failed otherwise,
    /// or is not available for now, the rejection may be about our changes to the request, and a retry may succeed.
    pub fn is_against_request(&self) -> bool {
        let mut attempts = self.attempts.iter();
        let was_asked = |upstream: &UpstreamId| {
            let mut attempts = self.attempts.iter();
            attempts.any(|attempt| attempt.upstream == *upstream)
        };
        let mut skipped = self.skipped.iter();
        attempts.all(|attempt| attempt.outcome.blame() == Blame::Client)
            && !skipped.any(|(upstream, why)| why.is_for_now() && !was_asked(upstream))
    }

    /// The upstream error as the answer, if every candidate rejects the request, or if the error is definite.
    #[expect(
        clippy::result_large_err,
        reason = "it has come this far as one, once per request"
    )]
    pub(super) fn or_upstream_error(mut self) -> Result<Answer, Self> {
        let is_against_request = self.is_against_request();
        let stands = |received: &mut ReceivedError| received.is_definite || is_against_request;
        let Some(received) = self.error.take_if(stands) else {
            return Err(self);
        };
        let error = received.error;
        Ok(Answer {
            status: error.status,
            headers: error.headers,
            body: AnswerBody::Whole(error.body),
            served_by: received.upstream,
            attempts: self.attempts,
            waited: self.waited,
            dropped: Vec::new(),
            continuation: None,
        })
    }
}

/// Why a candidate is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// Another upstream owns what the request refers to.
    Elsewhere,
    /// It lacks something that the request needs.
    Unsupported(&'static str),
    /// The request is longer than its context window.
    TooSmall,
    /// Its embeddings would come from another model, and vectors of two models cannot be compared.
    OtherModel,
    /// It cannot continue the start of an answer.
    CannotContinue,
    /// It is out of rotation after failures.
    OutOfRotation,
    /// In a cooldown, because we had sent too much.
    RateLimited,
    /// In a cooldown, because it had too much to do.
    Busy,
    /// In a cooldown, because it refused the key.
    KeyRefused,
    /// In a cooldown, because its account had no money or quota left.
    QuotaExhausted,
    /// In a cooldown, because it did not have the model.
    ModelMissing,
}

impl SkipReason {
    /// Whether the reason will pass by itself, whatever the request is.
    pub fn is_for_now(self) -> bool {
        match self {
            Self::OutOfRotation
            | Self::RateLimited
            | Self::Busy
            | Self::KeyRefused
            | Self::QuotaExhausted
            | Self::ModelMissing => true,
            Self::Elsewhere
            | Self::Unsupported(_)
            | Self::TooSmall
            | Self::OtherModel
            | Self::CannotContinue => false,
        }
    }

    /// The reason in words.
    pub fn reason(self) -> String {
        let reason = match self {
            Self::Unsupported(what) => {
                return format!("it cannot do what the request needs: {what}");
            }
            Self::Elsewhere => "what the request refers to lives at another upstream",
            Self::TooSmall => "its context window is too small",
            Self::OtherModel => "its embeddings are of another model and cannot be compared",
            Self::CannotContinue => "it cannot continue a prefill",
            Self::OutOfRotation => "it is out of rotation after failures",
            Self::RateLimited => "it is rate limited",
            Self::Busy => "it is overloaded",
            Self::KeyRefused => "its key was refused",
            Self::QuotaExhausted => "its quota was exhausted",
            Self::ModelMissing => "it did not have the model",
        };
        reason.to_owned()
    }
}
