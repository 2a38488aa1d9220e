//! The file behind the pins: an embedded database, written by a thread of its own, so that no request waits for a disk.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use anyhow::Context;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use super::MOST;
use crate::config::UpstreamId;

/// The number of a pin; the fingerprint of an id, and the name of its creator. The pin wanted last has the highest number.
const OWNERS: TableDefinition<'_, u64, (u64, &str)> = TableDefinition::new("affinity");
/// Written at once, as one transaction.
const BATCH: usize = 1024;
/// What waits to be written; beyond it, a pin lives as long as the process.
const BACKLOG: usize = 8192;

/// A pin to be kept.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) number: u64,
    /// The number that the same id had before.
    pub(super) replaces: Option<u64>,
    pub(super) id: u64,
    pub(super) owner: UpstreamId,
}

/// Keeps what it is given. Dropped, it finishes writing first.
#[derive(Debug)]
pub(super) struct Store {
    queue: Option<SyncSender<Entry>>,
    writer: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens the file in a folder, and reads what is in it, the oldest first.
    pub(super) fn open(folder: &Path) -> anyhow::Result<(Self, Vec<Entry>)> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let path = folder.join("pins.redb");
        let database = Database::create(&path).with_context(|| path.display().to_string())?;
        let entries = read(&database).with_context(|| path.display().to_string())?;
        let (queue, queued) = sync_channel(BACKLOG);
        let writer = std::thread::Builder::new()
            .name("affinity".to_owned())
            .spawn(move || write_all(&database, &queued))?;
        let store = Self {
            queue: Some(queue),
            writer: Some(writer),
        };
        Ok((store, entries))
    }

    pub(super) fn keep(&self, entry: Entry) {
        if let Some(queue) = &self.queue
            && queue.try_send(entry).is_err()
        {
            tracing::debug!("a pin is not kept beyond this process: the disk does not keep up");
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// What is there. An id is there twice if the backlog lost a pin, or an older version wrote it: the later one counts.
fn read(database: &Database) -> anyhow::Result<Vec<Entry>> {
    // A table that nobody has written to does not exist.
    let transaction = database.begin_write()?;
    transaction.open_table(OWNERS)?;
    transaction.commit()?;
    let table = database.begin_read()?.open_table(OWNERS)?;
    let mut entries = Vec::new();
    for row in table.iter()? {
        let (number, value) = row?;
        let (id, owner) = value.value();
        entries.push(Entry {
            number: number.value(),
            replaces: None,
            id,
            owner: owner.into(),
        });
    }
    Ok(entries)
}

fn write_all(database: &Database, queued: &Receiver<Entry>) {
    while let Ok(first) = queued.recv() {
        let batch: Vec<Entry> = std::iter::once(first)
            .chain(queued.try_iter().take(BATCH))
            .collect();
        if let Err(error) = write(database, &batch) {
            tracing::warn!("pins cannot be written: {error:#}");
        }
    }
}

fn write(database: &Database, batch: &[Entry]) -> anyhow::Result<()> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(OWNERS)?;
        for entry in batch {
            if let Some(before) = entry.replaces {
                table.remove(before)?;
            }
            table.insert(entry.number, (entry.id, entry.owner.as_ref()))?;
        }
        while table.len()? > MOST as u64 {
            table.pop_first()?;
        }
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Entry, Store};

    #[test]
    fn what_was_wanted_again_is_read_last_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path()).unwrap();
        for (number, replaces, id) in [(0, None, 70), (1, None, 71), (2, Some(0), 70)] {
            store.keep(Entry {
                number,
                replaces,
                id,
                owner: "first".into(),
            });
        }
        drop(store);
        let (_store, entries) = Store::open(folder.path()).unwrap();
        let read: Vec<(u64, u64)> = entries
            .iter()
            .map(|entry| (entry.number, entry.id))
            .collect();
        assert_eq!(read, [(1, 71), (2, 70)]);
    }
}
