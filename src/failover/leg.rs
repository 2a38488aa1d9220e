//! The part of a stream that one upstream sends, and how it becomes the rest of what the client has.

use bytes::Bytes;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::ending::Held;
use super::events::{EventStream, Taken};
use super::running::Running;
use super::timers::Timers;
use crate::dialect::openai::Splicer;
use crate::outcome::{Defect, Outcome};
use crate::pins::Witness;

/// What one upstream sends. `front`, in its functions, is the stream as the client sees it.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) rest: Incoming,
    pub(super) attempt: Running,
    pub(super) timers: Timers,
    /// Who takes note of what is created by it.
    pub(super) witness: Option<Witness>,
    /// How what it sends becomes the rest of what the client has; `None`: it passes as it is.
    splice: Option<Splice>,
}

#[derive(Debug)]
struct Splice {
    events: EventStream,
    splicer: Splicer,
}

impl Leg {
    /// The first one of an answer. What follows its first content and how it is read are the caller's.
    pub(super) fn begin(
        held: Held,
        mut attempt: Running,
        witness: Option<Witness>,
    ) -> (Self, Bytes, Option<EventStream>) {
        attempt.answered(held.since);
        let leg = Self {
            rest: held.rest,
            attempt,
            timers: Timers::start(held.limits, Instant::now()),
            witness,
            splice: None,
        };
        (leg, held.first, held.events)
    }

    /// One that goes on where another one broke off.
    pub(super) fn go_on(held: Held, attempt: Running, splicer: Splicer) -> (Self, Bytes) {
        let (mut leg, first, events) = Self::begin(held, attempt, None);
        leg.splice = events.map(|events| Splice { events, splicer });
        (leg, first)
    }

    /// Takes what came; also says how much is kept until its event is whole.
    pub(super) fn take(&mut self, front: &mut EventStream, data: Bytes) -> (Taken, usize) {
        let events = self.events(front);
        let taken = events.take(data);
        let held = events.held();
        self.timers
            .heard(taken.content + taken.untold, Instant::now());
        (taken, held)
    }

    /// Takes what was kept, because nothing more comes.
    pub(super) fn take_rest(&mut self, front: &mut EventStream) -> Taken {
        self.events(front).take_rest()
    }

    /// What may go out of whole events, and why the answer ends with them, if it does.
    pub(super) fn pass(
        &mut self,
        front: &mut EventStream,
        taken: Taken,
    ) -> (Bytes, Option<Outcome>) {
        let mut failure = taken.failure;
        let mut pass = taken.pass;
        if let Some(splice) = &mut self.splice {
            match splice.splicer.rewrite(&pass) {
                Ok(rewritten) => pass = front.read(rewritten.into()).pass,
                Err(_) => {
                    pass = Bytes::new();
                    failure = Some(Outcome::InvalidReply(Defect::NoSeam));
                }
            }
            if splice.splicer.has_stopped() {
                failure = Some(Outcome::Success);
            }
        }
        if let Some(witness) = &mut self.witness {
            witness.saw_events(&pass);
        }
        (pass, failure)
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
