//! The queue of a route: requests that wait until somebody can answer again.
//!
//! They wait in the order in which they came, and are let out one by one, each in its turn.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::turns::Turns;

/// The waiting requests of one route.
#[derive(Debug)]
pub(in crate::failover) struct Queue {
    /// Whoever holds it is the first in the queue.
    head: Semaphore,
    waiting: AtomicUsize,
    /// No more requests wait at a time.
    limit: usize,
    turns: Mutex<Turns>,
    /// Wakes the first in the queue, whose turn may come sooner.
    succeeded: Notify,
}

/// A place in a queue, which is given up when it is dropped.
#[derive(Debug)]
pub(in crate::failover) struct Place<'a>(&'a Queue);

impl Queue {
    pub(in crate::failover) fn new(limit: usize, now: Instant) -> Self {
        Self {
            head: Semaphore::new(1),
            waiting: AtomicUsize::new(0),
            limit,
            turns: Mutex::new(Turns::new(now, now)),
            succeeded: Notify::new(),
        }
    }

    /// A place in the queue, for a request that cannot be answered before `opens_at`; `None` if it is full.
    pub(in crate::failover) fn enter(&self, opens_at: Instant, now: Instant) -> Option<Place<'_>> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Place(self);
        if before >= self.limit {
            return None;
        }
        if before == 0 {
            *self.turns() = Turns::new(opens_at, now);
        }
        Some(place)
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Place<'a> {
    /// Waits until it is this request's turn, but not before `opens_at`. False if that is not before `until`.
    pub(in crate::failover) async fn turn(&self, opens_at: Instant, until: Instant) -> bool {
        if opens_at > Instant::now() {
            sleep_until(opens_at.min(until)).await;
        }
        let Some(_head) = self.head(until).await else {
            return false;
        };
        self.next(until).await;
        let now = Instant::now();
        if now >= until {
            return false;
        }
        self.0.turns().taken(now);
        true
    }

    /// Waits for the next turn. The one before may have begun when turns were seldom, and succeed meanwhile.
    async fn next(&self, until: Instant) {
        let mut at = until;
        loop {
            let succeeded = self.0.succeeded.notified();
            at = at.min(self.0.turns().next());
            if at <= Instant::now() || timeout_at(at, succeeded).await.is_err() {
                return;
            }
        }
    }

    async fn head(&self, until: Instant) -> Option<SemaphorePermit<'a>> {
        timeout_at(until, self.0.head.acquire()).await.ok()?.ok()
    }

    /// The request that went out in its turn has been answered.
    pub(in crate::failover) fn succeeded(&self) {
        self.0.turns().succeeded(Instant::now());
        self.0.succeeded.notify_waiters();
    }

    /// It has failed.
    pub(in crate::failover) fn failed(&self) {
        self.0.turns().failed(Instant::now());
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

    use tokio::time::{Instant, sleep};

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
    async fn after_a_long_rate_limit_each_success_makes_the_pace_twice_as_fast() {
        let start = Instant::now();
        let opens_at = start + Duration::from_secs(2);
        let queue = Queue::new(100, start);
        let place = queue.enter(opens_at, start).unwrap();
        let mut turns = Vec::new();
        for _ in 0..5 {
            assert!(place.turn(opens_at, start + LONG).await);
            turns.push(seconds(start.elapsed()));
            place.succeeded();
        }
        assert_eq!(turns, [2.0, 2.6, 2.8, 3.0, 3.0]);
        for _ in 0..50 {
            assert!(place.turn(opens_at, start + LONG).await);
            place.succeeded();
        }
        assert_eq!(seconds(start.elapsed()), 3.1);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_long_rate_limit_the_first_failure_shows_the_pace_that_is_kept() {
        let start = Instant::now();
        let opens_at = start + Duration::from_secs(2);
        let queue = Queue::new(100, start);
        let place = queue.enter(opens_at, start).unwrap();
        let mut turns = Vec::new();
        for succeeds in [true, false, true, true, true, true] {
            assert!(place.turn(opens_at, start + LONG).await);
            turns.push(seconds(start.elapsed()));
            match succeeds {
                true => place.succeeded(),
                false => place.failed(),
            }
        }
        assert_eq!(turns, [2.0, 2.6, 3.7, 4.8, 5.9, 7.0]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_success_after_failures_brings_back_the_pace_of_the_beginning() {
        for (closed_for, failures, pause) in [(0, 1, 0.2), (0, 2, 0.2), (1, 1, 1.1)] {
            let start = Instant::now();
            let queue = Queue::new(10, start);
            let opens_at = start + Duration::from_secs(closed_for);
            let place = queue.enter(opens_at, start).unwrap();
            for _ in 0..failures {
                assert!(place.turn(opens_at, start + LONG).await);
                place.failed();
            }
            assert!(place.turn(opens_at, start + LONG).await);
            place.succeeded();
            let since = Instant::now();
            assert!(place.turn(opens_at, start + LONG).await);
            assert_eq!(seconds(since.elapsed()), pause, "{closed_for} {failures}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_hastens_the_turn_of_the_next_one_that_waits_already() {
        let start = Instant::now();
        let queue = Queue::new(10, start);
        let (first, second) = (
            queue.enter(start, start).unwrap(),
            queue.enter(start, start).unwrap(),
        );
        for _ in 0..5 {
            assert!(first.turn(start, start + LONG).await);
            first.failed();
        }
        assert!(first.turn(start, start + LONG).await);
        let since = Instant::now();
        let is_answered = async {
            sleep(Duration::from_millis(100)).await;
            first.succeeded();
        };
        tokio::join!(is_answered, async {
            assert!(second.turn(start, start + LONG).await);
        });
        assert_eq!(seconds(since.elapsed()), 0.3);
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
    async fn what_became_of_others_counts_for_those_who_find_them_there_alone() {
        let start = Instant::now();
        let queue = Queue::new(10, start);
        let enter = || queue.enter(start, Instant::now()).unwrap();
        let first = enter();
        for _ in 0..5 {
            assert!(first.turn(start, start + LONG).await);
            first.failed();
        }
        let (second, since) = (enter(), Instant::now());
        assert!(second.turn(start, start + LONG).await);
        assert_eq!(seconds(since.elapsed()), 2.0);
        drop((first, second));
        let (third, since) = (enter(), Instant::now());
        assert!(third.turn(start, start + LONG).await);
        assert_eq!(seconds(since.elapsed()), 0.2);
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
