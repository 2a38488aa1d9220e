//! The queue of the route in a simulation. The real one waits on a clock; this one says when to come back. The turns are
//! the real ones.

use std::collections::VecDeque;

use backstop::failover::Turns;
use tokio::time::Instant;

/// The requests that wait, and the pace at which they are let out.
pub(crate) struct Queue {
    waiting: usize,
    turns: Turns,
    has_head: bool,
    line: VecDeque<usize>,
}

impl Queue {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            waiting: 0,
            turns: Turns::new(now, now),
            has_head: false,
            line: VecDeque::new(),
        }
    }

    /// A request takes a place, which cannot be answered before `opens_at`.
    pub(crate) fn enter(&mut self, opens_at: Instant, now: Instant) {
        if self.waiting == 0 {
            self.turns = Turns::new(opens_at, now);
        }
        self.waiting += 1;
    }

    /// A request gives its place up.
    pub(crate) fn leave(&mut self) {
        self.waiting -= 1;
    }

    /// A request asks for a turn. Returns when it has it, if it is the first.
    pub(crate) fn line_up(&mut self, request: usize, now: Instant) -> Option<Instant> {
        if std::mem::replace(&mut self.has_head, true) {
            self.line.push_back(request);
            return None;
        }
        Some(self.turns.next().max(now))
    }

    /// The first has its turn, or none any more. Returns who is the first now, and when it has its turn.
    pub(crate) fn turn(&mut self, is_taken: bool, now: Instant) -> Option<(usize, Instant)> {
        if is_taken {
            self.turns.taken(now);
        }
        let first = self.line.pop_front();
        self.has_head = first.is_some();
        first.map(|first| (first, self.turns.next().max(now)))
    }

    /// The first one in the line for whom this holds goes, in place of a request that comes later.
    pub(crate) fn let_through(&mut self, waits: impl Fn(usize) -> bool) -> Option<usize> {
        let place = self.line.iter().position(|request| waits(*request))?;
        self.line.remove(place)
    }

    /// A request that had a turn, or was let through, was answered or failed.
    pub(crate) fn ended(&mut self, is_success: bool, is_let_through: bool, now: Instant) {
        match (is_success, is_let_through) {
            (true, true) => self.turns.one_more_succeeded(now),
            (true, false) => self.turns.succeeded(now),
            (false, _) => self.turns.failed(now),
        }
    }
}
