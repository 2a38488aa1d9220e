//! Watching a committed stream to its last byte, so that one that breaks never looks whole.
//!
//! Whole events pass as they come, byte for byte. If the upstream goes silent, breaks off or ends without its
//! terminal event, the client gets the API's own error event instead of a clean end. After the terminal event
//! nothing can spoil the answer: a missing `[DONE]` is supplied. Bytes of unknown meaning that break off cut the
//! client's connection, the only honest end that they have.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use tokio::time::{Instant, Sleep, sleep_until};

use super::ending::{Events, Held};
use super::running::Running;
use crate::dialect::openai::Signal;
use crate::outcome::{Defect, Outcome, Stage};
use crate::wire::body::BodyError;
use crate::wire::sse;

/// A larger event would be held in memory until it is whole.
const LARGEST_EVENT: usize = 16 << 20;

/// A stream on its way to the client.
#[derive(Debug)]
pub struct SupervisedStream {
    /// What is ready to go out.
    ready: VecDeque<Bytes>,
    /// What is still to come; `None` once the stream is over.
    rest: Option<Incoming>,
    events: Option<Events>,
    attempt: Option<Running>,
    idle: Duration,
    /// Rings at the end of the longest silence, or at the deadline if that is sooner.
    alarm: Pin<Box<Sleep>>,
    deadline: Instant,
    /// Why an opaque stream is cut.
    cut: Option<BodyError>,
    is_broken: bool,
}

impl SupervisedStream {
    pub(super) fn new(held: Held, mut attempt: Running, deadline: Instant) -> Self {
        attempt.answered();
        let alarm = sleep_until(deadline.min(Instant::now() + held.idle));
        Self {
            ready: Some(held.first)
                .filter(|first| !first.is_empty())
                .into_iter()
                .collect(),
            rest: Some(held.rest),
            events: held.events,
            attempt: Some(attempt),
            idle: held.idle,
            alarm: Box::pin(alarm),
            deadline,
            cut: None,
            is_broken: false,
        }
    }

    /// Whether it ended before it was whole; known once it is over.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether its events are followed, so that an end may be added to them.
    pub fn has_events(&self) -> bool {
        self.events.is_some()
    }

    /// Takes what came; queues what may go out.
    fn take(&mut self, data: Bytes) {
        let now = Instant::now();
        self.alarm
            .as_mut()
            .reset(self.deadline.min(now + self.idle));
        let Some(events) = &mut self.events else {
            self.ready.push_back(data);
            return;
        };
        let whole = events.framer.push(data);
        if events.framer.held() > LARGEST_EVENT {
            self.end(
                Outcome::InvalidReply(Defect::TooLarge),
                "an event is too large",
            );
            return;
        }
        self.pass(whole);
    }

    /// Queues whole events, up to the first one that says the answer failed.
    fn pass(&mut self, whole: Bytes) {
        let Some(events) = &mut self.events else {
            return;
        };
        let reader = &mut events.reader;
        let failure = sse::events(&whole).find_map(|event| match reader.read(&event) {
            Signal::Failed(outcome) if !reader.is_complete() => Some((outcome, event.start)),
            _ => None,
        });
        match failure {
            None if whole.is_empty() => {}
            None => self.ready.push_back(whole),
            Some((outcome, start)) => {
                let before = whole.slice(..start);
                if !before.is_empty() {
                    self.ready.push_back(before);
                }
                let message = format!("the upstream failed within the stream: {}", outcome.label());
                self.end(outcome, &message);
            }
        }
    }

    /// The upstream has nothing more.
    fn finish(&mut self) {
        let Some(events) = &mut self.events else {
            self.end(Outcome::Success, "");
            return;
        };
        // The last event may lack its blank line. Cut short, it is no JSON and taken for what it is.
        let rest = events.framer.take_rest();
        if !rest.is_empty() {
            let mut closed = rest.to_vec();
            closed.extend_from_slice(b"\n\n");
            self.pass(closed.into());
        }
        self.end(
            Outcome::StreamBroken,
            "the upstream ended the stream before the answer was complete",
        );
    }

    /// Ends the stream: well if the answer is complete, else with an error that the client cannot overlook.
    fn end(&mut self, outcome: Outcome, message: &str) {
        self.rest = None;
        let Some(attempt) = self.attempt.take() else {
            return;
        };
        let outcome = match &self.events {
            Some(events) if events.reader.is_complete() => {
                let end = events.reader.missing_end();
                if !end.is_empty() {
                    self.ready.push_back(Bytes::from_static(end));
                }
                Outcome::Success
            }
            Some(events) => {
                self.is_broken = true;
                self.ready
                    .push_back(events.reader.interruption(message).into());
                outcome
            }
            None if outcome == Outcome::Success => outcome,
            None => {
                self.is_broken = true;
                self.cut = Some(BodyError(message.to_owned()));
                outcome
            }
        };
        let detail = self.is_broken.then(|| message.to_owned());
        attempt.end(outcome, detail);
    }

    /// Waits for more from the upstream, for as long as patience lasts.
    fn poll_upstream(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(rest) = &mut self.rest else {
            return Poll::Ready(());
        };
        match Pin::new(rest).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    self.take(data);
                }
            }
            Poll::Ready(None) => self.finish(),
            Poll::Ready(Some(Err(_))) => {
                self.end(
                    Outcome::StreamBroken,
                    "the connection to the upstream broke",
                );
            }
            Poll::Pending => {
                ready!(self.alarm.as_mut().poll(context));
                let stage = if Instant::now() >= self.deadline {
                    Stage::Total
                } else {
                    Stage::Idle
                };
                self.end(Outcome::TimedOut(stage), "the upstream stopped sending");
            }
        }
        Poll::Ready(())
    }
}

impl Body for SupervisedStream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if self.rest.is_none() {
                return Poll::Ready(self.cut.take().map(Err));
            }
            ready!(self.poll_upstream(context));
        }
    }
}
