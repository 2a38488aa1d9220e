//! What the program takes of its machine while it works: the first third of the time beside the last one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::program::Program;

/// Resident memory in KiB, file descriptors and threads.
pub(crate) type Taken = [u64; 3];

/// After so long everything has been used often, and the allocator has taken what it needs at most.
const WARM_UP: Duration = Duration::from_secs(300);

/// Looks twice a second after the warm-up, which takes a third of a short time.
pub(crate) async fn look(
    program: Arc<Program>,
    length: Duration,
    stop: watch::Receiver<bool>,
) -> Vec<Taken> {
    let start = Instant::now();
    let warm_up = (length / 3).min(WARM_UP);
    let mut all = Vec::new();
    while !*stop.borrow() {
        sleep(Duration::from_millis(500)).await;
        if start.elapsed() > warm_up {
            all.push(program.taken());
        }
    }
    all
}

/// The medians of the first and the last third.
pub(crate) fn thirds(all: &[Taken]) -> [Taken; 2] {
    let third = all.len().div_ceil(3);
    [&all[..third], &all[all.len() - third..]].map(medians)
}

fn medians(all: &[Taken]) -> Taken {
    std::array::from_fn(|index| {
        let mut values: Vec<u64> = all.iter().map(|taken| taken[index]).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied().unwrap_or_default()
    })
}
