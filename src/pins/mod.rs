//! Which upstream created what: files, batches, stored responses, conversations and whatever else lives at one provider.
//!
//! Ids are noted as they pass in answers, and requests that name one go to its creator, after a restart, too.
//!
//! ```text
//! answer  ─▶ witness ─▶ ids   the names that it gives out ─▶ note ─▶ store (a file, written in the background)
//! request ─▶ creator ─▶ ids   the names that it mentions
//! ```
//!
//! Only fingerprints of ids are kept, and of the last 65,536 of them: what is older goes to the upstream that such requests
//! go to by default.

mod ids;
mod store;
mod witness;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

pub use witness::Witness;

use self::store::{Entry, Store};
use crate::config::UpstreamId;
use crate::request::{Endpoint, ModelRequest};
use crate::wire::json::fingerprint;

/// How many ids are remembered.
pub const MOST: usize = 65_536;

/// Who created what.
#[derive(Clone, Debug)]
pub struct Pins(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Held for a few instructions at a time.
    known: Mutex<Known>,
    store: Option<Store>,
}

/// The creators of the last objects, the oldest first.
#[derive(Debug, Default)]
struct Known {
    creators: HashMap<u64, UpstreamId>,
    order: VecDeque<u64>,
}

impl Pins {
    /// Remembers nothing beyond the process.
    pub fn in_memory() -> Self {
        Self(Arc::new(Inner {
            known: Mutex::default(),
            store: None,
        }))
    }

    /// Goes on from what a file in this folder remembers; both are made if they are not there.
    pub fn in_folder(folder: &Path) -> Result<Self, String> {
        let (store, entries) = Store::open(folder).map_err(|error| format!("{error:#}"))?;
        let mut known = Known::default();
        for entry in entries {
            known.note(entry.id, entry.creator);
        }
        Ok(Self(Arc::new(Inner {
            known: Mutex::new(known),
            store: Some(store),
        })))
    }

    /// Who created what a request refers to; `None` if that is not known, or it refers to nothing.
    pub fn creator(&self, request: &ModelRequest) -> Option<UpstreamId> {
        if self.with(|known| known.creators.is_empty()) {
            return None;
        }
        let mentioned = |id: &str| self.creator_of(id);
        ids::in_path(&request.path).find_map(mentioned).or_else(|| {
            let ids = match request.endpoint {
                Endpoint::Other => ids::anywhere(&request.body),
                endpoint => ids::references(endpoint, &request.body),
            };
            ids.iter().find_map(|id| self.creator_of(id))
        })
    }

    /// Somebody who sees an answer of an upstream pass, and takes note of what it has created.
    pub fn witness(&self, creator: &UpstreamId, is_stream: bool) -> Witness {
        Witness::new(self.clone(), creator.clone(), is_stream)
    }

    fn note(&self, id: &str, creator: &UpstreamId) {
        let entry = Entry {
            id: fingerprint(id.as_bytes()),
            creator: creator.clone(),
        };
        let is_new = self.with(|known| known.note(entry.id, creator.clone()));
        if let Some(store) = self.0.store.as_ref().filter(|_| is_new) {
            store.keep(entry);
        }
    }

    fn creator_of(&self, id: &str) -> Option<UpstreamId> {
        let id = fingerprint(id.as_bytes());
        self.with(|known| known.creators.get(&id).cloned())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.0.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    /// Says whether that is new.
    fn note(&mut self, id: u64, creator: UpstreamId) -> bool {
        match self.creators.insert(id, creator.clone()) {
            Some(before) => before != creator,
            None => {
                self.order.push_back(id);
                if self.order.len() > MOST
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.creators.remove(&oldest);
                }
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, Pins};
    use crate::config::UpstreamId;

    #[test]
    fn the_oldest_are_forgotten_first() {
        let pins = Pins::in_memory();
        let (first, second) = (UpstreamId::from("first"), UpstreamId::from("second"));
        pins.note("file-0", &first);
        for number in 1..MOST {
            pins.note(&format!("file-{number}"), &second);
        }
        assert_eq!(pins.creator_of("file-0"), Some(first));
        pins.note("one-more", &second);
        assert_eq!(pins.creator_of("file-0"), None);
        assert_eq!(pins.creator_of("file-1"), Some(second));
    }

    #[test]
    fn what_is_kept_in_a_folder_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("made/when/needed");
        let creator = UpstreamId::from("first");
        for round in 0..3 {
            let pins = Pins::in_folder(&folder).unwrap();
            for before in 0..round {
                let id = format!("file-{before}");
                assert_eq!(pins.creator_of(&id).as_ref(), Some(&creator), "{id}");
            }
            pins.note(&format!("file-{round}"), &creator);
        }
    }

    #[test]
    fn a_folder_serves_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Pins::in_folder(folder.path()).unwrap();
        assert!(Pins::in_folder(folder.path()).is_err());
    }
}
