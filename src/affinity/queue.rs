//! The entries that wait to be written. They take memory only while they wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::known::Entry;

/// How many entries may wait.
const MOST: usize = 8192;

/// A queue: where entries go in, and where they come out.
pub(super) fn queue() -> (Intake, Queued) {
    let (sender, receiver) = channel();
    let waiting = Arc::default();
    let intake = Intake {
        sender,
        waiting: Arc::clone(&waiting),
    };
    (intake, Queued { receiver, waiting })
}

/// Where entries go in. The queue is closed once this is dropped.
#[derive(Debug)]
pub(super) struct Intake {
    sender: Sender<Entry>,
    waiting: Arc<AtomicUsize>,
}

impl Intake {
    /// Takes an entry, unless too many wait; returns whether it did.
    pub(super) fn take(&self, entry: Entry) -> bool {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < MOST && self.sender.send(entry).is_ok() {
            return true;
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        false
    }
}

/// Where entries come out, in order.
#[derive(Debug)]
pub(super) struct Queued {
    receiver: Receiver<Entry>,
    waiting: Arc<AtomicUsize>,
}

impl Queued {
    /// Waits for the next entry; `None` once the queue is closed and empty.
    pub(super) fn next(&self) -> Option<Entry> {
        self.out(self.receiver.recv()).ok()
    }

    /// Waits no longer than this.
    pub(super) fn next_within(&self, time: Duration) -> Result<Entry, RecvTimeoutError> {
        self.out(self.receiver.recv_timeout(time))
    }

    /// Those that wait now.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Entry> {
        std::iter::from_fn(|| self.out(self.receiver.try_recv()).ok())
    }

    fn out<E>(&self, entry: Result<Entry, E>) -> Result<Entry, E> {
        if entry.is_ok() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, MOST, queue};

    fn entry(number: u64) -> Entry {
        Entry {
            number,
            replaces: None,
            id: number,
            owner: "first".into(),
        }
    }

    #[test]
    fn no_more_wait_than_may_and_none_is_lost_of_those_that_do() {
        let (intake, queued) = queue();
        let more = MOST as u64 + 1;
        let taken = (0..more).filter(|number| intake.take(entry(*number)));
        assert_eq!(taken.count(), MOST);
        assert_eq!(queued.next().map(|entry| entry.number), Some(0));
        assert!(intake.take(entry(more)));
        assert!(!intake.take(entry(more)));
        drop(intake);
        let rest: Vec<u64> = queued.waiting().map(|entry| entry.number).collect();
        assert_eq!((rest.len(), rest.last()), (MOST, Some(&more)));
        assert!(queued.next().is_none());
    }
}
