//! Lines that wait to be written: one buffer, limited in bytes and thereby in lines.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many bytes may wait; as many again may be with the writer.
const ROOM: usize = 1 << 20;
/// How much memory is kept while nothing waits.
const KEPT: usize = 16 << 10;

/// What the producers of lines share with the writer.
#[derive(Debug)]
pub(super) struct Queue {
    /// The lock is held for as long as it takes to copy a line.
    state: Mutex<State>,
    /// Signals that there is something to write.
    arrived: Condvar,
    /// Signals that everything has been written.
    emptied: Condvar,
    lost: AtomicU64,
}

#[derive(Debug)]
struct State {
    waiting: Vec<u8>,
    /// Whether the writer is writing a batch.
    is_writing: bool,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                waiting: Vec::new(),
                is_writing: false,
            }),
            arrived: Condvar::new(),
            emptied: Condvar::new(),
            lost: AtomicU64::new(0),
        }
    }

    /// Adds a line, unless there is no room for it.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + line.len() > ROOM {
            drop(state);
            self.lose(1);
            return;
        }
        state.waiting.extend_from_slice(line);
        let is_asleep = !state.is_writing;
        drop(state);
        if is_asleep {
            self.arrived.notify_one();
        }
    }

    /// Exchanges an empty `batch` for everything that waits. If `patient`, it waits until there is something.
    pub(super) fn take(&self, batch: &mut Vec<u8>, patient: bool) {
        batch.clear();
        batch.shrink_to(KEPT);
        let mut state = self.state();
        state.is_writing = false;
        if state.waiting.is_empty() {
            self.emptied.notify_all();
        }
        while patient && state.waiting.is_empty() {
            state = self
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(&mut state.waiting, batch);
        state.is_writing = true;
    }

    /// Waits until everything has been written, but at most this long.
    pub(super) fn flush(&self, patience: Duration) {
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        let state = self.state();
        let _ = self.emptied.wait_timeout_while(state, patience, is_busy);
    }

    pub(super) fn lose(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Queue, ROOM};

    #[test]
    fn what_is_too_much_is_lost_and_counted() {
        let queue = Queue::new();
        let line = [b'x'; 1000];
        for _ in 0..2000 {
            queue.push(&line);
        }
        let kept = ROOM / line.len();
        assert_eq!(queue.lost(), 2000 - kept as u64);
        let mut batch = Vec::new();
        queue.take(&mut batch, true);
        assert_eq!(batch.len(), kept * line.len());
        queue.push(b"there is room again\n");
        queue.take(&mut batch, true);
        assert_eq!(batch, b"there is room again\n");
        assert_eq!(queue.lost(), 2000 - kept as u64);
    }

    #[test]
    fn memory_is_given_back_when_a_crowd_has_passed() {
        let queue = Queue::new();
        queue.push(&[b'x'; ROOM]);
        let mut batch = Vec::new();
        for _ in 0..2 {
            queue.take(&mut batch, false);
        }
        queue.take(&mut batch, false);
        assert!(batch.capacity() <= KEPT);
        assert!(queue.state().waiting.capacity() <= KEPT);
    }
}
