//! What clients and upstreams know of each request, by its number: so that none is lost, doubled or mixed up with another.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

/// What a client does with a request besides waiting for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It reads the answer.
    Patient,
    /// It leaves before the answer: whoever gets the request holds the answer back.
    LeavesEarly,
    /// It leaves in the middle of the answer: whoever gets the request sends one half.
    LeavesHalfway,
}

/// What is known of a request that is open.
#[derive(Debug, Default)]
struct Trail {
    /// How many upstreams have given a whole answer.
    answers: u64,
    /// An upstream holds the answer back now.
    stalled: Arc<Notify>,
}

/// How requests ended, and how many.
pub(crate) type Tally = BTreeMap<String, u64>;

/// Shared by all clients and upstreams.
#[derive(Debug, Default)]
pub(crate) struct Board {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Trail>>,
    ends: Mutex<Tally>,
    kinds: Mutex<Tally>,
    /// Requests that arrived whole, by upstream.
    received: Mutex<Tally>,
    doubled: AtomicU64,
    wrong: Mutex<Vec<String>>,
    /// One error of each status.
    errors: Mutex<BTreeMap<u16, String>>,
}

impl Board {
    /// A new request: its number, and what tells that an upstream holds its answer back.
    pub(crate) fn open(&self) -> (u64, Arc<Notify>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let trail = Trail::default();
        let stalled = Arc::clone(&trail.stalled);
        self.open.lock().unwrap().insert(number, trail);
        (number, stalled)
    }

    /// An upstream has received a request whole.
    pub(crate) fn received(&self, upstream: &'static str) {
        add(&self.received, upstream);
    }

    /// An upstream has given a whole answer to a request.
    pub(crate) fn answered(&self, number: u64) {
        if let Some(trail) = self.open.lock().unwrap().get_mut(&number) {
            trail.answers += 1;
        }
    }

    /// An upstream holds back the answer to a request.
    pub(crate) fn stalls(&self, number: u64) {
        if let Some(trail) = self.open.lock().unwrap().get(&number) {
            trail.stalled.notify_one();
        }
    }

    /// A request is over for its client. `end` is the status and what became of the answer, as [`super::metrics`] has it.
    pub(crate) fn close(&self, number: u64, kind: &str, end: &str) {
        add(&self.ends, end);
        add(&self.kinds, kind);
        let trail = self.open.lock().unwrap().remove(&number);
        let answers = trail.map_or(0, |trail| trail.answers);
        if answers > 1 {
            self.doubled.fetch_add(answers - 1, Ordering::Relaxed);
        }
    }

    /// An error that a client got.
    pub(crate) fn error(&self, status: u16, body: &str) {
        let mut errors = self.errors.lock().unwrap();
        errors.entry(status).or_insert_with(|| body.to_owned());
    }

    /// One error of each status.
    pub(crate) fn errors(&self) -> BTreeMap<u16, String> {
        self.errors.lock().unwrap().clone()
    }

    /// Something that must not be: it is told in the report.
    pub(crate) fn wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    /// How many requests clients have sent.
    pub(crate) fn sent(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// How many requests clients still wait for.
    pub(crate) fn open_now(&self) -> usize {
        self.open.lock().unwrap().len()
    }

    /// How requests ended.
    pub(crate) fn ends(&self) -> Tally {
        self.ends.lock().unwrap().clone()
    }

    /// How many requests of each kind ended.
    pub(crate) fn kinds(&self) -> Tally {
        self.kinds.lock().unwrap().clone()
    }

    /// What arrived at each upstream.
    pub(crate) fn arrivals(&self) -> Tally {
        self.received.lock().unwrap().clone()
    }

    /// Whole answers beyond the first one of a request.
    pub(crate) fn doubles(&self) -> u64 {
        self.doubled.load(Ordering::Relaxed)
    }

    /// What must not be, in the order in which it was seen.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        self.wrong.lock().unwrap().clone()
    }
}

fn add(tally: &Mutex<Tally>, what: &str) {
    let mut tally = tally.lock().unwrap();
    match tally.get_mut(what) {
        Some(count) => *count += 1,
        None => drop(tally.insert(what.to_owned(), 1)),
    }
}
