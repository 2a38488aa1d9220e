//! The affinity file: its entries, read and written.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use redb::{
    Database, Error, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
};

use super::known::{Entry, MOST};
use crate::state::{FileKind, StateFile, Trouble};

/// The row number; the fingerprint of an id, and the name of its owner. The row that was used last has the highest
/// number.
const OWNERS: TableDefinition<'_, u64, (u64, &str)> = TableDefinition::new("affinity");
const KIND: FileKind = FileKind {
    name: "affinity.redb",
    content: "what was remembered of which upstream created what",
    cache: 16 << 20,
};

/// An open file.
#[derive(Debug)]
pub(super) struct AffinityFile(StateFile);

impl AffinityFile {
    /// Opens the file in a folder and reads its entries, the oldest first.
    pub(super) fn open(folder: &Path) -> Result<(Self, Vec<Entry>), Trouble> {
        let (file, entries) = StateFile::open(folder, KIND, read)?;
        Ok((Self(file), entries))
    }

    /// Reads the entries of a file that another process holds.
    pub(super) fn read_along(folder: &Path) -> Result<Vec<Entry>, Trouble> {
        StateFile::read_along(folder, KIND, read)
    }

    /// When it was last written, as far as the system knows.
    pub(super) fn written_at(folder: &Path) -> Option<SystemTime> {
        let found = fs::metadata(folder.join(KIND.name)).ok()?;
        found.modified().ok()
    }

    /// Writes some entries in one transaction.
    pub(super) fn write(&self, batch: &[Entry]) -> Result<(), Trouble> {
        self.0.written(|database| {
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
        })
    }

    /// Replaces the content of the file by these entries, in one transaction.
    pub(super) fn replace(
        &self,
        affinity: impl Iterator<Item = Vec<Entry>>,
    ) -> Result<(), Trouble> {
        self.0.written(|database| {
            let transaction = database.begin_write()?;
            transaction.delete_table(OWNERS)?;
            {
                let mut table = transaction.open_table(OWNERS)?;
                for entry in affinity.flatten() {
                    table.insert(entry.number, (entry.id, entry.owner.as_ref()))?;
                }
            }
            transaction.commit()?;
            Ok(())
        })
    }
}

/// Reads all entries. An id occurs twice if the backlog lost an entry, or an older version wrote it: the later one
/// counts.
fn read(database: &Database) -> Result<Vec<Entry>, Error> {
    // A table that was never written does not exist.
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
