//! How many requests an upstream serves at a time, where that is limited, and the short queue before it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::config::SeatQueue;

/// The limit of one upstream.
#[derive(Debug)]
pub struct Seats {
    concurrency: usize,
    free: Arc<Semaphore>,
    queue: Semaphore,
    config: SeatQueue,
}

/// The right to be served, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    _permit: OwnedSemaphorePermit,
}

impl Seats {
    /// So many at a time.
    pub fn new(concurrency: usize, queue: SeatQueue) -> Self {
        Self {
            concurrency,
            free: Arc::new(Semaphore::new(concurrency)),
            queue: Semaphore::new(queue.requests),
            config: queue,
        }
    }

    /// Whether it is the limit of this configuration.
    pub fn is_as(&self, concurrency: usize, queue: SeatQueue) -> bool {
        self.concurrency == concurrency && self.config == queue
    }

    /// A seat that is free now.
    pub fn take(&self) -> Option<Seat> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(Seat { _permit: permit })
    }

    /// A seat, waited for in the queue; `None` if the queue is full, or none is free in time.
    pub async fn wait(&self, until: Instant) -> Option<Seat> {
        if let Some(seat) = self.take() {
            return Some(seat);
        }
        let _place = self.queue.try_acquire().ok()?;
        let until = until.min(Instant::now() + self.config.time);
        let waiting = timeout_at(until, Arc::clone(&self.free).acquire_owned()).await;
        let permit = waiting.ok()?.ok()?;
        Some(Seat { _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Seats;
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
        assert!(waiting.is_some() && refused.is_none());
        assert!(seats.wait(far).await.is_none());
        assert_eq!(Instant::now(), start + time);
        assert!(seats.wait(Instant::now() + time / 2).await.is_none());
        assert_eq!(Instant::now(), start + time * 3 / 2);
    }
}
