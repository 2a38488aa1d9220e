//! Noting and looking up owners.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::mpsc;

use super::ids;
use super::known::{Entry, Known};
use super::store::Store;
use crate::config::UpstreamId;
use crate::request::{Endpoint, ModelRequest};
use crate::wire::json::fingerprint;

/// Which upstream owns which object.
#[derive(Clone, Debug)]
pub struct Affinity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The lock is held for a few instructions at a time.
    known: Arc<Mutex<Known>>,
    store: Option<Store>,
    /// Where other replicas are told of new owners, if there are any.
    outbox: OnceLock<mpsc::Sender<Owner>>,
}

/// The owner of an object, as replicas share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The fingerprint of the id, which the upstream has made up.
    pub id: u64,
    /// Which upstream it is.
    pub upstream: UpstreamId,
    /// Whether a chat may refer to the object.
    pub is_for_chats: bool,
}

/// So many owners wait to be told to other replicas. Those of further ones are known here alone.
const UNTOLD: usize = 4096;

impl Affinity {
    /// Keeps entries in memory only.
    pub fn in_memory() -> Self {
        Self(Arc::new(Inner {
            known: Arc::default(),
            store: None,
            outbox: OnceLock::new(),
        }))
    }

    /// Continues with the entries of a file in this folder; both are created if they do not exist. While the file
    /// cannot be used, entries are kept in memory only.
    pub fn in_folder(folder: &Path) -> Self {
        let known = Arc::default();
        let store = Store::start(folder, Arc::clone(&known));
        let outbox = OnceLock::new();
        Self(Arc::new(Inner {
            known,
            store,
            outbox,
        }))
    }

