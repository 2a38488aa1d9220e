//! Bodies whose end is recorded.

use bytes::Bytes;
use hyper::body::Body;

use crate::config::UpstreamId;
use crate::event::{AttemptReport, FailedAt, Tokens};
use crate::wire::body::BodyError;

/// A body whose end is recorded.
pub trait Watched: Body<Data = Bytes, Error = BodyError> + Unpin {
    /// How it ended, once all of it has been sent; `None` before.
    fn ended(&self) -> Option<StreamEnd>;

    /// Ends it early because the server stops: with an error event if possible, else by closing the connection.
    fn stop(&mut self);

    /// How many events with content have come so far.
    fn content(&self) -> usize {
        0
    }

    /// What it has cost so far, if the upstreams have said so. It counts for the attempt that is under way, too.
    fn cost(&mut self) -> Option<Tokens> {
        None
    }

    /// The client has left: what was sent is all that it gets. That may have been everything but the end of the body.
    fn leave(&mut self) {}
}

impl<S: Watched> Watched for Box<S> {
    fn ended(&self) -> Option<StreamEnd> {
        S::ended(self)
    }

    fn stop(&mut self) {
        S::stop(self);
    }

    fn content(&self) -> usize {
        S::content(self)
    }

    fn cost(&mut self) -> Option<Tokens> {
        S::cost(self)
    }

    fn leave(&mut self) {
        S::leave(self);
    }
}

/// How a watched body ended.
#[derive(Clone, Debug)]
pub struct StreamEnd {
    /// Whether it ended before it was complete.
    pub is_broken: bool,
    /// What it costs, if the upstreams say so.
    pub tokens: Option<Tokens>,
    /// The upstreams that have failed, if it is broken.
    pub failed_by: Vec<UpstreamId>,
    /// Where attempts have failed.
    pub failed_at: Vec<FailedAt>,
}

/// What all parts of the answer cost together.
pub(super) fn tokens(attempts: &[AttemptReport]) -> Option<Tokens> {
    sum(attempts.iter().filter_map(|attempt| attempt.tokens))
}

/// All of them together.
pub(super) fn sum(tokens: impl Iterator<Item = Tokens>) -> Option<Tokens> {
    tokens.reduce(|mut sum, tokens| {
        sum += tokens;
        sum
    })
}
