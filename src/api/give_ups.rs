//! When clients that do not say how long they wait have given up before.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use http::header::USER_AGENT;

/// Whoever gives up sooner has changed its mind: that is no timeout.
const SHORTEST: Duration = Duration::from_secs(1);
/// Two waits that differ by no more than this factor are one timeout.
const SAME: f64 = 1.15;
/// So many clients are remembered.
const MOST: usize = 1024;

/// The last waits of the clients that gave up.
#[derive(Debug, Default)]
pub(super) struct GiveUps {
    hasher: RandomState,
    is_used: AtomicBool,
    /// By the number of a client: its last wait, and how long it is expected to wait.
    waits: Mutex<HashMap<u64, Waits>>,
}

#[derive(Clone, Copy, Debug)]
struct Waits {
    last: Duration,
    expected: Option<Duration>,
}

impl GiveUps {
    /// The number of a client: its key's name and its program.
    pub(super) fn number(&self, client: Option<&str>, headers: &HeaderMap) -> u64 {
        self.hasher.hash_one((client, headers.get(USER_AGENT)))
    }

    /// How long this client is expected to wait, if it has given up twice after the same time.
    pub(super) fn expected(&self, client: u64) -> Option<Duration> {
        if !self.is_used.load(Ordering::Relaxed) {
            return None;
        }
        self.waits().get(&client)?.expected
    }

    /// It gave up after this time, without an answer.
    pub(super) fn gave_up(&self, client: u64, after: Duration) {
        if after < SHORTEST {
            return;
        }
        self.is_used.store(true, Ordering::Relaxed);
        let mut waits = self.waits();
        if waits.len() >= MOST {
            waits.clear();
        }
        let known = waits.entry(client).or_insert(Waits {
            last: Duration::ZERO,
            expected: None,
        });
        let (shorter, longer) = (known.last.min(after), known.last.max(after));
        let is_same = longer.as_secs_f64() <= shorter.as_secs_f64() * SAME;
        *known = Waits {
            last: after,
            expected: is_same.then_some(shorter).or(known.expected),
        };
    }

    /// It has waited this long for an answer, and got it.
    pub(super) fn waited(&self, client: u64, time: Duration) {
        if time < SHORTEST || !self.is_used.load(Ordering::Relaxed) {
            return;
        }
        let mut waits = self.waits();
        if waits.get(&client).is_some_and(|known| time > known.last) {
            waits.remove(&client);
        }
    }

    fn waits(&self) -> MutexGuard<'_, HashMap<u64, Waits>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{GiveUps, MOST};

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn two_waits_of_the_same_length_are_a_timeout() {
        let give_ups = GiveUps::default();
        give_ups.gave_up(1, seconds(5.0));
        assert_eq!(give_ups.expected(1), None);
        give_ups.gave_up(1, seconds(5.1));
        assert_eq!(give_ups.expected(1), Some(seconds(5.0)));
        assert_eq!(give_ups.expected(2), None);
        // It once had enough sooner: that is not its timeout.
        give_ups.gave_up(1, seconds(2.0));
        assert_eq!(give_ups.expected(1), Some(seconds(5.0)));
    }

    #[test]
    fn who_has_changed_its_mind_has_no_timeout() {
        let give_ups = GiveUps::default();
        for wait in [0.2, 0.2, 0.5, 0.5, 1.2, 1.9, 4.0] {
            give_ups.gave_up(1, seconds(wait));
            assert_eq!(give_ups.expected(1), None, "{wait}");
        }
    }

    #[test]
    fn who_waits_longer_after_all_is_not_hurried() {
        let give_ups = GiveUps::default();
        give_ups.gave_up(1, seconds(5.0));
        give_ups.gave_up(1, seconds(5.0));
        give_ups.waited(1, seconds(4.0));
        assert_eq!(give_ups.expected(1), Some(seconds(5.0)));
        give_ups.waited(1, seconds(9.0));
        assert_eq!(give_ups.expected(1), None);
    }

    #[test]
    fn only_so_many_clients_are_remembered() {
        let give_ups = GiveUps::default();
        for client in 0..3 * MOST as u64 {
            give_ups.gave_up(client, seconds(5.0));
        }
        assert!(give_ups.waits().len() <= MOST);
    }
}
