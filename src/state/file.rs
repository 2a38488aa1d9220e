//! One file: opened, checked, guarded against the panics of the database, and moved aside if it is damaged.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process;

use redb::{Database, Error};
use thiserror::Error as ThisError;

/// How many damaged files are kept for an investigation.
const KEPT: usize = 3;

/// Why a file cannot be used.
#[derive(Debug, ThisError)]
pub enum Trouble {
    /// Its content is invalid.
    #[error("it is damaged: {0}")]
    Damage(String),
    /// The system does not let us read or write it; that may be temporary.
    #[error("{0}")]
    Obstacle(String),
    /// Another process holds it, such as the one before this one until it has drained.
    #[error("another process uses it")]
    Held,
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
            Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => Self::Held,
            // These follow an error that was already reported; reopening the file clears them.
            Error::PreviousIo | Error::LockPoisoned(_) | Error::DatabaseClosed => {
                Self::Obstacle(text)
            }
            _ => Self::Damage(text),
        }
    }
}

/// What tells one file in the folder from others.
#[derive(Clone, Copy, Debug)]
pub struct FileKind {
    /// Its name.
    pub name: &'static str,
    /// What is lost with it, as the beginning of a sentence.
    pub content: &'static str,
    /// How much of it may be held in memory, in bytes.
    pub cache: usize,
}

/// An open file.
#[derive(Debug)]
pub struct StateFile {
    database: Option<Database>,
    path: PathBuf,
    /// What the path led to when it was opened.
    identity: Option<Identity>,
}

/// The device and the number of a file.
type Identity = (u64, u64);

impl StateFile {
    /// Opens the file in a folder and reads what `read` does, which also makes the tables that are missing. Both are
    /// created if they do not exist. A damaged file is moved aside, and a new one is created.
    pub fn open<T>(
        folder: &Path,
        kind: FileKind,
        read: fn(&Database) -> Result<T, Error>,
    ) -> Result<(Self, T), Trouble> {
        let obstacle = |error: std::io::Error| Trouble::Obstacle(error.to_string());
        begin_folder(folder).map_err(obstacle)?;
        let path = folder.join(kind.name);
        match open_or_begin(&path, kind, read) {
            Err(Trouble::Damage(damage)) => {
                move_aside(&path, kind, &damage).map_err(obstacle)?;
                open_or_begin(&path, kind, read)
            }
            opened => opened,
        }
    }

    /// Reads a file that another process holds and may be writing: from a copy of it. A copy that was taken while it was
    /// written is found damaged, and has to be taken again.
    pub fn read_along<T>(
        folder: &Path,
        kind: FileKind,
        read: fn(&Database) -> Result<T, Error>,
    ) -> Result<T, Trouble> {
        let obstacle = |error: std::io::Error| Trouble::Obstacle(error.to_string());
        let copy = folder.join(format!("{}.copy-{}", kind.name, process::id()));
        let copied = fs::copy(folder.join(kind.name), &copy).map_err(obstacle);
        let content = copied.and_then(|_| open(&copy, kind, read));
        let _ = fs::remove_file(&copy);
        content.map(|(_, content)| content)
    }

    /// Writes to it, unless somebody has removed or replaced it: whatever is written then would be lost.
    pub fn written<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Error>,
    ) -> Result<T, Trouble> {
        if identity(&self.path) != self.identity {
            let reason = format!("{} was removed or replaced", self.path.display());
            return Err(Trouble::Obstacle(reason));
        }
        self.guarded(work)
    }

    /// Works on it. After a panic or an error of the system it has to be opened again.
    pub fn guarded<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Error>,
    ) -> Result<T, Trouble> {
        let Some(database) = &self.database else {
            return Err(Trouble::Obstacle("it is closed".to_owned()));
        };
        guarded(|| work(database))
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        let database = self.database.take();
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

/// Makes the folder, if there is none. Who the clients are, and what they use, is nothing for other users of the machine.
fn begin_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)
}

/// Opens a file, or begins one. What is left of one that could not be begun, as on a full disk, would look damaged, so it
/// is removed. A link that leads nowhere, or what cannot be looked at, is not ours to remove.
fn open_or_begin<T>(
    path: &Path,
    kind: FileKind,
    read: fn(&Database) -> Result<T, Error>,
) -> Result<(StateFile, T), Trouble> {
    let found = fs::symlink_metadata(path);
    let is_new = found.is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let opened = open(path, kind, read);
    if is_new && opened.is_err() {
        let _ = fs::remove_file(path);
    }
    opened
}

fn open<T>(
    path: &Path,
    kind: FileKind,
    read: fn(&Database) -> Result<T, Error>,
) -> Result<(StateFile, T), Trouble> {
    // A directory at this path causes many different errors.
    if path.is_dir() {
        return Err(Trouble::Damage("it is a directory".to_owned()));
    }
    let database = guarded(|| {
        let mut database = Database::builder()
            .set_cache_size(kind.cache)
            .create(path)?;
        // A bit flipped on the disk could otherwise change what is read.
        database.check_integrity()?;
        Ok(database)
    })?;
    let file = StateFile {
        database: Some(database),
        path: path.to_owned(),
        identity: identity(path),
    };
    let content = file.guarded(read)?;
    Ok((file, content))
}

fn identity(path: &Path) -> Option<Identity> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// If the limit of damaged files is reached, the last of them is replaced.
fn move_aside(path: &Path, kind: FileKind, damage: &str) -> std::io::Result<()> {
    let aside = |number: usize| PathBuf::from(format!("{}.damaged-{number}", path.display()));
    let free = (1..=KEPT).map(aside).find(|place| !place.exists());
    let place = free.unwrap_or_else(|| aside(KEPT));
    fs::rename(path, &place)?;
    tracing::warn!(
        file = %path.display(),
        "{} is lost: the file was damaged ({damage}), so it is now {}, and a new one is begun",
        kind.content,
        place.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::{FileKind, StateFile};

    #[test]
    fn a_folder_that_is_made_for_it_is_open_to_nobody_else_and_another_one_stays_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(home.path(), open).unwrap();
        let kind = FileKind {
            name: "it.redb",
            content: "it",
            cache: 0,
        };
        let folder = home.path().join("state");
        StateFile::open(&folder, kind, |_| Ok(())).unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.as_path()), 0o700);
        StateFile::open(home.path(), kind, |_| Ok(())).unwrap();
        assert_eq!(mode(home.path()), 0o755);
    }
}
