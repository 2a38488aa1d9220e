//! Which requests are let in while they queue for the processor.
//!
//! A queue that empties now and then is a burst, and harmless. One that stands is overload, and waiting longer helps
//! nobody (`CoDel`, RFC 8289). So once most requests of a while have waited for too long, a request is refused if those just
//! before it have, until hardly any has. That keeps the queue near its bound by itself: a request that is let in takes its
//! time, so those behind it wait for longer, and a refusal takes little.

use std::time::Duration;

use tokio::time::Instant;

/// A queue is judged over so many times its bound: a shorter one is a burst, or a pause of the machine.
const WINDOW: u32 = 10;
/// Fewer requests in a window are no queue of requests: then another program has taken the processor.
const FEW: u64 = 16;
/// The parts of a window's requests that have waited for too long, in percent: more than the first is overload, and not more than
/// the second is its end.
const MANY: u64 = 50;
const HARDLY_ANY: u64 = 10;

/// What requests have waited of late is the mean of about so many.
const RECENT: u32 = 16;

/// Decides on each request.
#[derive(Debug)]
pub(super) struct Valve {
    /// How long a request may wait for the processor.
    bound: Duration,
    window: Window,
    is_refusing: bool,
    /// How long requests have waited of late.
    recent: Duration,
    /// When the last one was judged.
    judged: Instant,
    /// When a request was let in last.
    let_in: Instant,
}

/// The requests of a while.
#[derive(Debug)]
struct Window {
    begins: Instant,
    requests: u64,
    /// How many have waited for too long.
    late: u64,
}

impl Valve {
    pub(super) fn new(bound: Duration, now: Instant) -> Self {
        Self {
            bound,
            window: Window::new(now),
            is_refusing: false,
            recent: Duration::ZERO,
            judged: now,
            let_in: now,
        }
    }

    /// Whether to let in a request that has waited for so long, and will wait for so long for the work on its body.
    pub(super) fn admits(&mut self, waited: Duration, will_wait: Duration, now: Instant) -> bool {
        let (since, window) = (now - self.window.begins, self.bound * WINDOW);
        if since >= window {
            // After a pause there is no queue.
            let has_paused = since >= 2 * window;
            self.is_refusing = !has_paused && self.window.is_overload(self.is_refusing);
            self.window = Window::new(now);
        }
        // Once it refuses, it keeps some distance: answers queue as well.
        let bound = match self.is_refusing {
            true => self.bound / 2,
            false => self.bound,
        };
        let waits = waited + will_wait;
        self.window.requests += 1;
        self.window.late += u64::from(waits > bound);
        // Where there is a queue, one follows the other.
        if now > self.judged + self.bound {
            self.recent = Duration::ZERO;
        }
        self.judged = now;
        // Not all wait in the order in which they came: who is lucky does not show that the queue is short.
        self.recent = self.recent - self.recent / RECENT + waits / RECENT;
        // Where refusals alone take the processor, refusing all would not shorten the queue.
        let has_let_in_one = now < self.let_in + self.bound;
        let is_long = self.is_refusing && self.recent > bound;
        let is_refused = is_long && has_let_in_one || will_wait > window;
        if !is_refused {
            self.let_in = now;
        }
        !is_refused
    }
}

impl Window {
    fn new(begins: Instant) -> Self {
        Self {
            begins,
            requests: 0,
            late: 0,
        }
    }

    fn is_overload(&self, was_refusing: bool) -> bool {
        let least = if was_refusing { HARDLY_ANY } else { MANY };
        self.requests >= FEW && self.late * 100 > self.requests * least
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Valve;

    const BOUND: Duration = Duration::from_millis(5);
    const LATE: Duration = Duration::from_millis(9);
    const WINDOW: Duration = Duration::from_millis(50);

    struct Watched {
        valve: Valve,
        now: Instant,
    }

    impl Watched {
        fn new() -> Self {
            let now = Instant::now();
            let valve = Valve::new(BOUND, now);
            Self { valve, now }
        }

        /// How many of a window's requests are let in, of which the first `late` come late.
        fn window(&mut self, requests: u32, late: u32) -> u32 {
            let (mut admitted, begins) = (0, self.now);
            for number in 0..requests {
                self.now = begins + WINDOW * number / requests;
                let waited = if number < late { LATE } else { Duration::ZERO };
                admitted += u32::from(self.valve.admits(waited, Duration::ZERO, self.now));
            }
            self.now = begins + WINDOW;
            admitted
        }

        /// The same once requests are refused.
        fn refusing() -> Self {
            let mut watched = Self::new();
            assert_eq!(watched.window(1000, 501), 1000);
            watched
        }
    }

    #[test]
    fn once_most_have_waited_for_too_long_it_refuses_while_they_do() {
        let mut watched = Watched::refusing();
        let admitted = watched.window(1000, 500);
        assert!((490..=520).contains(&admitted), "{admitted}");
    }

    #[test]
    fn a_lucky_one_is_refused_with_the_others() {
        let mut watched = Watched::refusing();
        watched.window(1000, 1000);
        assert!(
            !watched
                .valve
                .admits(Duration::ZERO, Duration::ZERO, watched.now)
        );
    }

    #[test]
    fn while_half_of_them_have_not_it_is_a_burst() {
        let mut watched = Watched::new();
        for _ in 0..100 {
            assert_eq!(watched.window(1000, 500), 1000);
        }
    }

    #[test]
    fn behind_the_queue_nobody_is_refused() {
        let mut watched = Watched::refusing();
        watched.window(1000, 1000);
        watched.now += BOUND;
        assert!(watched.valve.admits(LATE, Duration::ZERO, watched.now));
        assert!(watched.valve.admits(LATE, Duration::ZERO, watched.now));
    }

    #[test]
    fn it_ends_when_hardly_any_has() {
        let mut watched = Watched::refusing();
        for _ in 0..10 {
            assert!(watched.window(1000, 101) < 1000);
        }
        watched.window(1000, 100);
        assert_eq!(watched.window(1000, 500), 1000);
    }

    #[test]
    fn it_ends_when_nobody_comes() {
        let mut watched = Watched::refusing();
        assert!(watched.window(1000, 1000) < 1000);
        watched.now += WINDOW;
        assert_eq!(watched.window(1000, 500), 1000);
    }

    #[test]
    fn it_never_closes_wholly() {
        let mut watched = Watched::refusing();
        watched.window(1000, 1000);
        // One in 5 ms is let in whatever the queue is.
        for _ in 0..10 {
            assert_eq!(watched.window(1000, 1000), 10);
        }
    }

    #[test]
    fn where_another_program_takes_the_processor_nobody_is_refused() {
        let mut watched = Watched::new();
        for _ in 0..100 {
            assert_eq!(watched.window(15, 15), 15);
        }
        assert_eq!(watched.window(40, 40), 40);
        assert!(watched.window(40, 40) < 40);
    }

    #[test]
    fn work_that_would_wait_for_a_whole_window_is_refused_at_once() {
        let mut watched = Watched::new();
        let moment = Duration::from_millis(1);
        let (now, soon) = (watched.now, Duration::ZERO);
        assert!(watched.valve.admits(soon, WINDOW, now));
        assert!(!watched.valve.admits(soon, WINDOW + moment, now));
        assert!(watched.valve.admits(soon, soon, now));
    }
}
