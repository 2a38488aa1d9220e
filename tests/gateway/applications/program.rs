//! Running a program as its user would, but with a home and an environment of its own.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::harness::RealPace;

/// As long may a program run; they all answer within seconds, but for the first start after their installation.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program that reaches nobody but this machine.
pub(crate) struct Program {
    command: Command,
    home: Arc<TempDir>,
}

impl Program {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self::at_home(&Arc::new(tempfile::tempdir().unwrap()), program)
    }

    /// In a home where it finds what its earlier runs have left.
    pub(super) fn at_home(home: &Arc<TempDir>, program: impl AsRef<OsStr>) -> Self {
        let home = Arc::clone(home);
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", home.path())
            .env("NO_PROXY", "127.0.0.1")
            .current_dir(home.path())
            .kill_on_drop(true)
            .stdin(Stdio::null());
        // Nobody listens there.
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            command.env(proxy, "http://127.0.0.1:1");
        }
        Self { command, home }
    }

    /// With these arguments behind the others.
    pub(crate) fn with<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// With a file in its home.
    pub(super) fn file(self, path: impl AsRef<Path>, text: &str) -> Self {
        let path = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Runs it to a successful end; returns its output.
    pub(crate) async fn run(mut self) -> String {
        let _pace = RealPace::keep();
        let output = tokio::time::timeout(PATIENCE, self.command.output())
            .await
            .unwrap_or_else(|_| panic!("{:?} does not end", self.command))
            .unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{:?}\n{printed}\n{}",
            self.command,
            String::from_utf8_lossy(&output.stderr)
        );
        printed
    }
}
