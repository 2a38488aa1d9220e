//! The part of a stream that one upstream sends, and how it becomes the rest of what the client has.

use bytes::Bytes;
use tokio::time::Instant;

use super::events::{EventStream, Taken};
use super::in_flight::InFlightAttempt;
use super::timers::{StreamTimeouts, Timers};
use crate::affinity::Witness;
use crate::dialect::openai::Splicer;
use crate::outcome::{Defect, Outcome};
use crate::upstream::ReplyBody;

/// What one upstream sends. `front`, in its functions, is the stream as the client sees it.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) rest: ReplyBody,
    pub(super) attempt: InFlightAttempt,
    pub(super) timers: Timers,
    /// Who takes note of what is created by it.
    pub(super) witness: Option<Witness>,
    /// `None`: what it sends passes as it is.
    splice: Option<Splice>,
}

/// How a stream becomes the rest of another one.
#[derive(Debug)]
pub(super) struct Splice {
    pub(super) events: EventStream,
    pub(super) splicer: Splicer,
}

/// What follows whole events.
#[derive(Debug)]
pub(super) enum Then {
    /// More of the answer.
    More,
    /// Nothing that the client wants: a limit or a stop sequence of its request was reached.
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

    /// Takes what came; also says how much is kept until its event is whole.
    pub(super) fn take(&mut self, front: &mut EventStream, data: Bytes) -> (Taken, usize) {
        let events = self.events(front);
        let taken = events.take(data);
        let held = events.held();
        self.timers
            .received(taken.content + taken.hidden_progress, Instant::now());
        (taken, held)
    }

    /// Takes what was kept, because nothing more comes.
    pub(super) fn take_rest(&mut self, front: &mut EventStream) -> Taken {
        self.events(front).take_rest()
    }

    /// What may go out of whole events, and what follows them.
    pub(super) fn pass(&mut self, front: &mut EventStream, taken: Taken) -> (Bytes, Then) {
        let mut then = taken.failure.map_or(Then::More, Then::Failure);
        let mut pass = taken.pass;
        if let Some(splice) = &mut self.splice {
            match splice.splicer.rewrite(&pass) {
                Ok(rewritten) => pass = front.read(rewritten.into()).pass,
                Err(_) => {
                    pass = Bytes::new();
                    then = Then::Failure(Outcome::InvalidReply(Defect::NoSeam));
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

    /// What a translation has kept back.
    pub(super) fn flush(&mut self, front: &mut EventStream) -> Bytes {
        match &mut self.splice {
            None => front.flush().pass,
            Some(splice) => {
                let rest = splice.events.flush();
                let rest = splice.splicer.rewrite(&rest.pass).unwrap_or_default();
                front.read(rest.into()).pass
            }
        }
    }

    /// Its events, as they come.
    fn events<'a>(&'a mut self, front: &'a mut EventStream) -> &'a mut EventStream {
        match &mut self.splice {
            None => front,
            Some(splice) => &mut splice.events,
        }
    }
}
