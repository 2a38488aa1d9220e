//! Bodies on their way to clients, each with the tally of its request.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame};

use super::record::RequestRecord;
use crate::event::RequestResult;
use crate::failover::Watched;
use crate::wire::body::BodyError;

/// A body whose end, or whose loss, closes the tally of its request.
pub(super) struct RecordedStream<S> {
    stream: Box<S>,
    record: Option<RequestRecord>,
    /// What the client has got when it is whole.
    whole: RequestResult,
}

impl<S: Watched> RecordedStream<S> {
    pub(super) fn new(stream: Box<S>, record: RequestRecord, whole: RequestResult) -> Self {
        let mut tallied = Self {
            stream,
            record: Some(record),
            whole,
        };
        tallied.finish_if_over();
        tallied
    }

    /// Not when it is asked for more: nobody asks a body for more than its length, or one that is empty.
    fn finish_if_over(&mut self) {
        if let Some(end) = self.stream.ended()
            && let Some(mut record) = self.record.take()
        {
            record.attempts = end.attempts;
            record.finish(if end.is_broken {
                RequestResult::Broken
            } else {
                self.whole
            });
        }
    }
}

impl<S: Watched> HttpBody for RecordedStream<S> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut *self.stream).poll_frame(context);
        self.finish_if_over();
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}
