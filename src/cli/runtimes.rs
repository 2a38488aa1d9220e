//! The threads that serve: one for each processor, each in a runtime of its own.

use std::num::NonZero;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Runtime};

/// More threads than this are of no use: each serves some ten thousand requests a second.
const MOST: usize = 16;

/// A runtime with one thread. It can be joined by another one while a long computation occupies it.
pub(super) fn one() -> anyhow::Result<Runtime> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    Ok(runtime)
}

/// Further runtimes, so that there is one for each processor. A single one with as many threads would move requests between
/// them, which costs more than it gains.
pub(super) fn others() -> anyhow::Result<Vec<Runtime>> {
    let processors = available_parallelism().map_or(1, NonZero::get);
    (1..processors.min(MOST)).map(|_| one()).collect()
}
