//! The end of a drain's grace time, which open answers wait for.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::unconstrained;

use super::error::ErrorResponse;
use crate::wire::upgrade::Shutdown;

/// Becomes ready when open answers have to end.
pub(super) struct Stopping {
    shutdown: Shutdown,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Stopping {
    pub(super) fn new(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            waiting: None,
        }
    }

    /// Whether the grace time is over; does not wait.
    pub(super) fn has_come(&self) -> bool {
        *self.shutdown.borrow()
    }

    /// Also where the task has used up its budget, so that one poll is enough for the task to be woken.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let shutdown = &self.shutdown;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(unconstrained(is_over(shutdown.clone()))));
        waiting.as_mut().poll(context)
    }
}

/// Waits for the end of the grace time.
pub(super) async fn is_over(mut shutdown: Shutdown) {
    if shutdown.wait_for(|shutdown| *shutdown).await.is_err() {
        // The sender is gone, so the end will never be announced.
        std::future::pending::<()>().await;
    }
}

/// The error that clients get when the grace time is over.
pub(super) fn error_response() -> ErrorResponse {
    ErrorResponse::new(
        503,
        "shutting_down",
        "the proxy is being stopped; send the request again",
    )
    .after(Duration::from_secs(1))
}
