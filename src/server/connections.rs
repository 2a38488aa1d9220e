//! The open connections of a server.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;

use super::activity::{Activity, make_room};

/// How often to look for an idle connection to close while all slots are taken.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// When this is dropped, all connections are closed.
#[derive(Debug, Default)]
pub(super) struct Connections {
    pub(super) tasks: JoinSet<()>,
    pub(super) activities: HashMap<Id, Arc<Activity>>,
}

impl Connections {
    pub(super) fn add(
        &mut self,
        activity: Arc<Activity>,
        serving: impl Future<Output = ()> + Send + 'static,
    ) {
        let id = self.tasks.spawn(serving).id();
        self.activities.insert(id, activity);
    }

    /// A connection has ended.
    pub(super) fn remove(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.activities.remove(&id);
    }

    /// Waits until all connections have ended.
    pub(super) async fn all_end(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Waits for a slot for another connection. While there is none, idle connections are closed, the longest idle first.
pub(super) async fn room(
    slots: &Arc<Semaphore>,
    activities: &HashMap<Id, Arc<Activity>>,
) -> Result<OwnedSemaphorePermit, AcquireError> {
    if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
        return Ok(slot);
    }
    loop {
        make_room(activities);
        let slot = Arc::clone(slots).acquire_owned();
        if let Ok(slot) = timeout(LOOK_AGAIN, slot).await {
            return slot;
        }
    }
}
