//! Bodies that are watched to their end.

use bytes::Bytes;
use hyper::body::Body;

use crate::wire::body::BodyError;

/// A body that is watched to its end.
pub trait Watched: Body<Data = Bytes, Error = BodyError> + Unpin {
    /// How it ended, as soon as all of it has been handed out.
    fn ended(&self) -> Option<StreamEnd>;
}

/// How a watched body ended.
#[derive(Clone, Copy, Debug)]
pub struct StreamEnd {
    /// How many attempts it took.
    pub attempts: usize,
    /// Whether it ended before it was whole.
    pub is_broken: bool,
}
