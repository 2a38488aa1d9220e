//! The time of a test: it passes while the machine attends to the test, and stands still while it does not.
//!
//! On a machine with other things to do, a healthy upstream may take longer than a timer that is meant for a broken one.
//! So the clock of every gateway under test is paused and moved on by a task beside the test's own tasks: between two
//! ticks all of them get their turn, and nothing is late because the machine is. Timers ring in the same order as ever.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::time::{advance, pause};

/// Fine enough for the shortest timer of a test.
const TICK: Duration = Duration::from_millis(5);

thread_local! {
    /// The runtime of the test that runs on this thread, once its time is in our hands.
    static RUNTIME: Cell<Option<Id>> = const { Cell::new(None) };
}

/// Takes the time of this test in hand.
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
            // A paused clock jumps to the next timer when nothing is to be done, but not while something blocks.
            let real_time = tokio::task::spawn_blocking(|| thread::sleep(TICK));
            if real_time.await.is_err() {
                return;
            }
            advance(TICK).await;
        }
    });
}
