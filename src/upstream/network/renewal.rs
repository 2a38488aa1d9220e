//! Which connections may still be used after a failure.
//!
//! A connection leads to one address, and behind a load balancer to one server. So what failed is not asked again over
//! the connections that are there: a new one may lead elsewhere, and it finds a name that has moved. A failure closes
//! them all. Where failures are frequent that would make every request open a connection, until the ports run out; then
//! it closes only those that are older than a second.

use std::time::Duration;

use tokio::time::Instant;

use super::line::Line;

/// How many failures in a row close every connection, and how often that is allowed in the long run, a second.
const BURST: f64 = 20.0;
const RATE: f64 = 2.0;
/// The age from which on every failure closes a connection.
const RECENT: Duration = Duration::from_secs(1);

/// Which connections may be used.
#[derive(Debug)]
pub(super) struct Renewal {
    generation: u64,
    /// Connections that were opened earlier are closed.
    not_before: Option<Instant>,
    budget: f64,
    counted_at: Option<Instant>,
}

impl Default for Renewal {
    fn default() -> Self {
        Self {
            generation: 0,
            not_before: None,
            budget: BURST,
            counted_at: None,
        }
    }
}

impl Renewal {
    /// The generation of a connection that is opened now.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether a connection may get another request.
    pub(super) fn allows(&self, line: &Line, now: Instant) -> bool {
        line.generation == self.generation
            && line.is_young(now)
            && self.not_before.is_none_or(|since| line.opened >= since)
    }

    /// Something has failed.
    pub(super) fn begin(&mut self, now: Instant) {
        let since = self.counted_at.replace(now).unwrap_or(now);
        let grown = self.budget + RATE * (now - since).as_secs_f64();
        self.budget = grown.min(BURST);
        if self.budget >= 1.0 {
            self.budget -= 1.0;
            self.generation += 1;
        } else {
            self.not_before = now.checked_sub(RECENT);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{BURST, Line, Renewal};

    #[tokio::test(start_paused = true)]
    async fn a_failure_closes_all_and_many_failures_only_what_is_older() {
        let mut renewal = Renewal::default();
        let line = Line::new(renewal.generation());
        assert!(renewal.allows(&line, Instant::now()));
        renewal.begin(Instant::now());
        assert!(!renewal.allows(&line, Instant::now()));
        for _ in 1..BURST as usize {
            let line = Line::new(renewal.generation());
            renewal.begin(Instant::now());
            assert!(!renewal.allows(&line, Instant::now()));
        }
        // The budget is used up.
        let line = Line::new(renewal.generation());
        renewal.begin(Instant::now());
        assert!(renewal.allows(&line, Instant::now()));
        advance(Duration::from_millis(400)).await;
        renewal.begin(Instant::now());
        assert!(renewal.allows(&line, Instant::now()));
        advance(Duration::from_millis(700)).await;
        renewal.begin(Instant::now());
        assert!(!renewal.allows(&line, Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_has_a_greatest_age() {
        let renewal = Renewal::default();
        let line = Line::new(0);
        advance(Duration::from_secs(239)).await;
        assert!(renewal.allows(&line, Instant::now()));
        advance(Duration::from_secs(122)).await;
        assert!(!renewal.allows(&line, Instant::now()));
    }
}
