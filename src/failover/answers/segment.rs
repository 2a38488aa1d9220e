//! A segment: the part of a stream that one upstream sends, and its splicing to what the client has.

use bytes::Bytes;
use tokio::time::Instant;

use crate::affinity::Witness;
use crate::dialect::continuation::Splicer;
use crate::failover::attempts::events::{EventStream, Taken};
use crate::failover::attempts::in_flight::InFlightAttempt;
use crate::failover::attempts::timers::{StreamTimeouts, Timers};
use crate::outcome::Outcome;
use crate::upstream::ReplyBody;

/// What one upstream sends. `front`, in its functions, is the stream as the client sees it.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) rest: ReplyBody,
    pub(super) attempt: InFlightAttempt,
    pub(super) timers: Timers,
    /// Records what the answer creates.
    pub(super) witness: Option<Witness>,
    /// `None`: the events pass unchanged.
    splice: Option<Splice>,
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
    /// Nothing, because the answer failed.
    Failure(Outcome),
}

impl Segment {
    /// The first content came at that time.
    pub(super) fn new(
        rest: ReplyBody,
        limits: StreamTimeouts,
        mut attempt: InFlightAttempt,
        since: Instant,
        splice: Option<Splice>,
    ) -> Self {
        attempt.answered(since);
        Self {
            rest,
            attempt,
            timers: Timers::start(limits, Instant::now()),
            witness: None,
            splice,
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
        self.timers
            .received(taken.content + taken.hidden_progress, Instant::now());
        (taken, held)
    }

    /// Takes the rest: nothing more comes.
    pub(super) fn take_rest(&mut self, front: &mut EventStream) -> Taken {
        self.events(front).take_rest()
    }

    /// What may go to the client of whole events, and what follows them.
    pub(super) fn pass(&mut self, front: &mut EventStream, taken: Taken) -> (Bytes, Then) {
        let mut then = taken.failure.map_or(Then::More, Then::Failure);
        let mut pass = taken.pass;
        if let Some(splice) = &mut self.splice {
            match splice.splicer.rewrite(&pass) {
                Ok(rewritten) => pass = front.read(rewritten.into()).pass,
                Err(defect) => {
                    pass = Bytes::new();
                    then = Then::Failure(Outcome::InvalidReply(defect));
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

    /// What a translation has held back.
    pub(super) fn flush(&mut self, front: &mut EventStream) -> Bytes {
        match &mut self.splice {
            None => front.flush().pass,
            Some(splice) => {
                let rest = splice.events.flush();
                // What does not fit is left out: then the answer has no end.
                let mut told = splice.splicer.rewrite(&rest.pass).unwrap_or_default();
                told.extend(splice.splicer.finish().unwrap_or_default());
                front.read(told.into()).pass
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
