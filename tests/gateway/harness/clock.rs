//! The clock of a test: it advances while the machine runs the test, and stands still while it does not.
//!
//! On a busy machine, a healthy upstream may take longer than a timeout that is meant for a broken one. So the clock of
//! every gateway under test is paused, and a task beside the test's own tasks advances it: between two ticks all of
//! them run, and nothing is late because the machine is. Timers fire in the usual order. A test that is alone has a fast
//! clock, for most of its time goes into waiting; beside other programs it has that of the machine, as they have.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::time::{Instant, advance, pause};

/// Fine enough for the shortest timer of a test.
const TICK: Duration = Duration::from_millis(5);
/// What a tick takes where no other program takes part. Bytes on their way between two tasks arrive within it, and work
/// holds the clock up.
const MOMENT: Duration = Duration::from_millis(1);

thread_local! {
    /// The runtime of the test on this thread, once its clock is paused.
    static RUNTIME: Cell<Option<Id>> = const { Cell::new(None) };
    /// How many other programs take part in the test on this thread.
    static PROGRAMS: Cell<usize> = const { Cell::new(0) };
}

/// While this is kept, another program takes part: the clock goes no faster than the machine's, which the program has.
pub(crate) struct RealPace;

impl RealPace {
    pub(crate) fn keep() -> Self {
        PROGRAMS.set(PROGRAMS.get() + 1);
        Self
    }
}

impl Drop for RealPace {
    fn drop(&mut self) {
        PROGRAMS.set(PROGRAMS.get() - 1);
    }
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
        let moment = tokio::task::spawn_blocking(|| thread::sleep(MOMENT));
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
            let takes = if PROGRAMS.get() == 0 { MOMENT } else { TICK };
            let real_time = tokio::task::spawn_blocking(move || thread::sleep(takes));
            if real_time.await.is_err() {
                return;
            }
            advance(TICK).await;
        }
    });
}
