//! Response bodies on their way to clients, each with its request record.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::record::RequestRecord;
use super::stopping::Stopping;
use crate::event::RequestResult;
use crate::failover::{StreamEnd, Watched};
use crate::wire::body::BodyError;
use crate::wire::caught::caught;

/// No larger piece is given to the connection at once, so that a client that does not read is noticed in time.
const PIECE: usize = 16 << 10;

/// A body that closes the record of its request when it ends or is dropped.
pub(super) struct RecordedStream<S: Watched> {
    stream: S,
    /// The part of the last frame that is still to be sent.
    rest: Bytes,
    record: Option<Box<RequestRecord>>,
    /// The result that is recorded if the whole body is sent.
    whole: RequestResult,
    stopping: Stopping,
    /// The task that the end of the grace time wakes.
    waiting: Option<Waker>,
}

impl<S: Watched> RecordedStream<S> {
    pub(super) fn new(stream: S, record: Box<RequestRecord>, whole: RequestResult) -> Self {
        let mut tallied = Self {
            stream,
            rest: Bytes::new(),
            whole,
            stopping: Stopping::new(record.progress.shutdown().clone()),
            waiting: None,
            record: Some(record),
        };
        tallied.finish_if_over();
        tallied
    }

    fn finish_if_over(&mut self) {
        if self.rest.is_empty()
            && let Some(end) = self.stream.ended()
            && let Some(record) = &mut self.record
        {
            record.tokens = end.tokens.or(record.tokens);
            record.content = self.stream.content();
            for upstream in end.failed_by {
                if !record.failed_by.contains(&upstream) {
                    record.failed_by.push(upstream);
                }
            }
            if !end.failed_at.is_empty() {
                record.failed_at = end.failed_at;
            }
            record.close(if end.is_broken {
                RequestResult::Broken
            } else {
                self.whole
            });
            self.record = None;
        }
    }

    /// Whether the connection polls the body again once the last piece has been sent. HTTP/2 does, when the client's
    /// window allowed it. HTTP/1 does not poll a body for more than its length, but buffers only little.
    fn is_asked_for_its_end(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.is_http2)
    }

    fn poll_stream(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.stopping.has_come() {
            self.stream.stop();
        }
        let polled = Pin::new(&mut self.stream).poll_frame(context);
        if polled.is_ready() || self.poll_stopping(context).is_pending() {
            return polled;
        }
        self.stream.stop();
        Pin::new(&mut self.stream).poll_frame(context)
    }

    /// Waits for the end of the grace time: it comes once, so each task has to ask once to be woken.
    fn poll_stopping(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker();
        if (self.waiting.as_ref()).is_some_and(|waiting| waiting.will_wake(waker)) {
            return Poll::Pending;
        }
        self.waiting = Some(waker.clone());
        self.stopping.poll(context)
    }

    /// Nothing more may be asked of the stream. The connection breaks off, so that no answer looks whole.
    fn broken_by_us(&mut self) -> BodyError {
        if let Some(record) = self.record.take() {
            record.panicked();
        }
        BodyError("a bug of the proxy has ended it".to_owned())
    }

    fn next_piece(&mut self) -> Bytes {
        self.rest.split_to(self.rest.len().min(PIECE))
    }
}

impl<S: Watched> Drop for RecordedStream<S> {
    fn drop(&mut self) {
        // What HTTP/2 has taken may wait for a window that the client never opened.
        let is_sent = self.rest.is_empty() && !self.is_asked_for_its_end();
        if is_sent && self.record.is_some() {
            self.stream.leave();
            self.finish_if_over();
        }
        if let Some(record) = &mut self.record {
            record.content = self.stream.content();
            record.tokens = self.stream.cost().or(record.tokens);
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
        self.finish_if_over();
        let mut polled = Poll::Ready(None);
        if self.rest.is_empty() {
            polled = match caught(|| self.poll_stream(context)) {
                Some(polled) => polled,
                None => return Poll::Ready(Some(Err(self.broken_by_us()))),
            };
            if let Poll::Ready(Some(Ok(frame))) = &mut polled
                && let Some(data) = frame.data_mut()
                && data.len() > PIECE
            {
                self.rest = std::mem::take(data);
            }
        }
        if !self.rest.is_empty() {
            let piece = self.next_piece();
            polled = Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let is_last = matches!(polled, Poll::Ready(None | Some(Err(_))));
        if is_last || !self.is_asked_for_its_end() {
            self.finish_if_over();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.record.is_none() && self.rest.is_empty() && self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.stream.size_hint();
        match hint.exact() {
            Some(length) => SizeHint::with_exact(length + self.rest.len() as u64),
            None => hint,
        }
    }
}

/// An answer that is complete in memory.
pub(super) struct Whole {
    bytes: Bytes,
}

impl Whole {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let bytes = std::mem::take(&mut self.bytes);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

impl Watched for Whole {
    fn ended(&self) -> Option<StreamEnd> {
        self.bytes.is_empty().then_some(StreamEnd {
            is_broken: false,
            tokens: None,
            failed_by: Vec::new(),
            failed_at: Vec::new(),
        })
    }

    /// The body is already complete.
    fn stop(&mut self) {}
}
