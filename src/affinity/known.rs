//! The owners that are known, in memory.

use std::collections::{BTreeMap, HashMap};

use crate::config::UpstreamId;
use crate::request::Endpoint;

/// How many ids are kept.
pub const MOST: usize = 65_536;

/// An entry to be written.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) number: u64,
    /// The former number of the same id.
    pub(super) replaces: Option<u64>,
    pub(super) id: u64,
    pub(super) owner: UpstreamId,
}

/// The owners of the objects that were returned or used last.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By the fingerprint of the id.
    pub(super) owners: HashMap<u64, Owned>,
    /// Fingerprints by entry number: the first is forgotten first.
    pub(super) order: BTreeMap<u64, u64>,
    /// Whether a chat may refer to any of them: most are answers of `/responses`, to which no chat refers.
    pub(super) is_for_chats: bool,
    /// The number of the next entry.
    next: u64,
}

#[derive(Debug)]
pub(super) struct Owned {
    owner: UpstreamId,
    /// The entry's number, which is also the number of its row in the store.
    number: u64,
}

impl Known {
    /// Whether a request to this endpoint may refer to any of them.
    pub(super) fn may_be_named_by(&self, endpoint: Endpoint) -> bool {
        match endpoint {
            Endpoint::ChatCompletions => self.is_for_chats,
            Endpoint::Completions | Endpoint::Embeddings => false,
            Endpoint::Responses
            | Endpoint::Messages
            | Endpoint::CountTokens
            | Endpoint::Realtime
            | Endpoint::Other => !self.owners.is_empty(),
        }
    }

    /// Notes an entry. Returns what the store has to write, if that has changed.
    pub(super) fn note(&mut self, id: u64, owner: &UpstreamId) -> Option<Entry> {
        let is_fresh = |owned: &Owned| owned.owner == *owner && !self.is_old(owned);
        if self.owners.get(&id).is_some_and(is_fresh) {
            return None;
        }
        Some(self.put_last(id, owner.clone()))
    }

    /// The owner of an id; also what the store has to write, if the entry moved to the end because it was used.
    pub(super) fn look_up(&mut self, id: u64) -> Option<(UpstreamId, Option<Entry>)> {
        let owned = self.owners.get(&id)?;
        let (owner, is_old) = (owned.owner.clone(), self.is_old(owned));
        let moved = is_old.then(|| self.put_last(id, owner.clone()));
        Some((owner, moved))
    }

    /// Only an entry in the older half moves when it is used. So most look-ups change nothing and write nothing to the
    /// disk, and a used entry survives until others have taken half of all places.
    pub(super) fn is_old(&self, owned: &Owned) -> bool {
        self.next - owned.number > MOST as u64 / 2
    }

    pub(super) fn put_last(&mut self, id: u64, owner: UpstreamId) -> Entry {
        let number = self.next;
        let replaces = self.put(number, id, owner.clone());
        Entry {
            number,
            replaces,
            id,
            owner,
        }
    }

    /// Gives the entry the highest number, and returns its former number.
    pub(super) fn put(&mut self, number: u64, id: u64, owner: UpstreamId) -> Option<u64> {
        self.next = number + 1;
        let before = self.owners.insert(id, Owned { owner, number });
        let before = before.map(|owned| owned.number);
        if let Some(before) = before {
            self.order.remove(&before);
        }
        self.order.insert(number, id);
        if self.order.len() > MOST
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.owners.remove(&oldest);
        }
        before
    }

    /// Sets the number of the next entry.
    pub(super) fn begin_at(&mut self, number: u64) {
        self.next = self.next.max(number);
    }

    /// Adds entries from an earlier run. They are older than all current entries, and do not replace them.
    pub(super) fn learn(&mut self, earlier: Vec<Entry>) {
        // What they were is not in the file.
        self.is_for_chats |= !earlier.is_empty();
        for Entry {
            number, id, owner, ..
        } in earlier.into_iter().rev()
        {
            let is_news = !self.owners.contains_key(&id) && !self.order.contains_key(&number);
            if is_news && self.owners.len() < MOST {
                self.owners.insert(id, Owned { owner, number });
                self.order.insert(number, id);
                self.next = self.next.max(number + 1);
            }
        }
    }

    /// This many entries, starting with this number.
    pub(super) fn after(&self, number: u64, count: usize) -> Vec<Entry> {
        let numbered = self.order.range(number..).take(count);
        let entry = |(&number, id): (&u64, &u64)| {
            let owner = self.owners.get(id)?.owner.clone();
            Some(Entry {
                number,
                replaces: None,
                id: *id,
                owner,
            })
        };
        numbered.filter_map(entry).collect()
    }
}
