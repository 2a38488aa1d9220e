//! What a handler returns for a request: the response, and for a 101 the handler that takes over the client's
//! connection.

use std::fmt;
use std::pin::Pin;

use http::Response;
use hyper::upgrade::Upgraded;
use tokio::sync::watch;

use super::body::Body;

/// Becomes true when the grace time of a drain is over and open connections have to close.
pub type Shutdown = watch::Receiver<bool>;

/// What a handler returns for a request.
#[derive(Debug)]
pub struct Handled {
    /// The response.
    pub response: Response<Body>,
    /// What to do with the connection after a 101 response.
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

/// What to do with an upgraded connection. If it is dropped without being run, the client disconnected before the
/// upgrade.
pub struct UpgradeHandler(Start);

impl UpgradeHandler {
    /// Runs this on the connection until it is over or the server shuts down.
    pub fn new<F>(run: impl FnOnce(Upgraded, Shutdown) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Box::new(|client, shutdown| Box::pin(run(client, shutdown))))
    }

    /// Runs it.
    pub async fn run(self, client: Upgraded, shutdown: Shutdown) {
        (self.0)(client, shutdown).await;
    }
}

impl fmt::Debug for UpgradeHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpgradeHandler")
    }
}
