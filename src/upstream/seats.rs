//! How many requests an upstream serves at a time, where that is limited, and the short queue before it.
//!
//! Where replicas share what they know, the limit holds for all together: the seats that others have taken are kept free here.
//! What others do is known a moment late, so for a moment there may be more. Then each replica gives up its part of what is
//! too much as its requests end, but for one seat: so none is shut out, and where there are more replicas than seats, each has
//! one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::config::SeatQueue;
use crate::outcome::Outcome;

/// The limit of one upstream.
#[derive(Debug)]
pub struct Seats {
    concurrency: usize,
    free: Arc<Semaphore>,
    queue: Semaphore,
    config: SeatQueue,
    kept_free: Arc<KeptFree>,
}

/// The seats that nobody may take here, for others have them.
#[derive(Debug, Default)]
struct KeptFree {
    /// How many there are.
    seats: Mutex<usize>,
    /// How many more there have to be, as soon as whoever sits on them leaves.
    owed: AtomicUsize,
}

/// The right to be served, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    permit: Option<OwnedSemaphorePermit>,
    kept_free: Arc<KeptFree>,
}

impl Seats {
    /// So many at a time.
    pub fn new(concurrency: usize, queue: SeatQueue) -> Self {
        Self {
            concurrency,
            free: Arc::new(Semaphore::new(concurrency)),
            queue: Semaphore::new(queue.requests),
            config: queue,
            kept_free: Arc::default(),
        }
    }

    /// Whether it is the limit of this configuration.
    pub fn is_as(&self, concurrency: usize, queue: SeatQueue) -> bool {
        self.concurrency == concurrency && self.config == queue
    }

    /// A seat that is free now.
    pub fn take(&self) -> Option<Seat> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(self.seat(permit))
    }

    /// A seat, waited for in the queue.
    ///
    /// # Errors
    /// The queue is full, or none is free in time.
    pub async fn wait(&self, until: Instant) -> Result<Seat, Outcome> {
        if let Some(seat) = self.take() {
            return Ok(seat);
        }
        let full = |has_waited| Outcome::Full { has_waited };
        let _place = self.queue.try_acquire().map_err(|_| full(false))?;
        let until = until.min(Instant::now() + self.config.time);
        let waiting = timeout_at(until, Arc::clone(&self.free).acquire_owned()).await;
        match waiting {
            Ok(Ok(permit)) => Ok(self.seat(permit)),
            Ok(Err(_)) | Err(_) => Err(full(true)),
        }
    }

    /// How many are taken.
    pub fn open(&self) -> usize {
        let kept_free = self.kept_free.lock();
        let free = self.free.available_permits() + *kept_free;
        self.concurrency.saturating_sub(free)
    }

    /// Other replicas have taken so many seats of the same upstream: so many of them, and so many of those come before this
    /// one where what is left cannot be divided evenly.
    pub fn divide(&self, taken: usize, replicas: usize, before: usize) {
        let own = self.open();
        let kept = self.concurrency - self.allowed(own, taken, replicas, before);
        let mut seats = self.kept_free.lock();
        if kept > *seats {
            *seats += self.free.forget_permits(kept - *seats);
        } else {
            self.free.add_permits(*seats - kept);
            *seats = kept;
        }
        self.kept_free.owed.store(kept - *seats, Ordering::Relaxed);
    }

    /// How many seats may be taken here.
    fn allowed(&self, own: usize, taken: usize, replicas: usize, before: usize) -> usize {
        let all = own.saturating_add(taken);
        let allowed = match self.concurrency.checked_sub(all) {
            Some(left) => {
                let sharers = replicas + 1;
                own + left / sharers + usize::from(before < left % sharers)
            }
            None => {
                let too_many = all - self.concurrency;
                // The part of it that is ours; `all` is more than none.
                own - own.min(too_many.saturating_mul(own).div_ceil(all))
            }
        };
        allowed.clamp(1, self.concurrency.max(1))
    }

    fn seat(&self, permit: OwnedSemaphorePermit) -> Seat {
        Seat {
            permit: Some(permit),
            kept_free: Arc::clone(&self.kept_free),
        }
    }
}

