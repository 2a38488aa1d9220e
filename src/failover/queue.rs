//! The queue of a route: requests that wait until somebody can answer again.
//!
//! They wait in the order in which they came, and are let out one by one. The pace adapts: a few successes in a row make
//! it twice as fast, each failure twice as slow. So an upstream that is back is found soon, by few calls, and is not run
//! over by everybody who waits for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};

/// The pause before the first turn. After a rate limit, the pauses between turns begin with the length of that, up to
/// `LONGEST_FIRST`.
const FIRST: Duration = Duration::from_millis(200);
const LONGEST_FIRST: Duration = Duration::from_millis(1100);
/// So many successes in a row make the pause shorter.
const ENOUGH: u32 = 4;
/// The longest pause between two turns.
const LONGEST: Duration = Duration::from_secs(2);
/// A shorter pause is none.
const SHORTEST: Duration = Duration::from_millis(2);

/// The waiting requests of one route.
#[derive(Debug)]
pub(super) struct Queue {
    /// Whoever holds it is the first in the queue.
    head: Semaphore,
    waiting: AtomicUsize,
    /// No more requests wait at a time.
    limit: usize,
    pace: Mutex<Pace>,
}

#[derive(Clone, Copy, Debug)]
struct Pace {
    /// When the next request may go.
    next: Instant,
    /// The pause between two turns.
    pause: Duration,
    /// How many successes there were since it changed.
    successes: u32,
}

/// A place in a queue, which is given up when it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a>(&'a Queue);

impl Queue {
    pub(super) fn new(limit: usize, now: Instant) -> Self {
        Self {
            head: Semaphore::new(1),
            waiting: AtomicUsize::new(0),
            limit,
            pace: Mutex::new(Pace::beginning(now, FIRST)),
        }
    }

    /// A place in the queue, for a request that cannot be answered before `opens_at`; `None` if it is full.
    pub(super) fn enter(&self, opens_at: Instant, now: Instant) -> Option<Place<'_>> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Place(self);
        if before >= self.limit {
            return None;
        }
        if before == 0 {
            let closed_for = opens_at.saturating_duration_since(now);
            // A pause of exactly that length would often be a moment too short.
            let pause = closed_for.mul_f32(1.1).clamp(FIRST, LONGEST_FIRST);
            *self.pace() = Pace::beginning(now, pause);
        }
        Some(place)
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace {
    fn beginning(now: Instant, pause: Duration) -> Self {
        Self {
            next: now + FIRST,
            pause,
            successes: 0,
        }
    }

    fn set(&mut self, pause: Duration) {
        self.pause = pause;
        self.successes = 0;
    }
}

impl<'a> Place<'a> {
    /// Waits until it is this request's turn, but not before `opens_at`. False if that is not before `until`.
    pub(super) async fn turn(&self, opens_at: Instant, until: Instant) -> bool {
        if opens_at > Instant::now() {
            sleep_until(opens_at.min(until)).await;
        }
        let Some(_head) = self.head(until).await else {
            return false;
        };
        let next = self.0.pace().next;
        if next > Instant::now() {
            sleep_until(next.min(until)).await;
        }
        let now = Instant::now();
        if now >= until {
            return false;
        }
        let mut pace = self.0.pace();
        pace.next = now + pace.pause;
        true
    }

    async fn head(&self, until: Instant) -> Option<SemaphorePermit<'a>> {
        timeout_at(until, self.0.head.acquire()).await.ok()?.ok()
    }

    /// The request that went out in its turn has been answered.
    pub(super) fn succeeded(&self) {
        let mut pace = self.0.pace();
        pace.successes += 1;
        if pace.pause > LONGEST_FIRST {
            pace.set(FIRST);
        } else if pace.successes >= ENOUGH {
            let half = pace.pause / 2;
            pace.set(if half < SHORTEST {
                Duration::ZERO
            } else {
                half
            });
        }
        pace.next = Instant::now() + pace.pause;
    }

    /// It has failed.
    pub(super) fn failed(&self) {
        let mut pace = self.0.pace();
        let double = (pace.pause * 2).clamp(FIRST, LONGEST);
        pace.set(double);
        pace.next = Instant::now() + pace.pause;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Queue;

    const LONG: Duration = Duration::from_secs(3600);

    fn seconds(duration: Duration) -> f64 {
        (duration.as_secs_f64() * 10.0).round() / 10.0
    }

    #[tokio::test(start_paused = true)]
    async fn turns_come_more_and_more_seldom_until_one_succeeds() {
        let start = Instant::now();
        let queue = Queue::new(10, start);
        let place = queue.enter(start, start).unwrap();
        let mut turns = Vec::new();
        for _ in 0..7 {
            assert!(place.turn(start, start + LONG).await);
            turns.push(seconds(start.elapsed()));
            place.failed();
        }
        assert_eq!(turns, [0.2, 0.6, 1.4, 3.0, 5.0, 7.0, 9.0]);
        place.succeeded();
        for _ in 0..100 {
            assert!(place.turn(start, start + LONG).await);
            place.succeeded();
        }
        // 4 × 200 ms, 4 × 100 ms, and so on.
        assert_eq!(seconds(start.elapsed()), 10.6);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_let_out_before_the_door_opens_or_after_the_end() {
        let start = Instant::now();
        let queue = Queue::new(10, start);
        let place = queue.enter(start, start).unwrap();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(place.turn(at(5), at(10)).await);
        assert_eq!(Instant::now(), at(5));
        assert!(!place.turn(at(20), at(10)).await);
        assert_eq!(Instant::now(), at(10));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_came_first_go_first() {
        let start = Instant::now();
        let queue = Queue::new(10, start);
        let places: Vec<_> = (0..3).map(|_| queue.enter(start, start).unwrap()).collect();
        let order = std::sync::Mutex::new(Vec::new());
        let go = async |number: usize| {
            assert!(places[number].turn(start, start + LONG).await);
            order
                .lock()
                .unwrap()
                .push((number, seconds(start.elapsed())));
        };
        tokio::join!(go(0), go(1), go(2));
        assert_eq!(*order.lock().unwrap(), [(0, 0.2), (1, 0.4), (2, 0.6)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_takes_nobody_and_a_place_is_free_again_when_it_is_left() {
        let now = Instant::now();
        let queue = Queue::new(2, now);
        let first = queue.enter(now, now).unwrap();
        let _second = queue.enter(now, now).unwrap();
        assert!(queue.enter(now, now).is_none());
        drop(first);
        assert!(queue.enter(now, now).is_some());
    }
}
