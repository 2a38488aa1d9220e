//! The threads that serve clients: one for each processor, each in a runtime of its own.

use std::num::NonZero;
use std::sync::Mutex;
use std::thread::{self, available_parallelism};
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// As many threads as this at most: each serves some ten thousand requests a second, and has descriptors and memory of its own.
const MOST: usize = 16;
/// How many further threads a runtime may have for name lookups and files, which may stand still for long.
const MOST_BLOCKING: usize = 64;
/// Without room for so many of them it does not serve.
const FURTHER: usize = 6;

/// A thread's own queue has room for 256 tasks. What overflows is looked at every so many tasks: by default seldom, so that
/// where many are ready, some wait for ever.
const OVERFLOW: u32 = 4;

/// A runtime with one thread. It can be joined by another one while a long computation occupies it.
pub(super) fn one() -> anyhow::Result<Runtime> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(MOST_BLOCKING)
        .global_queue_interval(OVERFLOW)
        .enable_all()
        .build()?;
    Ok(runtime)
}

/// Whether this process may have so many more threads at a time: where one cannot be had, a runtime panics.
pub(super) fn room_for(threads: usize) -> anyhow::Result<()> {
    let end = Mutex::new(());
    let all = thread::scope(|scope| {
        let _not_yet = end.lock();
        let mut all =
            (0..threads).map(|_| thread::Builder::new().spawn_scoped(scope, || drop(end.lock())));
        all.try_for_each(|one| one.map(drop))
    });
    all.context(
        "it may not have the threads that it needs; raise their limit: `ulimit -u`, TasksMax in a unit of systemd, \
         --pids-limit in Docker",
    )
}

/// The runtimes in which clients are served. A single one with as many threads would move requests between them, which costs more
/// than it gains; the one that starts the program has operators and everything else, so that no load of clients delays that.
pub(super) fn for_clients() -> anyhow::Result<Vec<Runtime>> {
    let processors = available_parallelism().map_or(1, NonZero::get);
    let count = processors.min(MOST);
    room_for(count + FURTHER)?;
    (0..count).map(|_| one()).collect()
}

/// Ends all of them, within so long.
pub(super) fn end(all: impl IntoIterator<Item = Runtime>, within: Duration) {
    let until = Instant::now() + within;
    for runtime in all {
        runtime.shutdown_timeout(until.saturating_duration_since(Instant::now()));
    }
}
