//! Streams on their way to clients, each with the tally of its request.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame};

use super::tally::Tally;
use crate::event::RequestResult;
use crate::failover::SupervisedStream;
use crate::wire::body::BodyError;

/// A stream whose end, or whose loss, closes the tally of its request.
pub(super) struct TalliedStream {
    stream: Box<SupervisedStream>,
    tally: Option<Tally>,
}

impl TalliedStream {
    pub(super) fn new(stream: Box<SupervisedStream>, tally: Tally) -> Self {
        Self {
            stream,
            tally: Some(tally),
        }
    }
}

impl HttpBody for TalliedStream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut *self.stream).poll_frame(context);
        if let Poll::Ready(None | Some(Err(_))) = polled
            && let Some(mut tally) = self.tally.take()
        {
            tally.attempts = self.stream.attempts();
            tally.finish(if self.stream.is_broken() {
                RequestResult::Broken
            } else {
                RequestResult::Answered
            });
        }
        polled
    }
}
