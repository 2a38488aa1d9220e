//! Has the allocator give back to the system, every few seconds, the memory that was freed.
//!
//! It keeps what is freed for a second, in case it is wanted again, and looks at what is due only when it frees more. After a
//! burst nothing more is freed: a quiet proxy would keep all that the burst took. A large block is taken from the system
//! and given back by itself, so that freeing one makes it look.

use std::hint::black_box;
use std::time::Duration;

use tokio::time::sleep;

const PAUSE: Duration = Duration::from_secs(5);
/// No block of this size is kept for the next one. Nothing is written to it, so it costs no memory.
const LARGE: usize = 1 << 20;

/// Runs for as long as the process.
pub(super) async fn run() {
    loop {
        sleep(PAUSE).await;
        // Otherwise the compiler would leave it out.
        drop(black_box(Vec::<u8>::with_capacity(LARGE)));
    }
}
