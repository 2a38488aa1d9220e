//! How large a part of the requests is let in while they queue for the processor.
//!
//! A queue that empties now and then is a burst, and harmless. One that stands is overload, and waiting longer helps
//! nobody (`CoDel`, RFC 8289). So requests are refused once each look at the queue has found a long one for a while. From
//! then on the part follows the queue, so that it stays near its bound: that way the processor has as much to do as it
//! can do, and no more.

use std::time::Duration;

use tokio::time::Instant;

/// How long a queue may stand, and how many looks have to find it: one or two may show no more than a pause of the machine.
const PATIENCE: Duration = Duration::from_millis(100);
const LOOKS: u32 = 3;
/// So many are let in whatever the queue is: where refusals themselves take the processor, fewer would not shorten it.
const LEAST: f64 = 0.1;
/// A delay in which fewer requests begin is no queue of requests: then another program has taken the processor.
const FEW: u64 = 16;
/// The largest steps of the part between two looks. It falls faster than it rises.
const STEPS: (f64, f64) = (0.5, 1.1);
/// A queue is no overload while fewer than one request in so many ends: then a crowd opens streams, and what is open
/// at a time is bounded otherwise.
const CROWD: u64 = 8;

/// One look at the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) at: Instant,
    /// How long a task that was ready had to wait.
    pub(super) delay: Duration,
    /// How many requests began meanwhile.
    pub(super) meanwhile: u64,
    /// How many requests have begun, and how many of them have ended, since the start.
    pub(super) begun: u64,
    pub(super) ended: u64,
}

/// Decides on the part.
#[derive(Debug)]
pub(super) struct Valve {
    /// How long a ready task may wait.
    bound: Duration,
    part: f64,
    /// The first of the looks that found a long queue, without one that did not.
    stands_since: Option<Look>,
    /// How many they are.
    long_looks: u32,
}

impl Valve {
    pub(super) fn new(bound: Duration) -> Self {
        Self {
            bound,
            part: 1.0,
            stands_since: None,
            long_looks: 0,
        }
    }

    /// The part of requests to let in from now on.
    pub(super) fn after(&mut self, look: Look) -> f64 {
        let is_long = look.delay > self.bound && look.meanwhile >= FEW;
        if !is_long {
            self.stands_since = None;
            self.long_looks = 0;
        }
        let is_open = self.part >= 1.0;
        if is_open && !(is_long && self.is_overload(look)) {
            return self.part;
        }
        if !is_long {
            self.part = (self.part * STEPS.1).min(1.0);
            return self.part;
        }
        let ratio = self.bound.as_secs_f64() / look.delay.as_secs_f64().max(f64::MIN_POSITIVE);
        self.part *= ratio.sqrt().clamp(STEPS.0, STEPS.1);
        self.part = self.part.clamp(LEAST, 1.0);
        self.part
    }

    fn is_overload(&mut self, look: Look) -> bool {
        self.long_looks += 1;
        let first = *self.stands_since.get_or_insert(look);
        let (begun, ended) = (look.begun - first.begun, look.ended - first.ended);
        let stands = look.at - first.at >= PATIENCE && self.long_looks >= LOOKS;
        stands && ended >= begun / CROWD
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{LEAST, Look, Valve};

    const BOUND: Duration = Duration::from_millis(5);

    /// A valve at which requests begin and end, and which is looked at every 10 ms.
    struct Watched {
        valve: Valve,
        look: Look,
    }

    impl Watched {
        fn new() -> Self {
            let at = Instant::now();
            Self {
                valve: Valve::new(BOUND),
                look: Look {
                    at,
                    delay: Duration::ZERO,
                    meanwhile: 0,
                    begun: 0,
                    ended: 0,
                },
            }
        }

        fn after(&mut self, delay: Duration, begun: u64, ended: u64) -> f64 {
            self.look.at += Duration::from_millis(10);
            self.look.delay = delay;
            self.look.meanwhile = begun;
            self.look.begun += begun;
            self.look.ended += ended;
            self.valve.after(self.look)
        }
    }

    #[test]
    fn a_burst_is_let_in() {
        let mut watched = Watched::new();
        for _ in 0..100 {
            for _ in 0..9 {
                assert!(watched.after(BOUND * 20, 100, 100) >= 1.0);
            }
            assert!(watched.after(BOUND, 100, 100) >= 1.0);
        }
    }

    #[test]
    fn where_another_program_takes_the_processor_nobody_is_refused() {
        let mut watched = Watched::new();
        for _ in 0..1000 {
            assert!(watched.after(BOUND * 20, 4, 4) >= 1.0);
        }
    }

    #[test]
    fn a_pause_of_the_machine_is_no_queue() {
        let mut watched = Watched::new();
        for _ in 0..2 {
            watched.look.at += Duration::from_secs(1);
            assert!(watched.after(Duration::from_secs(1), 1, 1) >= 1.0);
        }
    }

    #[test]
    fn a_standing_queue_closes_it_until_the_queue_is_short() {
        let mut watched = Watched::new();
        let mut part = 1.0;
        for _ in 0..18 {
            part = watched.after(BOUND * 20, 100, 100);
        }
        assert!(part <= LEAST, "{part}");
        for _ in 0..60 {
            part = watched.after(Duration::ZERO, 10, 10);
        }
        assert!(part >= 1.0, "{part}");
    }

    #[test]
    fn it_never_closes_wholly() {
        let mut watched = Watched::new();
        for _ in 0..1000 {
            assert!(watched.after(Duration::from_secs(1), 100, 100) >= LEAST);
        }
    }

    #[test]
    fn a_crowd_that_opens_streams_is_let_in() {
        let mut watched = Watched::new();
        for _ in 0..1000 {
            assert!(watched.after(BOUND * 20, 100, 5) >= 1.0);
        }
    }
}
