//! A segment: the part of a stream that one upstream sends, and its splicing to what the client has.

use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;

use crate::affinity::Witness;
use crate::dialect::continuation::Splicer;
use crate::dialect::errors;
use crate::event::Tokens;
use crate::failover::attempts::events::{EventStream, Taken};
use crate::failover::attempts::in_flight::InFlightAttempt;
use crate::failover::attempts::secrets::Secrets;
use crate::failover::attempts::timers::{StreamTimeouts, Timers};
use crate::outcome::Outcome;
use crate::upstream::ReplyBody;

/// What one upstream sends. `front`, in its functions, is the stream as the client sees it.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) rest: ReplyBody,
    pub(super) attempt: Box<InFlightAttempt>,
    pub(super) timers: Timers,
    /// What its errors must not show.
    secrets: Secrets,
    /// Records what the answer creates.
    pub(super) witness: Option<Witness>,
    /// `None`: the events pass unchanged. Boxed, because it is large and rare.
    pub(super) splice: Option<Box<Splice>>,
}

/// What makes this stream the rest of another one.
#[derive(Debug)]
pub(super) struct Splice {
    pub(super) events: EventStream,
    pub(super) splicer: Splicer,
}

/// What follows some events.
#[derive(Debug)]
pub(super) enum Then {
    /// More of the answer.
    More,
    /// Nothing that the client asked for: a limit or a stop sequence of its request was reached.
    Nothing,
    /// Nothing, because the answer failed, as this error event says, if there was one.
    Failure(Outcome, Bytes),
}

impl Segment {
    /// The first content came at that time.
    pub(super) fn new(
        rest: ReplyBody,
        limits: StreamTimeouts,
        mut attempt: Box<InFlightAttempt>,
        since: Instant,
        secrets: Secrets,
    ) -> Self {
        attempt.answered(since);
        Self {
            rest,
            attempt,
            timers: Timers::start(limits, Instant::now()),
            secrets,
            witness: None,
            splice: None,
        }
    }

    /// Takes bytes; also returns how many bytes wait for the rest of their event.
    pub(super) fn take(&mut self, front: &mut EventStream, data: Bytes) -> (Taken, usize) {
        let events = self.events(front);
        let taken = events.take(data);
        let held = events.held();
        if taken.thinks {
            self.timers.thinks();
        }
        self.timers.came(taken.content + taken.hidden_progress);
        (taken, held)
    }

    /// Takes the rest: nothing more comes.
    pub(super) fn take_rest(&mut self, front: &mut EventStream) -> Taken {
        self.events(front).take_rest()
    }

    /// What may go to the client of whole events, and what follows them.
    pub(super) fn pass(&mut self, front: &mut EventStream, taken: Taken) -> (Bytes, Then) {
        let mut then = match taken.failure {
            None => Then::More,
            Some(outcome) => Then::Failure(outcome, taken.error_event),
        };
        let mut pass = taken.pass;
        if let Some(splice) = &mut self.splice {
            match splice.splicer.rewrite(&pass) {
                Ok(rewritten) => pass = front.read(rewritten.into()).pass,
                Err(defect) => {
                    pass = Bytes::new();
                    then = Then::Failure(Outcome::InvalidReply(defect), Bytes::new());
                }
            }
            if splice.splicer.has_stopped() {
                then = Then::Nothing;
            }
        }
        if let Some(witness) = &mut self.witness {
            witness.saw_events(&pass);
        }
        (pass, then)
    }

    /// The upstream's own error object in an error event, without what nobody else may see.
    pub(super) fn error_in(&self, event: Bytes) -> Option<Value> {
        let event = errors::error_of_event(self.secrets.hidden_in(event));
        let mut event: Value = serde_json::from_slice(&event).ok()?;
        let error = event["error"].take();
        error["message"].is_string().then_some(error)
    }

    /// Notes what the answer costs, as far as the upstream has said so.
    pub(super) fn count(&mut self, front: &mut EventStream) -> Option<Tokens> {
        let tokens = self.events(front).tokens();
        self.attempt.costs(tokens);
        tokens
    }

    /// What a translation has held back.
    pub(super) fn flush(&mut self, front: &mut EventStream) -> Bytes {
        match &mut self.splice {
            None => front.flush().pass,
            Some(splice) => {
                let rest = splice.events.flush();
                // What does not fit is left out: then the answer has no end.
                let mut spliced = splice.splicer.rewrite(&rest.pass).unwrap_or_default();
                spliced.extend(splice.splicer.finish().unwrap_or_default());
                front.read(spliced.into()).pass
            }
        }
    }

    /// Its events, before they are spliced.
    fn events<'a>(&'a mut self, front: &'a mut EventStream) -> &'a mut EventStream {
        match &mut self.splice {
            None => front,
            Some(splice) => &mut splice.events,
        }
    }
}