    /// The owner of the objects that a request refers to; `None` if it is unknown, or the request refers to nothing.
    pub fn owner(&self, request: &ModelRequest) -> Option<UpstreamId> {
        if !self.with(|known| known.may_be_named_by(request.endpoint)) {
            return None;
        }
        if let Some(id) = request.goes_on_after() {
            return self.owner_of(id);
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

    /// Notes that an upstream has created an object at this path, as it reports for calls.
    pub fn put_at(&self, path: &str, owner: &UpstreamId) {
        for id in ids::in_path(path) {
            self.note(id, owner);
        }
    }

    pub(super) fn note(&self, id: &str, owner: &UpstreamId) {
        let is_for_chats = ids::may_be_in_chats(id);
        let id = fingerprint(id.as_bytes());
        let entry = self.with(|known| {
            known.is_for_chats |= is_for_chats;
            known.note(id, owner)
        });
        if entry.is_some()
            && let Some(outbox) = self.0.outbox.get()
        {
            let upstream = owner.clone();
            let _ = outbox.try_send(Owner {
                id,
                upstream,
                is_for_chats,
            });
        }
        self.keep(entry);
    }

    /// From now on, each owner that becomes known here comes out of this as well. Only the first call gets any.
    pub fn tell(&self) -> mpsc::Receiver<Owner> {
        let (to, from) = mpsc::channel(UNTOLD);
        let _ = self.0.outbox.set(to);
        from
    }

    /// Another replica knows an owner.
    pub fn learn(&self, owner: &Owner) {
        self.keep(self.with(|known| {
            known.is_for_chats |= owner.is_for_chats;
            known.note(owner.id, &owner.upstream)
        }));
    }

    pub(super) fn owner_of(&self, id: &str) -> Option<UpstreamId> {
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

#[cfg(test)]
mod tests {
    use super::{Affinity, Known};
    use crate::affinity::MOST;
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
        assert_eq!(known.order.len(), known.owners.len());
    }

    #[test]
    fn what_is_kept_in_a_folder_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("made/when/needed");
        let owner = UpstreamId::from("first");
        for round in 0..3 {
            let affinity = Affinity::in_folder(&folder);
            for before in 0..round {
                let id = format!("file-{before}");
                assert_eq!(affinity.owner_of(&id).as_ref(), Some(&owner), "{id}");
            }
            affinity.note(&format!("file-{round}"), &owner);
        }
    }

    #[test]
    fn no_damage_ends_the_start_and_the_file_works_again_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let (path, owner) = (
            folder.path().join("affinity.redb"),
            UpstreamId::from("first"),
        );
        let affinity = Affinity::in_folder(folder.path());
        (0..3000).for_each(|number| affinity.note(&format!("file-{number}"), &owner));
        drop(affinity);
        let good = std::fs::read(&path).unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        for round in 0..36 {
            std::fs::write(&path, damaged(&good, round, &mut random)).unwrap();
            let affinity = Affinity::in_folder(folder.path());
            affinity.note("file-new", &owner);
            assert_eq!(affinity.owner_of("file-new").as_ref(), Some(&owner));
            drop(affinity);
            let affinity = Affinity::in_folder(folder.path());
            let known = affinity.owner_of("file-new");
            assert_eq!(known.as_ref(), Some(&owner), "round {round}");
            let names = (0..3000).filter_map(|number| affinity.owner_of(&format!("file-{number}")));
            assert!(names.into_iter().all(|name| name == owner), "round {round}");
        }
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert!((2..=4).contains(&files), "{files} files");
    }

    /// A file damaged at random.
    fn damaged(good: &[u8], round: usize, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = good.to_vec();
        let place = random.usize(..bytes.len());
        match round % 6 {
            0 => bytes.truncate(place),
            1 => bytes[place] ^= 1 << random.u8(..8),
            2 => (0..40).for_each(|_| bytes[random.usize(..good.len())] = random.u8(..)),
            3 => bytes[place / 4096 * 4096..]
                .iter_mut()
                .take(4096)
                .for_each(|byte| *byte = 0),
            // The start of the file tells where everything else is.
            4 => (0..4).for_each(|_| bytes[random.usize(..600)] = random.u8(..)),
            _ => bytes = (0..random.usize(..20_000)).map(|_| random.u8(..)).collect(),
        }
        bytes
    }

    #[test]
    fn a_directory_in_its_place_is_moved_aside() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("affinity.redb/inside")).unwrap();
        let owner = UpstreamId::from("first");
        Affinity::in_folder(folder.path()).note("file-1", &owner);
        assert_eq!(
            Affinity::in_folder(folder.path()).owner_of("file-1"),
            Some(owner)
        );
        assert!(
            folder
                .path()
                .join("affinity.redb.damaged-1/inside")
                .exists()
        );
    }

    #[test]
    fn what_became_known_while_the_folder_could_not_be_used_is_written_when_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let (place, owner) = (folder.path().join("state"), UpstreamId::from("first"));
        std::fs::write(&place, "a file where a folder should be").unwrap();
        let affinity = Affinity::in_folder(&place);
        affinity.note("file-1", &owner);
        assert_eq!(affinity.owner_of("file-1").as_ref(), Some(&owner));
        std::fs::remove_file(&place).unwrap();
        // Dropping it makes the last attempt.
        drop(affinity);
        assert_eq!(Affinity::in_folder(&place).owner_of("file-1"), Some(owner));
    }

    #[test]
    fn a_folder_serves_one_process_at_a_time_and_then_keeps_what_both_knew() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (UpstreamId::from("one"), UpstreamId::from("other"));
        let first = Affinity::in_folder(folder.path());
        first.note("file-1", &one);
        let second = Affinity::in_folder(folder.path());
        second.note("file-2", &other);
        assert_eq!(second.owner_of("file-2").as_ref(), Some(&other));
        let soon_known = |id: &str| {
            (0..1000).any(|_| {
                std::thread::park_timeout(std::time::Duration::from_millis(50));
                second.owner_of(id).is_some()
            })
        };
        assert!(soon_known("file-1"), "it is read along");
        // It drains, and the next one already serves.
        first.note("file-3", &one);
        assert!(soon_known("file-3"));
        drop(first);
        // Dropping it makes the last attempt.
        drop(second);
        let third = Affinity::in_folder(folder.path());
        assert_eq!(third.owner_of("file-1"), Some(one));
        assert_eq!(third.owner_of("file-2"), Some(other));
    }
}
