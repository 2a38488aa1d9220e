//! The end of what a client was admitted for.

use std::fmt;
use std::future::pending;
use std::pin::Pin;

/// Ready when a client is admitted no more.
pub(super) struct Revocation(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Revocation {
    /// It comes when this is ready.
    pub(super) fn when(due: impl Future<Output = ()> + Send + Sync + 'static) -> Self {
        Self(Box::pin(due))
    }

    /// Waits for it; without one, for ever.
    pub(super) async fn comes(revocation: Option<Self>) {
        match revocation {
            Some(revocation) => revocation.0.await,
            None => pending().await,
        }
    }
}

impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revocation")
    }
}
