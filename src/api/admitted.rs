//! Whether a client that was admitted still would be. A WebSocket may last for an hour, and whoever takes a key away, as it has
//! leaked, means at once.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderMap;
use tokio::sync::watch;
use tokio::time::timeout;

use super::auth::{ClientKeys, presented_key};
use super::revocation::Revocation;

/// How often to look at a key that may expire: the time of day may be set.
const LOOK: Duration = Duration::from_secs(60);

/// The keys that are accepted now, whichever configuration a request was admitted by.
pub type KeysNow = watch::Receiver<Arc<ClientKeys>>;

/// When the client that sends these headers is admitted no more; `None`: it presents no key.
pub(super) fn revocation(headers: &HeaderMap, now: &KeysNow) -> Option<Revocation> {
    let key = presented_key(headers)?.to_vec();
    Some(Revocation::when(is_refused(key, now.clone())))
}

/// Waits until a key is accepted no more: it is gone from the configuration, or has expired. Where nobody needs a key, none is
/// refused.
async fn is_refused(key: Vec<u8>, mut now: KeysNow) {
    loop {
        let left = now.borrow_and_update().time_left(&key);
        let Some(left) = left else { return };
        if let Ok(Err(_)) = timeout(left.min(LOOK), now.changed()).await {
            // The process ends.
            return pending().await;
        }
    }
}
