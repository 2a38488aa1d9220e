//! What a handler answers a request with, and what becomes of the client's connection after an answer that ends HTTP on
//! it (101).

use std::fmt;
use std::pin::Pin;

use http::Response;
use hyper::upgrade::Upgraded;
use tokio::sync::watch;

use super::body::Body;

/// Turns true when the grace time of a drain is over: it is time to say goodbye.
pub type Shutdown = watch::Receiver<bool>;

/// What a handler answers a request with.
#[derive(Debug)]
pub struct Handled {
    /// The answer.
    pub response: Response<Body>,
    /// What is to be done with the connection after an answer that ends HTTP on it.
    pub upgrade: Option<UpgradeHandler>,
}

impl From<Response<Body>> for Handled {
    fn from(response: Response<Body>) -> Self {
        Self {
            response,
            upgrade: None,
        }
    }
}

type UpgradeTask = Pin<Box<dyn Future<Output = ()> + Send>>;
type Start = Box<dyn FnOnce(Upgraded, Shutdown) -> UpgradeTask + Send>;

/// What is to be done with the connection. Dropped without being run, it was never the client's turn: the client has
/// gone.
pub struct UpgradeHandler(Start);

impl UpgradeHandler {
    /// Does this with the connection, until it is over or shutdown.
    pub fn new<F>(run: impl FnOnce(Upgraded, Shutdown) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Box::new(|client, shutdown| Box::pin(run(client, shutdown))))
    }

    /// Does it.
    pub async fn run(self, client: Upgraded, shutdown: Shutdown) {
        (self.0)(client, shutdown).await;
    }
}

impl fmt::Debug for UpgradeHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpgradeHandler")
    }
}
