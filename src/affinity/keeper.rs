//! The thread that uses the file: it writes what becomes known; and while it cannot, it tries again from time to time, and
//! then writes everything that is known.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::Known;
use super::file::{PinFile, Trouble};
use super::store::Entry;

/// Written at once, as one transaction.
const BATCH: usize = 1024;
/// Copied at once while nobody else can look anything up.
const PORTION: usize = 256;
/// The pauses between two tries to use the file: the first one, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Keeps in a file what is known.
#[derive(Debug)]
pub(super) struct Keeper {
    folder: PathBuf,
    known: Arc<Mutex<Known>>,
    queued: Receiver<Entry>,
    /// `None` while it cannot be used.
    file: Option<PinFile>,
    /// Before the next try.
    pause: Duration,
    /// Since when it can be used.
    opened_at: Instant,
}

impl Keeper {
    pub(super) fn new(folder: PathBuf, known: Arc<Mutex<Known>>, queued: Receiver<Entry>) -> Self {
        Self {
            folder,
            known,
            queued,
            file: None,
            pause: PAUSES.0,
            opened_at: Instant::now(),
        }
    }

    /// Opens the file for the first time, and learns what it remembers.
    pub(super) fn open(&mut self) {
        match PinFile::open(&self.folder) {
            Ok((file, entries)) => {
                self.learn(entries);
                self.file = Some(file);
            }
            Err(trouble) => {
                // What becomes known meanwhile is younger than what the file may turn out to remember.
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let micros = now.map_or(0, |now| now.as_micros());
                self.known().begin_at(u64::try_from(micros).unwrap_or(0));
                self.give_up(&trouble);
            }
        }
    }

    /// Keeps what is queued until the queue is closed.
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

    /// Writes what is queued. False if the queue is closed.
    fn keep(&mut self) -> bool {
        let Ok(first) = self.queued.recv() else {
            return false;
        };
        let others = self.queued.try_iter().take(BATCH);
        let batch: Vec<Entry> = std::iter::once(first).chain(others).collect();
        let file = self.file.as_mut();
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

    /// Waits for the time of the next try, and makes it. False if the queue was closed before; then it is the last try.
    fn wait(&mut self) -> bool {
        let due = Instant::now() + self.pause;
        let is_open = loop {
            let left = due.saturating_duration_since(Instant::now());
            match self.queued.recv_timeout(left) {
                // It is among what is known, all of which is written then.
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break true,
                Err(RecvTimeoutError::Disconnected) => break false,
            }
        };
        match self.reopen() {
            Ok(()) => {
                self.opened_at = Instant::now();
                tracing::info!(
                    "state_dir can be used again: what is known of which upstream created what is written"
                );
            }
            Err(trouble) => {
                tracing::debug!("state_dir still cannot be used: {trouble}");
            }
        }
        self.pause = (self.pause * 2).min(PAUSES.1);
        is_open
    }

    /// Opens the file again, learns what others have written to it, and writes everything that is known.
    fn reopen(&mut self) -> Result<(), Trouble> {
        let (mut file, entries) = PinFile::open(&self.folder)?;
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
        // The youngest first: there may not be room for all.
        while !entries.is_empty() {
            let portion = entries.split_off(entries.len().saturating_sub(PORTION));
            self.known().learn(portion);
        }
    }

    fn give_up(&self, trouble: &Trouble) {
        tracing::warn!(
            folder = %self.folder.display(),
            "state_dir cannot be used, so after a restart it will be forgotten which upstream created what; it is tried \
             again from time to time: {trouble}"
        );
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
