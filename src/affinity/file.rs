//! The affinity file: opened, checked, read and written, and moved aside if it is damaged.

use std::fs;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{
    Database, Error, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
};
use thiserror::Error;

use super::known::{Entry, MOST};

/// The row number; the fingerprint of an id, and the name of its owner. The row that was used last has the highest
/// number.
const OWNERS: TableDefinition<'_, u64, (u64, &str)> = TableDefinition::new("affinity");
const NAME: &str = "affinity.redb";
/// How many damaged files are kept for an investigation.
const KEPT: usize = 3;

/// Why a file cannot be used.
#[derive(Debug, Error)]
pub(super) enum Trouble {
    /// Its content is invalid.
    #[error("it is damaged: {0}")]
    Damage(String),
    /// It is held by another process, or the system does not let us read or write it; that may be temporary.
    #[error("{0}")]
    Obstacle(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Io(error) => match error.kind() {
                ErrorKind::InvalidData | ErrorKind::UnexpectedEof | ErrorKind::IsADirectory => {
                    Self::Damage(text)
                }
                _ => Self::Obstacle(text),
            },
            Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => {
                Self::Obstacle("another process uses it".to_owned())
            }
            // These follow an error that was already reported; reopening the file clears them.
            Error::PreviousIo | Error::LockPoisoned(_) | Error::DatabaseClosed => {
                Self::Obstacle(text)
            }
            _ => Self::Damage(text),
        }
    }
}

/// An open file.
#[derive(Debug)]
pub(super) struct AffinityFile(Option<Database>);

impl AffinityFile {
    /// Opens the file in a folder and reads its entries, the oldest first. Both are created if they do not exist. A
    /// damaged file is moved aside, and a new one is created.
    pub(super) fn open(folder: &Path) -> Result<(Self, Vec<Entry>), Trouble> {
        let obstacle = |error: std::io::Error| Trouble::Obstacle(error.to_string());
        fs::create_dir_all(folder).map_err(obstacle)?;
        let path = folder.join(NAME);
        match open_or_begin(&path) {
            Err(Trouble::Damage(damage)) => {
                move_aside(&path, &damage).map_err(obstacle)?;
                open_or_begin(&path)
            }
            opened => opened,
        }
    }

    /// Writes some entries in one transaction.
    pub(super) fn write(&mut self, batch: &[Entry]) -> Result<(), Trouble> {
        self.guarded(|database| {
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
        &mut self,
        affinity: impl Iterator<Item = Vec<Entry>>,
    ) -> Result<(), Trouble> {
        self.guarded(|database| {
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

    fn guarded<T>(
        &mut self,
        work: impl FnOnce(&mut Database) -> Result<T, Error>,
    ) -> Result<T, Trouble> {
        let Some(database) = &mut self.0 else {
            return Err(Trouble::Obstacle("it is closed".to_owned()));
        };
        guarded(|| work(database))
    }
}

impl Drop for AffinityFile {
    fn drop(&mut self) {
        let database = self.0.take();
        let _ = guarded(|| {
            drop(database);
            Ok(())
        });
    }
}

/// The database panics on some kinds of damage, and offers no check that does not. After a panic it is not used any
/// more, so no inconsistent state is seen.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Trouble> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Trouble::from),
        Err(_) => Err(Trouble::Damage("reading it panicked".to_owned())),
    }
}

/// Opens a file, or begins one. What is left of one that could not be begun, as on a full disk, would look damaged, so it
/// is removed.
fn open_or_begin(path: &Path) -> Result<(AffinityFile, Vec<Entry>), Trouble> {
    let is_new = !path.exists();
    let opened = open(path);
    if is_new && opened.is_err() {
        let _ = fs::remove_file(path);
    }
    opened
}

fn open(path: &Path) -> Result<(AffinityFile, Vec<Entry>), Trouble> {
    // A directory at this path causes many different errors.
    if path.is_dir() {
        return Err(Trouble::Damage("it is a directory".to_owned()));
    }
    let database = guarded(|| {
        let mut database = Database::create(path)?;
        // A bit flipped on the disk could otherwise change an owner's name.
        database.check_integrity()?;
        Ok(database)
    })?;
    let mut file = AffinityFile(Some(database));
    let entries = file.guarded(|database| read(database))?;
    Ok((file, entries))
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

/// If the limit of damaged files is reached, the last of them is replaced.
fn move_aside(path: &Path, damage: &str) -> std::io::Result<()> {
    let aside = |number: usize| PathBuf::from(format!("{}.damaged-{number}", path.display()));
    let free = (1..=KEPT).map(aside).find(|place| !place.exists());
    let place = free.unwrap_or_else(|| aside(KEPT));
    fs::rename(path, &place)?;
    tracing::warn!(
        file = %path.display(),
        "what was remembered of which upstream created what is lost: the file was damaged ({damage}), so it is now {}, \
         and a new one is begun",
        place.display()
    );
    Ok(())
}
