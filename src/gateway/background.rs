//! Background tasks: each runs for as long as the gateway, also after a panic.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::wire::caught;

/// The pause before a task that panicked is begun anew.
const PAUSE: Duration = Duration::from_secs(1);

/// Tasks that end with the gateway.
#[derive(Debug, Default)]
pub(super) struct Background(JoinSet<()>);

impl Background {
    /// Begins a task.
    pub(super) fn run<F>(&mut self, begin: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.spawn(async move {
            while caught::run(begin()).await.is_none() {
                sleep(PAUSE).await;
            }
        });
    }

    /// Ends all of them.
    pub(super) async fn end(&mut self) {
        self.0.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::Background;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_begun_anew() {
        let (begun, works) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let mut background = Background::default();
        let does_work = Arc::clone(&works);
        background.run(move || {
            let number = begun.fetch_add(1, Ordering::Relaxed);
            let works = Arc::clone(&does_work);
            async move {
                assert!(number == 2, "not yet");
                works.notify_one();
            }
        });
        works.notified().await;
        background.end().await;
    }
}
