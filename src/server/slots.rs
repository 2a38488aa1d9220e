//! How many connections may be open, and those that are, of all threads of a server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::activity::{Activity, make_room};

/// How often to look for an idle connection to close while all slots are taken.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// As many slots as connections may be open, and those that are.
#[derive(Debug)]
pub(super) struct Slots {
    permits: Arc<Semaphore>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    activities: HashMap<u64, Arc<Activity>>,
    /// How many have been opened.
    opened: u64,
    /// Whether somebody has asked how many are left.
    is_asked: bool,
}

/// The slot of a connection, until this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    pub(super) fn new(connections: usize) -> Arc<Self> {
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(connections)),
            open: Mutex::default(),
        })
    }

    /// Waits until another connection may be open. While none may, idle ones are closed, the longest idle first.
    pub(super) async fn acquire(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                return permit;
            }
            make_room(&self.open().activities);
            let permit = Arc::clone(&self.permits).acquire_owned();
            if let Ok(Ok(permit)) = timeout(LOOK_AGAIN, permit).await {
                return permit;
            }
        }
    }

    /// A connection with this activity is open.
    pub(super) fn enter(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        activity: Arc<Activity>,
    ) -> Slot {
        let mut open = self.open();
        open.opened += 1;
        let number = open.opened;
        open.activities.insert(number, activity);
        Slot {
            slots: Arc::clone(self),
            number,
            _permit: permit,
        }
    }

    /// How many are still open at the end of the grace time, for the first thread that asks.
    pub(super) fn left(&self) -> Option<usize> {
        let mut open = self.open();
        let is_first = !std::mem::replace(&mut open.is_asked, true);
        is_first.then_some(open.activities.len())
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.open().activities.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::Slots;
    use crate::server::activity::Activity;

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_one_makes_room_and_whoever_has_left_is_not_asked() {
        let slots = Slots::new(2);
        let enter = async || {
            let activity = Activity::new();
            let slot = slots.enter(slots.acquire().await, Arc::clone(&activity));
            (activity, slot)
        };
        let (_, left) = enter().await;
        let (first, slot) = {
            drop(left);
            enter().await
        };
        sleep(Duration::from_secs(2)).await;
        let (_second, _other) = enter().await;
        let start = Instant::now();
        let closing = async {
            first.must_make_room().await;
            drop(slot);
        };
        tokio::join!(enter(), closing);
        assert!(start.elapsed() <= Duration::from_millis(100));
        assert_eq!(
            slots.open().activities.len(),
            1,
            "the last one has left again"
        );
    }
}
