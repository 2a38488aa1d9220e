//! What becomes of a client's connection after an answer that ends HTTP on it (101).
//!
//! An answer carries its takeover along to whoever serves the connection, so that a connection with another protocol on
//! it counts, and is cut at the end of a drain, as any other.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use http::Response;
use hyper::upgrade::Upgraded;
use tokio::sync::watch;

/// Turns true when it is time to say goodbye.
pub type Shutdown = watch::Receiver<bool>;

type UpgradeTask = Pin<Box<dyn Future<Output = ()> + Send>>;
type Start = Box<dyn FnOnce(Upgraded, Shutdown) -> UpgradeTask + Send>;

/// What is to be done with the connection. Dropped without being run, it was never the client's turn: the client has
/// gone.
#[derive(Clone)]
pub struct UpgradeHandler(Arc<Mutex<Option<Start>>>);

impl UpgradeHandler {
    /// Does this with the connection, until it is over or shutdown.
    pub fn new<F>(run: impl FnOnce(Upgraded, Shutdown) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let start: Start = Box::new(|client, shutdown| Box::pin(run(client, shutdown)));
        Self(Arc::new(Mutex::new(Some(start))))
    }

    /// Lets an answer carry it.
    pub fn put_into<B>(self, response: &mut Response<B>) {
        response.extensions_mut().insert(self);
    }

    /// Takes it from an answer that carries one.
    pub fn take_from<B>(response: &mut Response<B>) -> Option<Self> {
        response.extensions_mut().remove()
    }

    /// Does it, once.
    pub async fn run(self, client: Upgraded, shutdown: Shutdown) {
        let start = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(self);
        if let Some(start) = start {
            start(client, shutdown).await;
        }
    }
}

impl fmt::Debug for UpgradeHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpgradeHandler")
    }
}
