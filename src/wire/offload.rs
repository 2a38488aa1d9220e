//! Runs long computations so that they do not block the other tasks of a runtime thread.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;
use tokio::time::Instant;

/// Work on no more bytes than this is done in place: it takes less than a millisecond.
pub const SMALL: usize = 64 << 10;
/// Work on more bytes than this has its own lane, so that smaller work never waits behind it.
const HUGE: usize = 4 << 20;

/// What a computation takes is the mean of about so many.
const RECENT: u64 = 16;

/// Half of the processors for each lane: clients with large bodies leave the others room.
static LANES: LazyLock<[Lane; 2]> = LazyLock::new(|| {
    let processors = available_parallelism().map_or(1, usize::from);
    let places = processors.div_ceil(2);
    [Lane::new(places), Lane::new(places)]
});

/// So many computations at a time; the others wait.
struct Lane {
    places: usize,
    free: Semaphore,
    waiting: AtomicUsize,
    /// What one takes, as far as is known; in nanoseconds.
    usual: AtomicU64,
}

impl Lane {
    fn new(places: usize) -> Self {
        Self {
            places,
            free: Semaphore::new(places),
            waiting: AtomicUsize::new(0),
            usual: AtomicU64::new(0),
        }
    }

    /// The lane for so many bytes, if there is one for them.
    fn of(size: usize) -> Option<&'static Self> {
        (size > SMALL).then(|| &LANES[usize::from(size > HUGE)])
    }

    /// How long the next one would wait.
    fn queue(&self) -> Duration {
        let waiting = self.waiting.load(Ordering::Relaxed).div_ceil(self.places) as u64;
        Duration::from_nanos(self.usual.load(Ordering::Relaxed).saturating_mul(waiting))
    }

    async fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let waits = Waits::one(&self.waiting);
        // The semaphores are never closed; the permit only limits concurrency.
        let _place = self.free.acquire().await;
        drop(waits);
        let start = Instant::now();
        let result = aside(work);
        self.took(start.elapsed());
        result
    }

    fn took(&self, time: Duration) {
        let took = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) / RECENT;
        let usual = self.usual.load(Ordering::Relaxed);
        let usual = usual - usual / RECENT + took;
        self.usual.store(usual, Ordering::Relaxed);
    }
}

/// One that waits, until this is dropped.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn one(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long work on this many bytes would have to wait, as far as can be said.
pub fn queue(size: usize) -> Duration {
    Lane::of(size).map_or(Duration::ZERO, Lane::queue)
}

/// Runs work on this many bytes. Large work waits for its turn, as only a few computations run at a time.
pub async fn run<T>(size: usize, work: impl FnOnce() -> T) -> T {
    match Lane::of(size) {
        None => work(),
        Some(lane) => lane.run(work).await,
    }
}

/// Runs work on this many bytes that must not wait for a permit, because the wait would be blamed on an upstream.
pub fn at_once<T>(size: usize, work: impl FnOnce() -> T) -> T {
    match size {
        0..=SMALL => work(),
        _ => aside(work),
    }
}

/// The same for work that only reads them and builds nothing.
pub fn scan_at_once<T>(size: usize, work: impl FnOnce() -> T) -> T {
    at_once(size / 8, work)
}

/// Runs work of which nobody knows how long it takes, such as that on everything in the configuration.
pub fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => block_in_place(work),
        // A single-threaded runtime cannot move its other tasks to another thread.
        _ => work(),
    }
}

/// Runs work that only reads this many bytes and builds nothing, which is several times as fast.
pub async fn scan<T>(size: usize, work: impl FnOnce() -> T) -> T {
    run(size / 8, work).await
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::{SMALL, run};

    /// With one thread only, the work could wait forever for a task on the same thread.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn other_tasks_go_on_beside_large_work() {
        let work = || {
            let (done, is_done) = mpsc::channel();
            tokio::spawn(async move { done.send(7) });
            is_done.recv()
        };
        let large = tokio::spawn(run(SMALL + 1, work));
        assert_eq!(large.await.unwrap(), Ok(7));
    }

    #[tokio::test]
    async fn it_works_without_other_threads() {
        assert_eq!(run(1, || 1).await + run(SMALL + 1, || 2).await, 3);
    }
}
