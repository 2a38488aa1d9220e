//! The thread that uses the affinity file: it writes new entries. While the file cannot be used, it retries from time
//! to time, and then writes all known entries. What another process writes that holds the file is read along.

use std::path::PathBuf;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::file::AffinityFile;
use super::known::{Entry, Known};
use super::queue::Queued;
use crate::state::Trouble;

/// How many entries are written in one transaction.
const BATCH: usize = 1024;
/// How many entries are copied at a time while the lock blocks look-ups.
const PORTION: usize = 256;
/// The pauses between two attempts to open the file: the first and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Writes known entries to a file.
#[derive(Debug)]
pub(super) struct Keeper {
    folder: PathBuf,
    known: Arc<Mutex<Known>>,
    queued: Queued,
    /// `None` while the file cannot be used.
    file: Option<AffinityFile>,
    /// The pause before the next attempt.
    pause: Duration,
    /// When the file was last opened.
    opened_at: Instant,
    /// When the file that another process holds had been written when it was last read along.
    read_along: Option<SystemTime>,
}

impl Keeper {
    pub(super) fn new(folder: PathBuf, known: Arc<Mutex<Known>>, queued: Queued) -> Self {
        Self {
            folder,
            known,
            queued,
            file: None,
            pause: PAUSES.0,
            opened_at: Instant::now(),
            read_along: None,
        }
    }

    /// Opens the file for the first time, and loads its entries.
    pub(super) fn open(&mut self) {
        match AffinityFile::open(&self.folder) {
            Ok((file, entries)) => {
                self.learn(entries);
                self.file = Some(file);
            }
            Err(trouble) => {
                // Entries that become known meanwhile are newer than those in the file.
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let micros = now.map_or(0, |now| now.as_micros());
                self.known().begin_at(u64::try_from(micros).unwrap_or(0));
                self.give_up(&trouble);
                self.read_along(&trouble);
            }
        }
    }

    /// Writes queued entries until the queue is closed.
    pub(super) fn run(mut self) {
        loop {
            let is_open = match self.file {
                Some(_) => self.keep(),
                None => self.wait(),
            };
            if !is_open {
                return;
            }
        }
    }

    /// Writes queued entries. Returns false if the queue is closed.
    fn keep(&mut self) -> bool {
        let Some(first) = self.queued.next() else {
            return false;
        };
        let others = self.queued.waiting().take(BATCH);
        let batch: Vec<Entry> = std::iter::once(first).chain(others).collect();
        let file = self.file.as_ref();
        if let Some(Err(trouble)) = file.map(|file| file.write(&batch)) {
            self.file = None;
            if matches!(trouble, Trouble::Damage(_)) && self.reopen().is_ok() {
                return true;
            }
            // On a disk that is almost full, a file can be opened again and again, and soon be full each time.
            if self.opened_at.elapsed() > PAUSES.1 {
                self.pause = PAUSES.0;
            }
            self.give_up(&trouble);
        }
        true
    }

    /// Waits until the next attempt, and makes it. Returns false if the queue was closed first; then it is the last
    /// attempt.
    fn wait(&mut self) -> bool {
        let due = Instant::now() + self.pause;
        let is_open = loop {
            let left = due.saturating_duration_since(Instant::now());
            match self.queued.next_within(left) {
                // The entry is also among the known ones, which are all written then.
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break true,
                Err(RecvTimeoutError::Disconnected) => break false,
            }
        };
        self.pause = (self.pause * 2).min(PAUSES.1);
        match self.reopen() {
            Ok(()) => {
                self.opened_at = Instant::now();
                tracing::info!(
                    "state_dir can be used again: what is known of which upstream created what is written"
                );
            }
            Err(trouble) => {
                tracing::debug!("state_dir still cannot be used: {trouble}");
                self.read_along(&trouble);
            }
        }
        is_open
    }

    /// Learns what another process has written that holds the file, and looks again soon: a request may refer to what
    /// that process has just created.
    fn read_along(&mut self, trouble: &Trouble) {
        if !matches!(trouble, Trouble::Held) {
            return;
        }
        self.pause = PAUSES.0;
        // Before it is read: what is written meanwhile is read the next time.
        let written_at = AffinityFile::written_at(&self.folder);
        if written_at.is_none() || written_at == self.read_along {
            return;
        }
        match AffinityFile::read_along(&self.folder) {
            Ok(entries) => {
                self.read_along = written_at;
                self.learn(entries);
            }
            Err(trouble) => tracing::debug!("the file cannot be read along: {trouble}"),
        }
    }

    /// Opens the file again, loads what other processes wrote, and writes all known entries.
    fn reopen(&mut self) -> Result<(), Trouble> {
        let (file, entries) = AffinityFile::open(&self.folder)?;
        self.learn(entries);
        let known = &self.known;
        let mut from = 0;
        file.replace(std::iter::from_fn(|| {
            let portion = lock(known).after(from, PORTION);
            from = portion.last()?.number + 1;
            Some(portion)
        }))?;
        self.file = Some(file);
        Ok(())
    }

    fn learn(&self, mut entries: Vec<Entry>) {
        // The newest first: there may not be room for all.
        while !entries.is_empty() {
            let portion = entries.split_off(entries.len().saturating_sub(PORTION));
            self.known().learn(portion);
        }
    }

    fn give_up(&self, trouble: &Trouble) {
        if matches!(trouble, Trouble::Held) {
            tracing::info!(
                folder = %self.folder.display(),
                "another process uses state_dir: what it notes of which upstream created what is read along, and its file is \
                 taken over when it has ended"
            );
            return;
        }
        tracing::warn!(
            folder = %self.folder.display(),
            "{} (state_dir) cannot be used, so after a restart it will be forgotten which upstream created what; it is tried \
             again from time to time: {trouble}", self.folder.display()
        );
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
