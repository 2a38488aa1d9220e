//! One memory budget for the bodies of all requests, from which each takes a share.
//!
//! A request never waits for a share: two requests that hold shares and wait for more could wait for each other
//! forever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use thiserror::Error;

/// Bodies up to this size take no share: the number of requests bounds them.
pub const FREE: usize = 64 << 10;
/// The smallest step by which a share grows, so that a body of many pieces does not take memory for each of them.
const STEP: usize = 256 << 10;

/// Why no memory is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoMemory {
    /// Other requests hold it.
    #[error("other requests hold the memory for bodies; try again")]
    Now,
    /// It is more than the budget allows for one request.
    #[error("that is more than one request may have of the memory for bodies")]
    Ever,
}

/// The memory budget of a process.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    limit: AtomicUsize,
    used: AtomicUsize,
    refused: AtomicU64,
}

impl Memory {
    /// A budget of this many bytes.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Budget {
            limit: AtomicUsize::new(limit),
            used: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        }))
    }

    /// Changes the size of the budget; existing shares stay as they are.
    pub fn set_limit(&self, limit: usize) {
        self.0.limit.store(limit, Ordering::Relaxed);
    }

    /// How many bytes are taken.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// How many requests for memory were refused.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// An empty share, which can grow.
    pub fn share(&self) -> Share {
        Share {
            memory: self.clone(),
            bytes: 0,
        }
    }

    /// Takes this many bytes for short work. One piece of work gets at most half of the budget, so that other requests
    /// can still be served.
    pub fn for_work(&self, bytes: usize) -> Result<Share, NoMemory> {
        let mut share = self.share();
        if bytes > self.0.limit.load(Ordering::Relaxed) / 2 {
            return Err(self.refuse(NoMemory::Ever));
        }
        share.grow_to(bytes)?;
        Ok(share)
    }

    /// Takes the bytes if they are available, and returns whether they were.
    fn take(&self, bytes: usize) -> bool {
        let limit = self.0.limit.load(Ordering::Relaxed);
        let more = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= limit);
        let order = Ordering::Relaxed;
        self.0.used.fetch_update(order, order, more).is_ok()
    }

    fn refuse(&self, why: NoMemory) -> NoMemory {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        why
    }
}

/// The bytes that one body holds of the budget until it is dropped.
#[derive(Debug)]
pub struct Share {
    memory: Memory,
    bytes: usize,
}

impl Share {
    /// Makes the share at least this large; small bodies take nothing.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), NoMemory> {
        if self.has_grown_to(bytes) {
            return Ok(());
        }
        let limit = self.memory.0.limit.load(Ordering::Relaxed);
        Err(self.memory.refuse(match bytes > limit {
            true => NoMemory::Ever,
            false => NoMemory::Now,
        }))
    }

    /// The same for a body that grows piece by piece: a little is taken in advance.
    pub fn keep_up_with(&mut self, bytes: usize) -> Result<(), NoMemory> {
        if bytes <= self.bytes.max(FREE) || self.has_grown_to(bytes.next_multiple_of(STEP)) {
            return Ok(());
        }
        self.grow_to(bytes)
    }

    fn has_grown_to(&mut self, bytes: usize) -> bool {
        if bytes <= self.bytes.max(FREE) {
            return true;
        }
        let has_grown = self.memory.take(bytes - self.bytes);
        if has_grown {
            self.bytes = bytes;
        }
        has_grown
    }

    /// Gives back what exceeds this many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        let bytes = if bytes > FREE { bytes } else { 0 };
        let spare = self.bytes.saturating_sub(bytes);
        self.bytes -= spare;
        self.memory.0.used.fetch_sub(spare, Ordering::Relaxed);
    }
}

impl Share {
    /// These bytes; they hold the share until the last copy of them is dropped.
    pub fn hold(self, bytes: Bytes) -> Bytes {
        match self.bytes {
            0 => bytes,
            _ => Bytes::from_owner(Held {
                bytes,
                _share: self,
            }),
        }
    }
}

struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{FREE, Memory, NoMemory};

    #[test]
    fn all_together_hold_no_more_than_the_budget() {
        let memory = Memory::new(10 * FREE);
        let (mut first, mut second) = (memory.share(), memory.share());
        first.grow_to(6 * FREE).unwrap();
        assert_eq!(second.grow_to(5 * FREE), Err(NoMemory::Now));
        second.grow_to(4 * FREE).unwrap();
        assert_eq!(memory.used(), 10 * FREE);
        first.shrink_to(2 * FREE);
        second.grow_to(8 * FREE).unwrap();
        assert_eq!(second.grow_to(9 * FREE), Err(NoMemory::Now));
        drop((first, second));
        assert_eq!((memory.used(), memory.refused()), (0, 2));
        assert_eq!(memory.share().grow_to(11 * FREE), Err(NoMemory::Ever));
    }

    #[test]
    fn small_bodies_hold_nothing() {
        let memory = Memory::new(10 * FREE);
        let mut share = memory.share();
        share.keep_up_with(FREE).unwrap();
        share.grow_to(FREE).unwrap();
        assert_eq!(memory.used(), 0);
        share.grow_to(FREE + 1).unwrap();
        assert_eq!(memory.used(), FREE + 1);
        share.shrink_to(FREE);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn bytes_hold_their_share_until_the_last_copy_is_gone() {
        let memory = Memory::new(10 * FREE);
        let mut share = memory.share();
        share.grow_to(2 * FREE).unwrap();
        let bytes = share.hold(Bytes::from(vec![7; 2 * FREE]));
        let copy = bytes.slice(1..2);
        drop(bytes);
        assert_eq!((copy[0], memory.used()), (7, 2 * FREE));
        drop(copy);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn work_gets_half_of_it_at_most() {
        let memory = Memory::new(10 * FREE);
        assert_eq!(memory.for_work(5 * FREE + 1).err(), Some(NoMemory::Ever));
        let work = memory.for_work(5 * FREE).unwrap();
        assert_eq!(memory.used(), 5 * FREE);
        drop(work);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn what_grows_piece_by_piece_takes_the_last_bytes_too() {
        let memory = Memory::new(3 * FREE);
        let mut share = memory.share();
        share.keep_up_with(FREE + 1).unwrap();
        assert_eq!(memory.used(), FREE + 1);
        share.keep_up_with(3 * FREE).unwrap();
        assert_eq!(share.keep_up_with(3 * FREE + 1), Err(NoMemory::Ever));
        assert_eq!(memory.refused(), 1);
    }
}
