//! Lines that would come with every request of an outage: the first at once, then one for each period with a count.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// At most one line about the same thing in this time.
const PERIOD: Duration = Duration::from_secs(10);

/// Things of which there were lines, by their names: configured ones and labels, so there are not many.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    seen: Mutex<HashMap<String, Repeat>>,
    /// Whether any of them waits for its line.
    has_more: AtomicBool,
}

/// One thing since its last line.
#[derive(Debug)]
struct Repeat {
    since: Instant,
    /// How often it has happened.
    times: usize,
    /// What there is to say about the last time.
    last: String,
}

/// A line that is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// How often it has happened since its last line.
    pub(super) times: usize,
    /// What there is to say about the last time.
    pub(super) last: String,
}

impl Repeats {
    /// It has happened once more: a line, unless there was one shortly before.
    pub(super) fn happened(&self, name: String, last: String, now: Instant) -> Option<Due> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |last| Repeat {
            since: now,
            times: 0,
            last,
        };
        let Some(repeat) = seen.get_mut(&name) else {
            seen.insert(name, fresh(String::new()));
            return Some(Due { times: 1, last });
        };
        repeat.times += 1;
        repeat.last = last;
        if now.saturating_duration_since(repeat.since) < PERIOD {
            self.has_more.store(true, Ordering::Relaxed);
            return None;
        }
        let Repeat { times, last, .. } = std::mem::replace(repeat, fresh(String::new()));
        Some(Due { times, last })
    }

    /// Lines about what has stopped happening since.
    pub(super) fn overdue(&self, now: impl FnOnce() -> Instant) -> Vec<Due> {
        if !self.has_more.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let now = now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        seen.retain(|_, repeat| {
            let is_over = now.saturating_duration_since(repeat.since) >= PERIOD;
            if is_over && repeat.times > 0 {
                let last = std::mem::take(&mut repeat.last);
                let times = repeat.times;
                due.push(Due { times, last });
            }
            !is_over
        });
        let has_more = seen.values().any(|repeat| repeat.times > 0);
        self.has_more.store(has_more, Ordering::Relaxed);
        due
    }
}

impl Due {
    /// The line: what has happened, and how often if that was more than once.
    pub(super) fn line(&self) -> String {
        match self.times {
            0 | 1 => self.last.clone(),
            times => format!("{} ({times} times since the last line about it)", self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Due, Repeats};

    #[test]
    fn the_first_line_comes_at_once_and_then_one_for_each_period() {
        let repeats = Repeats::default();
        let start = Instant::now();
        let happened = |seconds: u64, last: &str| {
            let now = start + Duration::from_secs(seconds);
            let due = repeats.happened("a".to_owned(), last.to_owned(), now)?;
            Some(due.line())
        };
        assert_eq!(happened(0, "first").as_deref(), Some("first"));
        for second in 1..10 {
            assert_eq!(happened(second, "again"), None);
        }
        let line = "last (10 times since the last line about it)";
        assert_eq!(happened(10, "last").as_deref(), Some(line));
        assert_eq!(happened(11, "more"), None);
        assert_eq!(repeats.overdue(|| start + Duration::from_secs(12)), []);
        let rest = Due {
            times: 1,
            last: "more".to_owned(),
        };
        assert_eq!(repeats.overdue(|| start + Duration::from_secs(20)), [rest]);
        assert_eq!(repeats.overdue(|| start + Duration::from_secs(40)), []);
        // Something else has lines of its own.
        let other = repeats.happened("b".to_owned(), "b".to_owned(), start);
        assert_eq!(other.unwrap().times, 1);
    }
}
