//! Whether a thread keeps up with its requests; while it does not, which of them are refused.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::valve::Valve;

/// How often to look whether the log has to be told something.
const LOOK: Duration = Duration::from_secs(1);
/// The shortest time between two log lines about the same.
const SILENCE: Duration = Duration::from_secs(10);

/// The requests of one thread, and which of them are let in.
#[derive(Debug)]
pub(super) struct Pressure {
    valve: Mutex<Valve>,
    refusals: Arc<Refusals>,
}

/// What all threads of a server have refused.
#[derive(Debug, Default)]
pub(super) struct Refusals(AtomicU64);

impl Refusals {
    /// Tells the log what is new, for as long as the server serves.
    pub(super) async fn tell(self: Arc<Self>) {
        let mut notice = Notice::default();
        loop {
            sleep(LOOK).await;
            notice.tell(self.0.load(Ordering::Relaxed), Instant::now());
        }
    }
}

impl Pressure {
    /// The requests of one of the threads that share these refusals. `bound`: how long a request may wait for the
    /// processor; 0: nobody is refused for that.
    pub(super) fn bounded(bound: Duration, refusals: &Arc<Refusals>) -> Option<Self> {
        (!bound.is_zero()).then(|| Self {
            valve: Mutex::new(Valve::new(bound, Instant::now())),
            refusals: Arc::clone(refusals),
        })
    }

    /// Whether there is time for a request that has waited for so long, and will wait for so long for the work on its body.
    pub(super) fn admits(&self, waited: Duration, will_wait: Duration) -> bool {
        let mut valve = self.valve.lock().unwrap_or_else(PoisonError::into_inner);
        let admits = valve.admits(waited, will_wait, Instant::now());
        if !admits {
            self.refusals.0.fetch_add(1, Ordering::Relaxed);
        }
        admits
    }
}

/// What the log has been told.
#[derive(Debug, Default)]
struct Notice {
    /// When it was told last that requests are refused, if it was not told since that they are not.
    since: Option<Instant>,
    refused: u64,
}

impl Notice {
    fn tell(&mut self, refused: u64, now: Instant) {
        let more = refused - self.refused;
        let is_silent = self.since.is_some_and(|since| now - since < SILENCE);
        if is_silent || (more == 0 && self.since.is_none()) {
            return;
        }
        if more > 0 {
            tracing::warn!(
                refused = more,
                "more requests arrive than the processor can handle: {more} got 503 `overloaded` (limits.queueing)"
            );
            self.since = Some(now);
        } else {
            tracing::info!("requests do not queue for the processor any more");
            self.since = None;
        }
        self.refused = refused;
    }
}
