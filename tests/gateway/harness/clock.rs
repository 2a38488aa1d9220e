//! The clock of a test: it advances while the machine runs the test, and stands still while it does not.
//!
//! On a busy machine, a healthy upstream may take longer than a timeout that is meant for a broken one. So the clock of
//! every gateway under test is paused, and a task beside the test's own tasks advances it: between two ticks all of
//! them run, and nothing is late because the machine is. Timers fire in the usual order.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::time::{Instant, advance, pause};

/// Fine enough for the shortest timer of a test.
const TICK: Duration = Duration::from_millis(5);

thread_local! {
    /// The runtime of the test on this thread, once its clock is paused.
    static RUNTIME: Cell<Option<Id>> = const { Cell::new(None) };
}

/// How far the clock moves at once while a test lets time pass.
const STRIDE: Duration = Duration::from_millis(500);

/// Lets so much time pass, in moments: all tasks run between two strides. Nothing with a timer of a few seconds may be in
/// flight meanwhile, as a busy machine may need several strides for it.
#[expect(
    clippy::disallowed_methods,
    reason = "on a thread that is there to be blocked"
)]
pub(crate) async fn pass(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        advance(STRIDE).await;
        let moment = tokio::task::spawn_blocking(|| thread::sleep(Duration::from_millis(1)));
        moment.await.expect("a moment");
    }
}

/// Takes control of this test's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "on a thread that is there to be blocked"
)]
pub(super) fn keep() {
    if Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread {
        // Several threads have no clock that could be paused: such a test must not depend on time.
        return;
    }
    let runtime = Some(Handle::current().id());
    if RUNTIME.replace(runtime) == runtime {
        return;
    }
    pause();
    tokio::spawn(async {
        loop {
            // A paused clock jumps to the next timer when all tasks are idle, but not while something blocks.
            let real_time = tokio::task::spawn_blocking(|| thread::sleep(TICK));
            if real_time.await.is_err() {
                return;
            }
            advance(TICK).await;
        }
    });
}
