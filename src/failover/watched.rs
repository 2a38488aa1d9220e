//! Bodies that are watched to their end.

use bytes::Bytes;
use hyper::body::Body;

use crate::wire::body::BodyError;

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
