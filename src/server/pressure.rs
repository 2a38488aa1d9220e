//! Whether a thread keeps up with its requests; while it does not, which of them are refused.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::valve::{Look, Valve};

/// How often to look at the queue, with requests and without.
const OFTEN: Duration = Duration::from_millis(10);
const SELDOM: Duration = Duration::from_millis(50);
/// The shortest time between two log lines about the same.
const SILENCE: Duration = Duration::from_secs(10);
/// What the part is counted in.
const ALL: u32 = 1 << 16;

/// The requests of one thread, and the part of them that is let in.
#[derive(Debug)]
pub(super) struct Pressure {
    part: AtomicU32,
    begun: AtomicU64,
    ended: AtomicU64,
    refusals: Arc<Refusals>,
}

/// What all threads of a server have refused.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    count: AtomicU64,
    /// How many threads refuse requests now.
    refusing: AtomicUsize,
    notice: Mutex<Notice>,
}

impl Refusals {
    /// A thread has refused requests or not, and does now or not.
    fn changed(&self, before: bool, now: bool) {
        match (before, now) {
            (false, true) => drop(self.refusing.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(self.refusing.fetch_sub(1, Ordering::Relaxed)),
            (true, true) | (false, false) => {}
        }
    }

    /// Tells the log what is new.
    fn tell(&self, at: Instant) {
        let is_refusing = self.refusing.load(Ordering::Relaxed) > 0;
        let count = self.count.load(Ordering::Relaxed);
        let mut notice = self.notice.lock().unwrap_or_else(PoisonError::into_inner);
        notice.tell(is_refusing, count, at);
    }
}

impl Default for Pressure {
    fn default() -> Self {
        Self::of(Arc::default())
    }
}

impl Pressure {
    /// The requests of one of the threads that share this.
    pub(super) fn of(refusals: Arc<Refusals>) -> Self {
        Self {
            part: AtomicU32::new(ALL),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            refusals,
        }
    }

    /// Whether there is time for one request more.
    pub(super) fn admits(&self) -> bool {
        let part = self.part.load(Ordering::Relaxed);
        if part == ALL || fastrand::u32(..ALL) < part {
            return true;
        }
        self.refusals.count.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// A request has begun.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// A request has ended.
    pub(super) fn end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Looks at the queue for as long as the server serves. `bound`: how long a ready task may wait; 0: everybody is let
    /// in, always.
    pub(super) async fn watch(self: Arc<Self>, bound: Duration) {
        if bound.is_zero() {
            return;
        }
        let mut valve = Valve::new(bound);
        let mut seen = 0;
        let mut was_refusing = false;
        loop {
            let begun = self.begun.load(Ordering::Relaxed);
            let pause = if begun == seen { SELDOM } else { OFTEN };
            seen = begun;
            sleep(pause).await;
            let start = Instant::now();
            let before = self.begun.load(Ordering::Relaxed);
            // Behind all tasks that are ready, and all sockets that are.
            yield_now().await;
            let at = Instant::now();
            let begun = self.begun.load(Ordering::Relaxed);
            let part = valve.after(Look {
                at,
                delay: at - start,
                meanwhile: begun - before,
                begun,
                ended: self.ended.load(Ordering::Relaxed),
            });
            let in_all = (part * f64::from(ALL)) as u32;
            self.part.store(in_all, Ordering::Relaxed);
            let is_refusing = in_all < ALL;
            self.refusals.changed(was_refusing, is_refusing);
            was_refusing = is_refusing;
            self.refusals.tell(at);
        }
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
    fn tell(&mut self, is_refusing: bool, refused: u64, now: Instant) {
        let more = refused - self.refused;
        let is_silent = self.since.is_some_and(|since| now - since < SILENCE);
        if is_silent || (more == 0 && self.since.is_none()) {
            return;
        }
        if is_refusing || more > 0 {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use super::{ALL, Pressure};

    #[test]
    fn everybody_is_let_in_at_first_and_the_part_later() {
        let pressure = Pressure::default();
        assert!((0..1000).all(|_| pressure.admits()));
        pressure.part.store(ALL / 4, Ordering::Relaxed);
        let admitted = (0..10_000).filter(|_| pressure.admits()).count();
        assert!((2000..3000).contains(&admitted), "{admitted}");
        let refused = pressure.refusals.count.load(Ordering::Relaxed);
        assert_eq!(refused as usize, 10_000 - admitted);
    }

    #[tokio::test]
    async fn without_a_bound_nobody_looks() {
        let pressure = Arc::new(Pressure::default());
        Arc::clone(&pressure).watch(Duration::ZERO).await;
        assert!(pressure.admits());
    }
}
