//! What becomes known of a request while it is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::wire::upgrade::Shutdown;

/// What is known of a request so far, by all who serve it: also where it ends early, and nobody is left who could say.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Known>);

#[derive(Debug)]
struct Known {
    thinks: AtomicBool,
    attempts: AtomicUsize,
    shutdown: Shutdown,
}

impl Progress {
    /// Of a request that has just arrived. `shutdown`: becomes true when it has to end because the server stops.
    pub fn new(shutdown: Shutdown) -> Self {
        Self(Arc::new(Known {
            thinks: AtomicBool::new(false),
            attempts: AtomicUsize::new(0),
            shutdown,
        }))
    }

    /// Whether its model is known to think: by its name, by what the request asks for, or because an answer has shown it. Then it
    /// is known for all attempts of the request, those that are in flight included.
    pub fn thinks(&self) -> bool {
        self.0.thinks.load(Ordering::Relaxed)
    }

    /// Its model thinks.
    pub fn thinking_begins(&self) {
        self.0.thinks.store(true, Ordering::Relaxed);
    }

    /// How many attempts have begun.
    pub fn attempts(&self) -> usize {
        self.0.attempts.load(Ordering::Relaxed)
    }

    /// An attempt begins.
    pub fn attempt_begins(&self) {
        self.0.attempts.fetch_add(1, Ordering::Relaxed);
    }

    /// Becomes true when it has to end because the server stops.
    pub fn shutdown(&self) -> &Shutdown {
        &self.0.shutdown
    }

    /// Whether it has to end because the server stops.
    pub fn is_stopped(&self) -> bool {
        *self.0.shutdown.borrow()
    }
}

impl Default for Progress {
    /// Of a request that is served until it is over.
    fn default() -> Self {
        Self::new(tokio::sync::watch::channel(false).1)
    }
}
