//! Notes that something has happened on a connection, and wakes whoever waits for that.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Wake, Waker};

/// A waker whose listener may change. It wakes with its first ring only, until the ring is taken.
#[derive(Debug)]
pub(super) struct Bell {
    has_rung: AtomicBool,
    listener: Mutex<Waker>,
}

impl Bell {
    /// A bell to which nobody listens.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            has_rung: AtomicBool::new(false),
            listener: Mutex::new(Waker::noop().clone()),
        })
    }

    /// From now on it wakes this one. Who listens first and then looks whether it has rung misses nothing.
    pub(super) fn wakes(&self, waker: &Waker) {
        let mut listener = self.listener();
        if !listener.will_wake(waker) {
            listener.clone_from(waker);
        }
    }

    /// Whether it has rung since this was last asked.
    pub(super) fn take(&self) -> bool {
        self.has_rung.load(Ordering::Relaxed) && self.has_rung.swap(false, Ordering::AcqRel)
    }

    /// Waits until it rings.
    pub(super) async fn rung(&self) {
        poll_fn(|context| {
            self.wakes(context.waker());
            match self.take() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    fn listener(&self) -> MutexGuard<'_, Waker> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.has_rung.swap(true, Ordering::AcqRel) {
            self.listener().wake_by_ref();
        }
    }
}
