//! The affinity store: a file, used by a thread of its own, so that no request waits for a disk.

use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::keeper::Keeper;
use super::known::{Entry, Known};
use super::queue::{Intake, queue};
use crate::state::THREADS;

/// How long a start waits until the file has been read, and an exit until it has been written. A disk that hangs must
/// not prevent either.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes entries to the file. When dropped, it finishes writing first.
#[derive(Debug)]
pub(super) struct Store {
    queue: Option<Intake>,
    /// Closed when the thread has ended.
    ended: Mutex<Receiver<()>>,
}

impl Store {
    /// Reads the entries of a file in this folder, and writes new ones, as soon and as long as that is possible.
    pub(super) fn start(folder: &Path, known: Arc<Mutex<Known>>) -> Option<Self> {
        let (queue, queued) = queue();
        let (is_read, read) = sync_channel(1);
        let (end, ended) = sync_channel(1);
        let folder = folder.to_owned();
        let thread = thread::Builder::new().name(format!("{THREADS}affinity"));
        let started = thread.spawn(move || {
            let mut keeper = Keeper::new(folder, known, queued);
            keeper.open();
            let _ = is_read.send(());
            keeper.run();
            drop(end);
        });
        if let Err(error) = started {
            tracing::warn!("state_dir cannot be used: there is no thread for it: {error}");
            return None;
        }
        let _ = read.recv_timeout(PATIENCE);
        Some(Self {
            queue: Some(queue),
            ended: Mutex::new(ended),
        })
    }

    pub(super) fn keep(&self, entry: Entry) {
        if let Some(queue) = &self.queue
            && !queue.take(entry)
        {
            tracing::debug!("an owner is not kept beyond this process: the disk does not keep up");
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.queue = None;
        if let Ok(ended) = self.ended.get_mut() {
            let _ = ended.recv_timeout(PATIENCE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, Entry, Known, Mutex, Store};

    #[test]
    fn what_was_wanted_again_is_read_last_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let known = Arc::new(Mutex::new(Known::default()));
        let store = Store::start(folder.path(), Arc::clone(&known)).unwrap();
        for (number, replaces, id) in [(0, None, 70), (1, None, 71), (2, Some(0), 70)] {
            store.keep(Entry {
                number,
                replaces,
                id,
                owner: "first".into(),
            });
        }
        drop(store);
        let _store = Store::start(folder.path(), Arc::clone(&known)).unwrap();
        let kept = known.lock().unwrap().after(0, 10);
        let read: Vec<(u64, u64)> = kept.iter().map(|entry| (entry.number, entry.id)).collect();
        assert_eq!(read, [(1, 71), (2, 70)]);
    }
}
