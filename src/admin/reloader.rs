//! Asking the program to read its configuration again, and to say what is wrong with it.

use std::sync::{Arc, OnceLock};

use tokio::sync::{mpsc, oneshot};

/// What came of a reload, or what is wrong with the configuration.
pub type Reloaded = Result<TakenOver, String>;

/// A configuration that has taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenOver {
    /// Whether it is another one than before.
    pub is_changed: bool,
    /// The keys that take effect at the next start only.
    pub at_next_start: Vec<&'static str>,
}

/// Whoever is asked has to answer.
pub type ReloadRequest = oneshot::Sender<Reloaded>;

/// More than one reload at a time makes no sense.
const WAITING: usize = 1;

/// Asks for reloads, where somebody takes them.
#[derive(Clone, Debug, Default)]
pub struct Reloader(Arc<OnceLock<mpsc::Sender<ReloadRequest>>>);

impl Reloader {
    /// The requests for a reload, for whoever can read the configuration. The first call gets them.
    pub fn requests(&self) -> mpsc::Receiver<ReloadRequest> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let _ = self.0.set(sender);
        receiver
    }

    /// Asks for a reload, and waits for what comes of it; `None`: nobody takes requests.
    pub(super) async fn ask(&self) -> Option<Reloaded> {
        let (answer, answered) = oneshot::channel();
        self.0.get()?.send(answer).await.ok()?;
        answered.await.ok()
    }
}
