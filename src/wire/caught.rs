//! A panic ends what panicked, and nothing else: no other request, no connection, no task.
//!
//! What was caught is dropped with all that it holds, so nobody sees it half-changed. The panic's hook has logged it.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

static CAUGHT: AtomicU64 = AtomicU64::new(0);

/// How many panics were caught here since the process began.
pub fn count() -> u64 {
    CAUGHT.load(Ordering::Relaxed)
}

/// Does some work; `None`: it panicked.
pub fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work));
    if done.is_err() {
        CAUGHT.fetch_add(1, Ordering::Relaxed);
    }
    done.ok()
}

/// Runs a future to its end; `None`: it panicked.
pub async fn run<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match caught(|| future.as_mut().poll(context)) {
        Some(polled) => polled.map(Some),
        None => Poll::Ready(None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::{count, run};

    #[tokio::test]
    async fn a_panic_is_a_result_and_counted() {
        let before = count();
        let halfway = run(async {
            tokio::task::yield_now().await;
            panic!("on purpose");
        });
        assert_eq!(halfway.await, None::<()>);
        assert!(count() > before);
        assert_eq!(run(async { 7 }).await, Some(7));
    }
}
