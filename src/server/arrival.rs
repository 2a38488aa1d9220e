//! How long what a client has sent waits until the task of its connection looks at it: the wait for the processor.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use tokio::time::Instant;

/// Notes when the task of a connection is woken to read, and how long it takes until it does.
#[derive(Debug)]
pub(super) struct Arrival {
    epoch: Instant,
    /// When the task was woken, if it has not read since; in nanoseconds, and 0 stands for none.
    woken: AtomicU64,
    /// How long what was read last had to wait, in nanoseconds.
    waited: AtomicU64,
    reader: Mutex<Waker>,
}

impl Arrival {
    /// The one of a new connection, whose task has still to run.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            epoch: Instant::now(),
            woken: AtomicU64::new(1),
            waited: AtomicU64::new(0),
            reader: Mutex::new(Waker::noop().clone()),
        })
    }

    /// The task reads now, and is to be woken for more.
    pub(super) fn reads(&self, context: &Context<'_>) {
        let mut reader = self.reader();
        if !reader.will_wake(context.waker()) {
            reader.clone_from(context.waker());
        }
        drop(reader);
        let woken = self.woken.swap(0, Ordering::Relaxed);
        if woken > 0 {
            let waited = self.now().saturating_sub(woken);
            self.waited.store(waited, Ordering::Relaxed);
        }
    }

    /// How long the requests that were read last had to wait.
    pub(super) fn waited(&self) -> Duration {
        Duration::from_nanos(self.waited.load(Ordering::Relaxed))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn reader(&self) -> MutexGuard<'_, Waker> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Arrival {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let (order, now) = (Ordering::Relaxed, self.now().max(1));
        let _ = self.woken.compare_exchange(0, now, order, order);
        self.reader().wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake, Waker};
    use std::time::Duration;

    use tokio::time::advance;

    use super::Arrival;

    const SECOND: Duration = Duration::from_secs(1);

    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_has_waited_since_its_task_was_woken_first() {
        let task = Arc::new(Task(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&task));
        let context = Context::from_waker(&waker);
        let arrival = Arrival::new();
        advance(SECOND).await;
        arrival.reads(&context);
        // The connection is new.
        assert_eq!(arrival.waited(), SECOND - Duration::from_nanos(1));
        advance(SECOND * 100).await;
        for _ in 0..2 {
            Arc::clone(&arrival).wake();
            advance(SECOND).await;
        }
        arrival.reads(&context);
        assert_eq!(task.0.load(Ordering::Relaxed), 2);
        arrival.reads(&context);
        // So have those that came together with it.
        assert_eq!(arrival.waited(), SECOND * 2);
        assert_eq!(arrival.waited(), SECOND * 2);
        arrival.wake_by_ref();
        arrival.reads(&context);
        assert_eq!(arrival.waited(), Duration::ZERO);
    }
}
