//! The queue of the route in a simulation. The real one waits on a clock; this one says when to come back.

use std::collections::VecDeque;

/// The pauses between two turns, in seconds, as in the real queue.
const FIRST: f64 = 0.2;
const LONGEST_FIRST: f64 = 1.1;
const LONGEST: f64 = 2.0;
const SHORTEST: f64 = 0.002;
/// So many successes in a row make the pause shorter.
const ENOUGH: u32 = 4;

/// The requests that wait, and the pace at which they are let out.
pub(crate) struct Queue {
    waiting: usize,
    next: f64,
    pause: f64,
    successes: u32,
    has_head: bool,
    line: VecDeque<usize>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            waiting: 0,
            next: 0.0,
            pause: FIRST,
            successes: 0,
            has_head: false,
            line: VecDeque::new(),
        }
    }

    /// A request takes a place, which cannot be answered before `opens_at`.
    pub(crate) fn enter(&mut self, at: f64, opens_at: f64) {
        if self.waiting == 0 {
            self.next = at + FIRST;
            self.set(((opens_at - at) * 1.1).clamp(FIRST, LONGEST_FIRST));
        }
        self.waiting += 1;
    }

    /// A request gives its place up.
    pub(crate) fn leave(&mut self) {
        self.waiting -= 1;
    }

    /// A request asks for a turn. Returns when it has it, if it is the first.
    pub(crate) fn line_up(&mut self, at: f64, request: usize) -> Option<f64> {
        if std::mem::replace(&mut self.has_head, true) {
            self.line.push_back(request);
            return None;
        }
        Some(self.next.max(at))
    }

    /// The first has its turn, or none any more. Returns who is the first now, and when it has its turn.
    pub(crate) fn turn(&mut self, at: f64, is_taken: bool) -> Option<(usize, f64)> {
        if is_taken {
            self.next = at + self.pause;
        }
        let first = self.line.pop_front();
        self.has_head = first.is_some();
        first.map(|first| (first, self.next.max(at)))
    }

    /// A request that had a turn was answered, or failed.
    pub(crate) fn ended(&mut self, at: f64, is_success: bool) {
        self.successes += u32::from(is_success);
        if !is_success {
            self.set((self.pause * 2.0).clamp(FIRST, LONGEST));
        } else if self.pause > LONGEST_FIRST {
            self.set(FIRST);
        } else if self.successes >= ENOUGH {
            let half = self.pause / 2.0;
            self.set(if half < SHORTEST { 0.0 } else { half });
        }
        self.next = at + self.pause;
    }

    fn set(&mut self, pause: f64) {
        self.pause = pause;
        self.successes = 0;
    }
}
