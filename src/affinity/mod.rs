//! Which upstream created what: files, batches, stored responses, conversations and whatever else lives at one provider.
//!
//! Ids are noted as they pass in answers, and requests that name one go to its creator, after a restart, too.
//!
//! ```text
//! answer  ─▶ witness ─▶ ids   the names that it gives out ─▶ note ─▶ store (a file, written in the background)
//! request ─▶ creator ─▶ ids   the names that it mentions
//! ```
//!
//! Only fingerprints of ids are kept, and of the 65,536 that were given out or asked for last: what is older goes to the
//! upstream that such requests go to by default.

mod ids;
mod store;
mod witness;

use std::collections::{BTreeMap, HashMap};
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
pub struct Affinity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Held for a few instructions at a time.
    known: Mutex<Known>,
    store: Option<Store>,
}

/// The creators of the objects that were given out or asked for last.
#[derive(Debug, Default)]
struct Known {
    /// By the fingerprint of the id.
    affinity: HashMap<u64, Owned>,
    /// The fingerprints by the numbers of their pins: the first one is forgotten first.
    order: BTreeMap<u64, u64>,
    /// The number of the next pin.
    next: u64,
}

#[derive(Debug)]
struct Owned {
    owner: UpstreamId,
    /// Its place among the others; also that of its row in the store.
    number: u64,
}

impl Affinity {
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
            known.put(entry.number, entry.id, entry.owner);
        }
        Ok(Self(Arc::new(Inner {
            known: Mutex::new(known),
            store: Some(store),
        })))
    }

    /// Who created what a request refers to; `None` if that is not known, or it refers to nothing.
    pub fn owner(&self, request: &ModelRequest) -> Option<UpstreamId> {
        if self.with(|known| known.affinity.is_empty()) {
            return None;
        }
        let mentioned = |id: &str| self.owner_of(id);
        ids::in_path(&request.path).find_map(mentioned).or_else(|| {
            let ids = match request.endpoint {
                Endpoint::Other if request.is_form() => ids::in_form(request),
                Endpoint::Other => ids::anywhere(&request.body),
                endpoint => ids::references(endpoint, &request.body),
            };
            ids.iter().find_map(|id| self.owner_of(id))
        })
    }

    /// An upstream has told where it has put something: calls are told so.
    pub fn put_at(&self, path: &str, owner: &UpstreamId) {
        for id in ids::in_path(path) {
            self.note(id, owner);
        }
    }

    /// Somebody who sees an answer of an upstream pass, and takes note of what it has created.
    pub fn witness(&self, owner: &UpstreamId, is_stream: bool) -> Witness {
        Witness::new(self.clone(), owner.clone(), is_stream)
    }

    fn note(&self, id: &str, owner: &UpstreamId) {
        let id = fingerprint(id.as_bytes());
        self.keep(self.with(|known| known.note(id, owner)));
    }

    fn owner_of(&self, id: &str) -> Option<UpstreamId> {
        let id = fingerprint(id.as_bytes());
        let (owner, moved) = self.with(|known| known.look_up(id))?;
        self.keep(moved);
        Some(owner)
    }

    fn keep(&self, entry: Option<Entry>) {
        if let (Some(store), Some(entry)) = (&self.0.store, entry) {
            store.keep(entry);
        }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.0.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    /// Gives out what the store has to know of it, if that has changed.
    fn note(&mut self, id: u64, owner: &UpstreamId) -> Option<Entry> {
        let is_fresh = |owned: &Owned| owned.owner == *owner && !self.is_old(owned);
        if self.affinity.get(&id).is_some_and(is_fresh) {
            return None;
        }
        Some(self.put_last(id, owner.clone()))
    }

    /// Who created it; also what the store has to know, if it has moved to the end by being asked for.
    fn look_up(&mut self, id: u64) -> Option<(UpstreamId, Option<Entry>)> {
        let owned = self.affinity.get(&id)?;
        let (owner, is_old) = (owned.owner.clone(), self.is_old(owned));
        let moved = is_old.then(|| self.put_last(id, owner.clone()));
        Some((owner, moved))
    }

    /// Only what is in the older half moves when it is wanted: so most look-ups change nothing, and write nothing to a disk,
    /// and what was wanted survives half of all places being taken by others.
    fn is_old(&self, owned: &Owned) -> bool {
        self.next - owned.number > MOST as u64 / 2
    }

    fn put_last(&mut self, id: u64, owner: UpstreamId) -> Entry {
        let number = self.next;
        let replaces = self.put(number, id, owner.clone());
        Entry {
            number,
            replaces,
            id,
            owner,
        }
    }

    /// Gives it a number beyond all others, and says which one it had before.
    fn put(&mut self, number: u64, id: u64, owner: UpstreamId) -> Option<u64> {
        self.next = number + 1;
        let before = self.affinity.insert(id, Owned { owner, number });
        let before = before.map(|owned| owned.number);
        if let Some(before) = before {
            self.order.remove(&before);
        }
        self.order.insert(number, id);
        if self.order.len() > MOST
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.affinity.remove(&oldest);
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::{Affinity, Known, MOST};
    use crate::config::UpstreamId;

    #[test]
    fn what_nobody_wants_is_forgotten_first() {
        let affinity = Affinity::in_memory();
        let (first, second) = (UpstreamId::from("first"), UpstreamId::from("second"));
        for number in 0..MOST {
            affinity.note(&format!("file-{number}"), &first);
        }
        assert_eq!(affinity.owner_of("file-0").as_ref(), Some(&first));
        affinity.note("file-1", &first);
        affinity.note("file-2", &second);
        affinity.note("one-more", &first);
        affinity.note("and-another", &first);
        let is_known = |number: usize| affinity.owner_of(&format!("file-{number}")).is_some();
        assert_eq!(
            [0, 1, 3, 4, 5].map(is_known),
            [true, true, false, false, true]
        );
        assert_eq!(affinity.owner_of("file-2"), Some(second));
    }

    #[test]
    fn only_what_is_in_the_older_half_moves() {
        let mut known = Known::default();
        let owner = UpstreamId::from("first");
        let entry = known.note(0, &owner).unwrap();
        assert_eq!((entry.number, entry.replaces), (0, None));
        assert!(known.note(0, &owner).is_none());
        assert!(known.look_up(0).unwrap().1.is_none());
        for id in 1..=MOST as u64 / 2 {
            known.note(id, &owner);
        }
        let moved = known.look_up(0).unwrap().1.unwrap();
        assert_eq!(
            (moved.number, moved.replaces),
            (MOST as u64 / 2 + 1, Some(0))
        );
        assert!(known.look_up(0).unwrap().1.is_none());
        assert_eq!(known.order.len(), known.affinity.len());
    }

    #[test]
    fn what_is_kept_in_a_folder_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("made/when/needed");
        let owner = UpstreamId::from("first");
        for round in 0..3 {
            let affinity = Affinity::in_folder(&folder).unwrap();
            for before in 0..round {
                let id = format!("file-{before}");
                assert_eq!(affinity.owner_of(&id).as_ref(), Some(&owner), "{id}");
            }
            affinity.note(&format!("file-{round}"), &owner);
        }
    }

    #[test]
    fn a_folder_serves_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Affinity::in_folder(folder.path()).unwrap();
        assert!(Affinity::in_folder(folder.path()).is_err());
    }
}
