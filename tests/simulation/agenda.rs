//! What happens when, on virtual time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// What happens to a replica, to an upstream as a replica sees it, to a request, or to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A replica checks an upstream.
    Check(usize, usize),
    /// The check has failed.
    NotReached(usize, usize),
    /// A replica looks at what it knows.
    Look(usize),
    /// A replica tells its news.
    Tell(usize),
    /// The next message of another replica is there.
    Hear(usize),
    Proceeds(usize),
    LinesUp(usize),
    HasTurn(usize),
    WaitsNoMore(usize),
    GivesUp(usize),
    Outcome(usize),
    Waits(usize),
    StreamEnds(usize),
}

/// Something that happens, at so many seconds.
pub(crate) struct Event {
    pub(crate) at: f64,
    number: u64,
    pub(crate) kind: Kind,
}

/// Everything that is to happen.
#[derive(Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<Event>,
    number: u64,
}

impl Agenda {
    pub(crate) fn push(&mut self, at: f64, kind: Kind) {
        self.number += 1;
        self.heap.push(Event {
            at,
            number: self.number,
            kind,
        });
    }

    /// When the next thing happens.
    pub(crate) fn next_at(&self) -> Option<f64> {
        self.heap.peek().map(|event| event.at)
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.heap.pop()
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    /// The earliest event is the greatest, because a heap pops the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .at
            .total_cmp(&self.at)
            .then(other.number.cmp(&self.number))
    }
}
