//! Work that takes long, done where it holds up nobody else: the other tasks of a thread of the runtime go on elsewhere.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

/// Work on so few bytes is done at once: it takes less than a millisecond.
pub const SMALL: usize = 64 << 10;
/// Work on more than that has a lane of its own, so that nobody with less waits behind it.
const HUGE: usize = 4 << 20;

/// Half of the processors for either lane: whoever has large bodies leaves the others room.
static LANES: LazyLock<[Semaphore; 2]> = LazyLock::new(|| {
    let processors = available_parallelism().map_or(1, usize::from);
    let places = processors.div_ceil(2);
    [Semaphore::new(places), Semaphore::new(places)]
});

/// Does work on so many bytes. What is large waits for its turn, as only a few are at work at a time.
pub async fn run<T>(size: usize, work: impl FnOnce() -> T) -> T {
    if size <= SMALL {
        return work();
    }
    // They are never closed; a permit is a place, and nothing depends on having one.
    let _place = LANES[usize::from(size > HUGE)].acquire().await;
    aside(work)
}

/// Does work on so many bytes that must not wait for a turn: for that wait somebody else would be blamed.
pub fn at_once<T>(size: usize, work: impl FnOnce() -> T) -> T {
    match size {
        0..=SMALL => work(),
        _ => aside(work),
    }
}

fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => block_in_place(work),
        // There is nobody to hand the other tasks to.
        _ => work(),
    }
}

/// Does work that goes through so many bytes and makes nothing of them: it is several times as fast.
pub async fn scan<T>(size: usize, work: impl FnOnce() -> T) -> T {
    run(size / 8, work).await
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::{SMALL, run};

    /// With one thread only, the work could wait for ever for a task that shares it.
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
