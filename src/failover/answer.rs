//! What a run ends with: an answer, or the story of why there is none.

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
    /// The upstream's status: a success, or its verdict that the request is wrong; of a forwarded request, any.
    pub status: u16,
    /// The upstream's headers, as they came.
    pub headers: HeaderMap,
    /// The body.
    pub body: AnswerBody,
    /// Who answered.
    pub served_by: UpstreamId,
    /// All attempts, the one that answered last.
    pub attempts: Vec<AttemptReport>,
    /// How long upstreams were waited for.
    pub waited: Duration,
    /// Fields of the request that its translation had to leave out.
    pub dropped: Vec<String>,
    /// Whether a stream would go on elsewhere if it broke off, where its route asks for that.
    pub continuation: Option<Continuability>,
}

/// Whether a stream would go on elsewhere if it broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuability {
    /// It would, in this way.
    Possible(Continuation),
    /// The request asks for something that cannot be continued.
    Refused(&'static str),
}

/// The body of an answer.
#[derive(Debug)]
pub enum AnswerBody {
    /// Received and looked through.
    Whole(Bytes),
    /// Events under way, and watched.
    Stream(Box<SupervisedStream>),
    /// Bytes of unknown meaning under way, and watched.
    Opaque(Box<OpaqueStream>),
    /// A WebSocket, ready to be relayed.
    Relay(Box<Relay>),
}

/// A body that is watched to its end.
pub trait Watched: Body<Data = Bytes, Error = BodyError> + Unpin {
    /// How it ended, as soon as all of it has been handed out.
    fn ended(&self) -> Option<StreamEnd>;

    /// Ends it as it is, because we stop: the client is told so, or cut off.
    fn stop(&mut self);
}

impl<S: Watched> Watched for Box<S> {
    fn ended(&self) -> Option<StreamEnd> {
        S::ended(self)
    }

    fn stop(&mut self) {
        S::stop(self);
    }
}

/// How a watched body ended.
#[derive(Clone, Copy, Debug)]
pub struct StreamEnd {
    /// How many attempts it took.
    pub attempts: usize,
    /// Whether it ended before it was whole.
    pub is_broken: bool,
}

/// No candidate gave an answer.
#[derive(Debug)]
pub struct Exhausted {
    /// All attempts, in order; none if nobody could be asked.
    pub attempts: Vec<AttemptReport>,
    /// How long they were waited for.
    pub waited: Duration,
    /// Who was not asked, and why.
    pub skipped: Vec<(UpstreamId, SkipReason)>,
    /// When the first of them may be asked again.
    pub retry_in: Option<Duration>,
    /// Whether our own network is believed to be lost.
    pub is_network_lost: bool,
    /// The only upstream that could have answered, because something that the request refers to lives there.
    pub pinned_to: Option<UpstreamId>,
    /// What upstreams have said against the request.
    pub(super) error: Option<ReceivedError>,
}

impl Exhausted {
    /// Whether everybody who could be asked has something against the request itself. Where somebody else has failed, or
    /// is left alone for now, a 400 may be about words of ours, and the request may do well later.
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

    /// What an upstream has said against the request, if everybody has something against it, or if it is the one that the
    /// client would have asked without us.
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
    /// What the request refers to lives at another upstream.
    Elsewhere,
    /// It lacks something that the request needs.
    Unsupported(&'static str),
    /// The request is longer than its context window.
    TooSmall,
    /// Its embeddings would come from another model, and vectors of two models cannot be compared.
    OtherModel,
    /// It cannot continue a given beginning of an answer.
    CannotContinue,
    /// It is out of rotation after failures.
    OutOfRotation,
    /// It asked us to stay away for a while, because we had sent too much.
    RateLimited,
    /// It asked us to stay away for a while, because it had too much to do.
    Busy,
    /// It has refused the key, and is not asked again so soon.
    KeyRefused,
    /// Its account had no money or allowance left.
    QuotaExhausted,
    /// It did not have the model.
    ModelMissing,
}

impl SkipReason {
    /// Whether it will be asked again by and by, whatever is requested.
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
            Self::Elsewhere => "what the request refers to lives elsewhere",
            Self::TooSmall => "its context window is too small",
            Self::OtherModel => "embeddings of another model cannot be compared",
            Self::CannotContinue => "cannot continue a given beginning",
            Self::OutOfRotation => "out of rotation after failures",
            Self::RateLimited => "asked for a pause (rate limit)",
            Self::Busy => "asked for a pause (overload)",
            Self::KeyRefused => "its key was refused",
            Self::QuotaExhausted => "its quota was exhausted",
            Self::ModelMissing => "it did not have the model",
        };
        reason.to_owned()
    }
}
