//! The open requests of a connection, and since when it has been idle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// How long a connection must be idle before it may be closed to make room: a new client still has to send its request.
const SETTLED: Duration = Duration::from_secs(1);

/// The open requests of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    room: Notify,
}

#[derive(Debug)]
struct State {
    open: usize,
    /// When the last request ended, or the connection started.
    since: Instant,
}

/// A request that is open until this is dropped.
#[derive(Debug)]
pub(super) struct OpenRequest(Arc<Activity>);

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        let since = Instant::now();
        Arc::new(Self {
            state: Mutex::new(State { open: 0, since }),
            room: Notify::new(),
        })
    }

    /// A request starts.
    pub(super) fn begin(self: &Arc<Self>) -> OpenRequest {
        self.state().open += 1;
        OpenRequest(Arc::clone(self))
    }

    /// Restarts the idle time.
    pub(super) fn restart(&self) {
        self.state().since = Instant::now();
    }

    /// Waits until no request has been open for this long.
    pub(super) async fn idle_for(&self, limit: Duration) {
        loop {
            let now = Instant::now();
            // While a request is open, the idle time cannot end before `limit`.
            let until = self.idle_since().unwrap_or(now) + limit;
            if until <= now {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// Waits until the connection is to be closed to make room for another one.
    pub(super) async fn must_make_room(&self) {
        self.room.notified().await;
    }

    fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.open == 0).then_some(state.since)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.open -= 1;
        state.since = Instant::now();
    }
}

/// Closes the connection that has been idle for the longest time, if one has been idle long enough.
pub(super) fn make_room(connections: &HashMap<u64, Arc<Activity>>) {
    let idle = connections
        .values()
        .filter_map(|activity| Some((activity.idle_since()?, activity)));
    let longest = idle.min_by_key(|(since, _)| *since);
    if let Some((since, activity)) = longest
        && since.elapsed() >= SETTLED
    {
        // If it does not close at once, another connection is chosen next.
        activity.restart();
        activity.room.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Waker};
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::{Activity, make_room};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn idle_time_begins_when_the_last_request_is_over() {
        let activity = Activity::new();
        let (first, second) = (activity.begin(), activity.begin());
        let start = Instant::now();
        let requests = async {
            sleep(SECOND * 95).await;
            drop(first);
            sleep(SECOND * 7).await;
            drop(second);
        };
        tokio::join!(activity.idle_for(SECOND * 10), requests);
        assert_eq!(start.elapsed().as_secs(), 112);
    }

    /// Whether a connection has been asked to close.
    fn is_asked(activity: &Activity) -> bool {
        let mut asking = pin!(activity.must_make_room());
        let mut context = Context::from_waker(Waker::noop());
        asking.as_mut().poll(&mut context).is_ready()
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_has_been_idle_for_the_longest_time_makes_room() {
        let mut connections = HashMap::new();
        let mut all = Vec::new();
        for number in 0..3 {
            let activity = Activity::new();
            connections.insert(number, Arc::clone(&activity));
            all.push(activity);
            sleep(SECOND).await;
        }
        let _busy = all[0].begin();
        make_room(&connections);
        let asked: Vec<_> = all.iter().map(|activity| is_asked(activity)).collect();
        assert_eq!(asked, [false, true, false]);
        make_room(&connections);
        assert!(is_asked(&all[2]));
        make_room(&connections);
        assert!(!all.iter().any(|activity| is_asked(activity)));
    }
}
