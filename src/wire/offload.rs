//! Runs long computations so that they do not block the other tasks of a runtime thread.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

/// Work on no more bytes than this is done in place: it takes less than a millisecond.
pub const SMALL: usize = 64 << 10;
/// Work on more bytes than this has its own lane, so that smaller work never waits behind it.
const HUGE: usize = 4 << 20;

/// Half of the processors for each lane: clients with large bodies leave the others room.
static LANES: LazyLock<[Semaphore; 2]> = LazyLock::new(|| {
    let processors = available_parallelism().map_or(1, usize::from);
    let places = processors.div_ceil(2);
    [Semaphore::new(places), Semaphore::new(places)]
});

/// Runs work on this many bytes. Large work waits for a permit, as only a few computations run at a time.
pub async fn run<T>(size: usize, work: impl FnOnce() -> T) -> T {
    if size <= SMALL {
        return work();
    }
    // The semaphores are never closed; the permit only limits concurrency.
    let _place = LANES[usize::from(size > HUGE)].acquire().await;
    aside(work)
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

fn aside<T>(work: impl FnOnce() -> T) -> T {
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
