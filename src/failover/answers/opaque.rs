//! A body of unknown meaning on its way to the client, byte for byte. If it breaks off, an error event ends it where it
//! consists of events, between two of them. Otherwise the client's connection is cut: no other end would show it. An error
//! among the events passes, and counts as one.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use serde_json::json;
use tokio::time::Instant;

use super::interruption::{CONNECTION_LOST, interruption};
use super::watched::{StreamEnd, Watched};
use crate::affinity::Witness;
use crate::config::UpstreamId;
use crate::dialect;
use crate::event::AttemptReport;
use crate::failover::attempts::ending::Opaque;
use crate::failover::attempts::in_flight::InFlightAttempt;
use crate::failover::attempts::opening::LONGEST_ERROR;
use crate::failover::attempts::timers::{Timers, patience_with};
use crate::outcome::{Blame, Outcome};
use crate::upstream::ReplyBody;
use crate::wire::alarm::Alarm;
use crate::wire::body::BodyError;
use crate::wire::sse::{self, Framer};

/// Bytes on their way to the client.
#[derive(Debug)]
pub struct OpaqueStream {
    /// What has come, and has not gone out yet.
    first: Option<Bytes>,
    rest: ReplyBody,
    /// How many bytes are still to come, if the upstream has announced the length: the client reads no further.
    left: Option<u64>,
    /// Whether an error event may follow what has come: it consists of events, and the last one is whole.
    is_between_events: bool,
    is_events: bool,
    /// Cuts the events out among which an error may be; `None` where there can be none.
    framer: Option<Framer>,
    /// `None` once it is over.
    attempt: Option<Box<InFlightAttempt>>,
    /// The outcome of the attempt if the body is complete.
    outcome: Outcome,
    witness: Option<Witness>,
    timers: Timers,
    alarm: Alarm,
    is_broken: bool,
    /// Its upstream, if that has failed.
    failed_by: Vec<UpstreamId>,
    is_stopped: bool,
}

impl OpaqueStream {
    /// `witness`: records what is created.
    pub(super) fn new(
        body: Opaque,
        outcome: Outcome,
        attempt: Box<InFlightAttempt>,
        witness: Option<Witness>,
    ) -> Self {
        let timers = Timers::start(body.limits, Instant::now());
        let mut stream = Self {
            first: None,
            rest: body.rest,
            left: body.length,
            is_between_events: false,
            is_events: body.is_events && body.length.is_none(),
            framer: body.is_events.then(Framer::new),
            attempt: Some(attempt),
            outcome,
            witness,
            alarm: Alarm::at(timers.next()),
            timers,
            is_broken: false,
            failed_by: Vec::new(),
            is_stopped: false,
        };
        match &body.first {
            Some(data) => stream.take(data),
            None => stream.end_if_whole(),
        }
        stream.rest.gather();
        stream.first = body.first;
        stream
    }

    fn take(&mut self, data: &Bytes) {
        self.timers.received(0, Instant::now());
        let ends = [&b"\n\n"[..], b"\r\n\r\n", b"\r\r"];
        self.is_between_events = self.is_events && ends.iter().any(|end| data.ends_with(end));
        if let Some(witness) = &mut self.witness {
            witness.saw(data);
        }
        self.look_for_error(data);
        self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
        self.end_if_whole();
    }

    fn look_for_error(&mut self, data: &Bytes) {
        let Some(framer) = &mut self.framer else {
            return;
        };
        let whole = framer.push(data.clone());
        let error = sse::events(&whole).find_map(|event| dialect::error_in_event(&event, None));
        // Nobody sees where a longer one ends; it is a part of a picture or of speech.
        if error.is_some() || framer.held() > LONGEST_ERROR {
            self.framer = None;
        }
        if let Some(outcome) = error {
            self.is_broken = outcome.blame() == Blame::Upstream;
            self.outcome = outcome;
        }
    }

    /// Ends with the last byte and not with the next poll: nobody polls after the announced length. So what was
    /// created is recorded before the client can refer to it.
    fn end_if_whole(&mut self) {
        if self.rest.is_end_stream() || self.left == Some(0) {
            self.complete();
        }
    }

    fn complete(&mut self) {
        let outcome = self.outcome.clone();
        self.end(outcome, None);
    }

    fn end(&mut self, outcome: Outcome, detail: Option<String>) {
        self.witness = None;
        if let Some(attempt) = self.attempt.take() {
            let report = attempt.end(outcome, detail);
            if self.is_broken {
                self.failed_by = AttemptReport::failed(&[report]);
            }
        }
    }

    /// The end of a body that is not whole.
    fn cut(&mut self, outcome: Outcome, why: &str) -> Result<Frame<Bytes>, BodyError> {
        self.is_broken = true;
        let error = interruption(&outcome, why);
        self.end(outcome, Some(why.to_owned()));
        if !self.is_between_events {
            return Err(BodyError(why.to_owned()));
        }
        // OpenAI's and Anthropic's SDKs both take this for an error.
        let data = json!({ "type": "error", "error": error });
        let event = format!("event: error\ndata: {data}\n\n");
        Ok(Frame::data(event.into()))
    }
}

impl Body for OpaqueStream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        while self.attempt.is_some() {
            if self.is_stopped {
                let end = self.cut(Outcome::Stopped, "the proxy is being stopped");
                return Poll::Ready(Some(end));
            }
            match Pin::new(&mut self.rest).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.take(&data);
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Poll::Ready(None) => self.complete(),
                Poll::Ready(Some(Err(_))) => {
                    let cut = self.cut(Outcome::StreamBroken, CONNECTION_LOST);
                    return Poll::Ready(Some(cut));
                }
                Poll::Pending => {
                    self.timers.waits();
                    ready!(self.alarm.poll(context));
                    match self.timers.expired(Instant::now()) {
                        // Something came since the alarm was set.
                        None => {
                            let next = self.timers.next();
                            self.alarm.set(next);
                        }
                        Some(stage) => {
                            let end = self.cut(Outcome::TimedOut(stage), patience_with(stage));
                            return Poll::Ready(Some(end));
                        }
                    }
                }
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.attempt.is_none()
    }
}

impl Watched for OpaqueStream {
    fn ended(&self) -> Option<StreamEnd> {
        self.is_end_stream().then_some(StreamEnd {
            is_broken: self.is_broken,
            tokens: None,
            failed_by: self.failed_by.clone(),
            failed_at: Vec::new(),
        })
    }

    fn stop(&mut self) {
        self.is_stopped = true;
    }
}
