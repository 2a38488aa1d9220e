//! Watches the files of a configuration, by their content: whatever replaces them, and on whatever file system.
//!
//! Editors write a new file and rename it, Kubernetes turns a symbolic link, and network file systems tell nobody of
//! changes. Reading some small files twice a second notices all of that.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::mem;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::config::{Config, ReloadWhen};

/// How often to look. What has changed must be the same at the next look, so that no half-written file is taken.
const LOOK: Duration = Duration::from_millis(500);

/// What the files held: `None` for one that is not there, or no regular file. A pipe could be read only once.
pub(super) type Contents = Vec<Option<u64>>;

/// The files of a configuration, and what they held when they were last read.
pub(super) struct Watch {
    /// The configuration's own file comes first.
    files: Vec<PathBuf>,
    read: Contents,
    /// What the last look found, if it was something new.
    found: Option<Contents>,
    when: ReloadWhen,
}

impl Watch {
    /// Begins before the file is read for the first time.
    pub(super) fn begin(file: PathBuf) -> Self {
        let files = vec![file];
        Self {
            read: contents(&files),
            files,
            found: None,
            when: ReloadWhen::default(),
        }
    }

    /// Finds what the files hold, which may take a while: a network file system may be away.
    pub(super) fn look(&self) -> impl FnOnce() -> Contents + Send + use<> {
        let files = self.files.clone();
        move || contents(&files)
    }

    /// The files held this when they were about to be read, whoever has asked for it.
    pub(super) fn was_read(&mut self, held: Contents) {
        self.read = held;
        self.found = None;
    }

    /// This was read, and is about to be used: its files count from now on.
    pub(super) fn follow(&mut self, config: &Config) {
        self.when = config.reload;
        let others = config.files().into_iter().map(PathBuf::from);
        let files: Vec<PathBuf> = self.files.drain(..1).chain(others).collect();
        // What they held before the configuration was loaded counts: they may have changed since.
        let known = self.files.drain(..).zip(self.read.drain(1..));
        let known: HashMap<PathBuf, Option<u64>> = known.collect();
        let held = |file: &PathBuf| known.get(file).copied().unwrap_or_else(|| content(file));
        self.read.extend(files[1..].iter().map(held));
        self.files = files;
    }

    /// A configuration that could not be used refers to these: it is read again when one of them changes.
    pub(super) fn follow_too(&mut self, files: &[PathBuf]) {
        let new = files.iter().filter(|file| !self.files.contains(file));
        let new: Vec<PathBuf> = new.cloned().collect();
        self.read.extend(contents(&new));
        self.files.extend(new);
    }

    /// Waits until the files hold something else than when they were last read.
    pub(super) async fn changed(&mut self) {
        loop {
            sleep(LOOK).await;
            if self.when == ReloadWhen::OnRequest {
                continue;
            }
            let Ok(now) = spawn_blocking(self.look()).await else {
                continue;
            };
            if self.is_settled(now) {
                return;
            }
        }
    }

    /// Whether this is new, and was found twice.
    fn is_settled(&mut self, now: Contents) -> bool {
        if now == self.read {
            self.found = None;
            return false;
        }
        let before = self.found.replace(now);
        if before != self.found {
            return false;
        }
        let now = self.found.take().unwrap_or_default();
        let before = mem::replace(&mut self.read, now);
        // Without its own file there is no other configuration.
        if let (Some(Some(_)), Some(None)) = (before.first(), self.read.first()) {
            tracing::warn!(
                "{} is gone; the configuration that was read from it stays",
                self.files[0].display()
            );
            return false;
        }
        true
    }
}

fn contents(files: &[PathBuf]) -> Contents {
    files.iter().map(content).collect()
}

fn content(file: &PathBuf) -> Option<u64> {
    let is_file = fs::metadata(file).is_ok_and(|found| found.is_file());
    let bytes = is_file.then(|| fs::read(file).ok()).flatten()?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::time::timeout;

    use super::{Config, Contents, Duration, ReloadWhen, Watch, contents};

    fn watch(folder: &tempfile::TempDir) -> Watch {
        let file = folder.path().join("backstop.yaml");
        fs::write(&file, "one").unwrap();
        Watch::begin(file)
    }

    fn look(watch: &mut Watch) -> bool {
        let now: Contents = contents(&watch.files);
        watch.is_settled(now)
    }

    fn read(watch: &mut Watch) {
        let held = watch.look()();
        watch.was_read(held);
    }

    #[test]
    fn what_is_still_being_written_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = watch(&folder);
        assert!(!look(&mut watch));
        for text in ["o", "on", "ono"] {
            fs::write(&watch.files[0], text).unwrap();
            assert!(!look(&mut watch), "{text}");
        }
        assert!(look(&mut watch), "it is found twice");
        assert!(!look(&mut watch), "it is told once");
        fs::write(&watch.files[0], "two").unwrap();
        assert!(!look(&mut watch));
        read(&mut watch);
        assert!(!look(&mut watch), "somebody else had it read");
    }

    #[test]
    fn a_file_that_is_gone_is_no_configuration_until_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = watch(&folder);
        fs::remove_file(&watch.files[0]).unwrap();
        assert!((0..5).all(|_| !look(&mut watch)));
        fs::write(&watch.files[0], "one").unwrap();
        assert!(!look(&mut watch));
        assert!(look(&mut watch));
    }

    #[test]
    fn what_a_wrong_configuration_lacks_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = watch(&folder);
        let missing = folder.path().join("secret");
        read(&mut watch);
        watch.follow_too(&[missing.clone(), missing.clone()]);
        assert!((0..5).all(|_| !look(&mut watch)));
        fs::write(&missing, "key").unwrap();
        assert!(!look(&mut watch));
        assert!(look(&mut watch));
    }

    #[tokio::test(start_paused = true)]
    async fn without_being_asked_nothing_is_read_unless_that_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = watch(&folder);
        fs::write(&watch.files[0], "two").unwrap();
        let hour = Duration::from_secs(3600);
        let mut config = Config::default();
        config.reload = ReloadWhen::OnRequest;
        watch.follow(&config);
        assert!(timeout(hour, watch.changed()).await.is_err());
        watch.follow(&Config::default());
        watch.changed().await;
    }

    #[test]
    fn a_link_that_is_turned_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for version in ["1", "2"] {
            fs::create_dir(place(version)).unwrap();
            fs::write(place(version).join("backstop.yaml"), version).unwrap();
        }
        let turn = |version: &str| {
            std::os::unix::fs::symlink(version, place("..new")).unwrap();
            fs::rename(place("..new"), place("..data")).unwrap();
        };
        turn("1");
        std::os::unix::fs::symlink("..data/backstop.yaml", place("backstop.yaml")).unwrap();
        let mut watch = Watch::begin(place("backstop.yaml"));
        assert!(!look(&mut watch));
        turn("2");
        assert!(!look(&mut watch));
        assert!(look(&mut watch));
    }
}
