//! When clients that do not say how long they wait have given up before.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use http::header::USER_AGENT;

use crate::wire::mix;

/// Whoever gives up sooner has changed its mind: that is no timeout.
const SHORTEST: Duration = Duration::from_secs(1);
/// Two waits that differ by no more than this factor are one timeout.
const SAME: f64 = 1.15;
/// So many clients are remembered.
const MOST: usize = 1024;

/// The last waits of the clients that gave up.
#[derive(Debug, Default)]
pub(super) struct GiveUps {
    is_used: AtomicBool,
    waits: Mutex<HashMap<Program, Waits>>,
}

/// A client: the name of its key, and its program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Program {
    client: Option<Arc<str>>,
    /// A number for its program's name. The name itself would keep the memory into which the request was read for as long as its
    /// answer lasts.
    agent: Option<u64>,
}

impl Program {
    pub(super) fn of(client: Option<Arc<str>>, headers: &HeaderMap) -> Self {
        Self {
            client,
            agent: headers
                .get(USER_AGENT)
                .map(|name| mix::number_of(name.as_bytes())),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Waits {
    last: Duration,
    expected: Option<Duration>,
}

impl GiveUps {
    /// How long this client is expected to wait, if it has given up twice after the same time.
    pub(super) fn expected(&self, client: &Program) -> Option<Duration> {
        if !self.is_used.load(Ordering::Relaxed) {
            return None;
        }
        self.waits().get(client)?.expected
    }

    /// It gave up after this time, without an answer.
    pub(super) fn gave_up(&self, client: &Program, after: Duration) {
        if after < SHORTEST {
            return;
        }
        self.is_used.store(true, Ordering::Relaxed);
        let mut waits = self.waits();
        if waits.len() >= MOST {
            waits.clear();
        }
        let known = waits.entry(client.clone()).or_insert(Waits {
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
    pub(super) fn waited(&self, client: &Program, time: Duration) {
        if time < SHORTEST || !self.is_used.load(Ordering::Relaxed) {
            return;
        }
        let mut waits = self.waits();
        if waits.get(client).is_some_and(|known| time > known.last) {
            waits.remove(client);
        }
    }

    fn waits(&self) -> MutexGuard<'_, HashMap<Program, Waits>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;

    use super::{GiveUps, MOST, Program};

    fn client(number: usize) -> Program {
        Program::of(Some(number.to_string().into()), &HeaderMap::new())
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn two_waits_of_the_same_length_are_a_timeout() {
        let give_ups = GiveUps::default();
        give_ups.gave_up(&client(1), seconds(5.0));
        assert_eq!(give_ups.expected(&client(1)), None);
        give_ups.gave_up(&client(1), seconds(5.1));
        assert_eq!(give_ups.expected(&client(1)), Some(seconds(5.0)));
        assert_eq!(give_ups.expected(&client(2)), None);
        // It once had enough sooner: that is not its timeout.
        give_ups.gave_up(&client(1), seconds(2.0));
        assert_eq!(give_ups.expected(&client(1)), Some(seconds(5.0)));
    }

    #[test]
    fn who_has_changed_its_mind_has_no_timeout() {
        let give_ups = GiveUps::default();
        for wait in [0.2, 0.2, 0.5, 0.5, 1.2, 1.9, 4.0] {
            give_ups.gave_up(&client(1), seconds(wait));
            assert_eq!(give_ups.expected(&client(1)), None, "{wait}");
        }
    }

    #[test]
    fn who_waits_longer_after_all_is_not_hurried() {
        let give_ups = GiveUps::default();
        give_ups.gave_up(&client(1), seconds(5.0));
        give_ups.gave_up(&client(1), seconds(5.0));
        give_ups.waited(&client(1), seconds(4.0));
        give_ups.waited(&client(1), seconds(5.0));
        assert_eq!(give_ups.expected(&client(1)), Some(seconds(5.0)));
        give_ups.waited(&client(1), seconds(9.0));
        assert_eq!(give_ups.expected(&client(1)), None);
    }

    #[test]
    fn only_so_many_clients_are_remembered() {
        let give_ups = GiveUps::default();
        for number in 0..3 * MOST {
            give_ups.gave_up(&client(number), seconds(5.0));
        }
        assert!(give_ups.waits().len() <= MOST);
    }
}
