//! Requests whose streams have broken off lately. Many clients then ask the same again, and do not say that they do: whoever broke
//! off may do so once more, so others come first.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::UpstreamId;
use crate::request::ModelRequest;
use crate::routing::Rule;
use crate::wire::json::fingerprint_of;

/// For how long one is known: clients repeat within seconds, or with growing pauses.
const KNOWN: Duration = Duration::from_secs(120);
/// No more are known at a time; the oldest are forgotten first.
const MOST: usize = 1024;
/// Of a body, so many samples of so many bytes tell it from others. To take two for one costs nothing but the order of once.
const SAMPLES: usize = 16;
const SAMPLE: usize = 32;

/// The requests of one engine whose streams have broken off.
#[derive(Clone, Debug, Default)]
pub(super) struct BrokenStreams(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    /// So that nobody waits for a lock where nothing has broken off.
    count: AtomicUsize,
    by_mark: Mutex<HashMap<u64, Broken>>,
}

#[derive(Debug)]
struct Broken {
    by: Vec<UpstreamId>,
    at: Instant,
}

/// A request for a stream, by which it is known if it is asked again.
#[derive(Debug)]
pub(super) struct Asked {
    known: Arc<Known>,
    mark: u64,
}

impl BrokenStreams {
    /// Recognizes a request; `None`: it asks for no stream, or there is nobody else to ask.
    pub(super) fn asked(&self, request: &ModelRequest, rule: &Rule) -> Option<Asked> {
        let is_known = request.streaming && rule.candidates.len() > 1;
        is_known.then(|| Asked {
            known: Arc::clone(&self.0),
            mark: mark(request),
        })
    }
}

impl Asked {
    /// The upstreams that have broken off its stream lately.
    pub(super) fn broken_by(&self, now: Instant) -> Vec<UpstreamId> {
        if self.known.count.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let by_mark = self.known.by_mark(now);
        let broken = by_mark.get(&self.mark);
        broken.map_or_else(Vec::new, |broken| broken.by.clone())
    }

    /// These have broken off its stream, and the client has got an error.
    pub(super) fn broke_off(&self, by: Vec<UpstreamId>, now: Instant) {
        let mut by_mark = self.known.by_mark(now);
        if by_mark.len() >= MOST
            && let Some(oldest) = by_mark.iter().min_by_key(|(_, broken)| broken.at)
        {
            let oldest = *oldest.0;
            by_mark.remove(&oldest);
        }
        let broken = by_mark.entry(self.mark).or_insert(Broken {
            by: Vec::new(),
            at: now,
        });
        broken.at = now;
        for upstream in by {
            if !broken.by.contains(&upstream) {
                broken.by.push(upstream);
            }
        }
        self.known.count.store(by_mark.len(), Ordering::Relaxed);
    }
}

impl Known {
    /// Those that are still known.
    fn by_mark(&self, now: Instant) -> MutexGuard<'_, HashMap<u64, Broken>> {
        let locked = self.by_mark.lock();
        let mut by_mark = locked.unwrap_or_else(PoisonError::into_inner);
        by_mark.retain(|_, broken| now.saturating_duration_since(broken.at) < KNOWN);
        self.count.store(by_mark.len(), Ordering::Relaxed);
        by_mark
    }
}

/// A body, as far as it is looked at.
struct Sampled<'a>(&'a [u8]);

impl Hash for Sampled<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let body = self.0;
        hasher.write_usize(body.len());
        for chunk in body.chunks((body.len() / SAMPLES).max(SAMPLE)) {
            hasher.write(&chunk[..chunk.len().min(SAMPLE)]);
        }
        hasher.write(&body[body.len().saturating_sub(SAMPLE)..]);
    }
}

fn mark(request: &ModelRequest) -> u64 {
    fingerprint_of(&(&request.client, &request.path, Sampled(&request.body)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Asked, BrokenStreams, KNOWN, MOST};
    use crate::config::UpstreamId;

    fn asked(streams: &BrokenStreams, mark: u64) -> Asked {
        let known = Arc::clone(&streams.0);
        Asked { known, mark }
    }

    #[test]
    fn who_broke_off_is_known_for_that_request_and_for_a_while() {
        let (streams, start) = (BrokenStreams::default(), Instant::now());
        let (one, other) = (asked(&streams, 1), asked(&streams, 2));
        let [a, b] = ["a", "b"].map(UpstreamId::from);
        one.broke_off(vec![a.clone()], start);
        one.broke_off(vec![b.clone(), a.clone()], start + KNOWN / 2);
        let soon = start + KNOWN / 2 + Duration::from_secs(1);
        assert_eq!(one.broken_by(soon), [a, b]);
        assert!(other.broken_by(soon).is_empty());
        assert!(one.broken_by(start + 2 * KNOWN).is_empty());
        assert_eq!(streams.0.count.load(Ordering::Relaxed), 0, "nobody looks");
    }

    #[test]
    fn no_more_are_known_than_there_is_room_for() {
        let (streams, start) = (BrokenStreams::default(), Instant::now());
        let a = UpstreamId::from("a");
        let marks = 0..=MOST as u64;
        for mark in marks.clone() {
            let at = start + Duration::from_millis(mark);
            asked(&streams, mark).broke_off(vec![a.clone()], at);
        }
        let now = start + Duration::from_secs(10);
        let known = marks.filter(|mark| !asked(&streams, *mark).broken_by(now).is_empty());
        assert!(known.eq(1..=MOST as u64), "the oldest is forgotten");
    }
}