impl KeptFree {
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a seat that becomes free is kept free.
    fn keeps(&self) -> bool {
        if self.owed.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut seats = self.lock();
        let owed = self.owed.load(Ordering::Relaxed);
        if owed > 0 {
            self.owed.store(owed - 1, Ordering::Relaxed);
            *seats += 1;
        }
        owed > 0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take()
            && self.kept_free.keeps()
        {
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::iter;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Outcome, Seat, Seats};
    use crate::config::SeatQueue;

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_short_and_nobody_waits_in_it_for_long() {
        let time = Duration::from_secs(10);
        let seats = Seats::new(1, SeatQueue { requests: 1, time });
        let start = Instant::now();
        let far = start + time * 10;
        let first = seats.take();
        assert!(first.is_some() && seats.take().is_none());
        let (waiting, refused) = tokio::join!(seats.wait(far), async {
            let refused = seats.wait(far).await;
            assert_eq!(Instant::now(), start, "the queue is full");
            drop(first);
            refused
        });
        let full = |has_waited| Outcome::Full { has_waited };
        assert!(waiting.is_ok());
        assert_eq!(refused.unwrap_err(), full(false));
        assert_eq!(seats.wait(far).await.unwrap_err(), full(true));
        assert_eq!(Instant::now(), start + time);
        let too_late = seats.wait(Instant::now() + time / 2).await;
        assert_eq!(too_late.unwrap_err(), full(true));
        assert_eq!(Instant::now(), start + time * 3 / 2);
    }

    fn seats(concurrency: usize) -> Seats {
        let time = Duration::from_secs(10);
        Seats::new(concurrency, SeatQueue { requests: 1, time })
    }

    #[test]
    fn what_others_have_taken_is_kept_free() {
        let seats = seats(4);
        let first = seats.take();
        seats.divide(2, 1, 0);
        assert_eq!(seats.open(), 1);
        let second = seats.take();
        assert!(second.is_some() && seats.take().is_none());
        // All four are taken elsewhere: one is ours in any case, as soon as the other is free.
        seats.divide(4, 1, 0);
        drop(first);
        assert_eq!(seats.open(), 1);
        assert!(seats.take().is_none());
        drop(second);
        seats.divide(3, 1, 0);
        let again = seats.take();
        assert!(again.is_some() && seats.take().is_none());
        seats.divide(0, 0, 0);
        let all: Vec<_> = iter::from_fn(|| seats.take()).collect();
        assert_eq!(all.len(), 3);
        drop((again, all));
        assert_eq!(seats.open(), 0);
    }

    /// Three replicas that want all they can get, and tell each other; requests end in any order.
    #[test]
    fn all_together_soon_have_as_many_as_they_may() {
        for concurrency in 3..20 {
            let replicas: Vec<Seats> = (0..3).map(|_| seats(concurrency)).collect();
            let mut taken: Vec<VecDeque<Seat>> = replicas
                .iter()
                .map(|seats| iter::from_fn(|| seats.take()).collect())
                .collect();
            let mut open = Vec::new();
            for _ in 0..50 {
                let sent: Vec<usize> = replicas.iter().map(Seats::open).collect();
                open.push(sent.iter().sum::<usize>());
                for (index, seats) in replicas.iter().enumerate() {
                    let others = sent.iter().sum::<usize>() - sent[index];
                    seats.divide(others, 2, index);
                    let _ended = taken[index].pop_front();
                }
                for (index, seats) in replicas.iter().enumerate() {
                    taken[index].extend(iter::from_fn(|| seats.take()));
                }
            }
            let settled = &open[30..];
            assert!(
                settled.iter().all(|open| *open <= concurrency),
                "{concurrency}: {open:?}"
            );
            assert!(
                settled.iter().all(|open| *open + 3 > concurrency),
                "{concurrency}: {open:?}"
            );
        }
    }
}
