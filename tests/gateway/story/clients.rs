//! Clients that use the official package, and count what they get.

use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::harness::within;
use crate::sdk::install::{PYTHON, install_python, sdk_folder};

/// What became of requests.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Counts {
    pub(super) answered: u64,
    pub(super) rejected: u64,
    pub(super) failed: u64,
}

/// A program that asks when it is told to.
pub(super) struct Clients {
    _child: Child,
    orders: ChildStdin,
    results: Lines<BufReader<ChildStdout>>,
    /// All results so far.
    pub(super) counts: Counts,
}

impl Clients {
    pub(super) async fn of(base_url: &str) -> Self {
        let python = install_python(PYTHON).await;
        let mut child = Command::new(python)
            .arg(sdk_folder().join("story.py"))
            .arg(base_url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            orders: child.stdin.take().unwrap(),
            results: BufReader::new(child.stdout.take().unwrap()).lines(),
            counts: Counts::default(),
            _child: child,
        }
    }

    pub(super) async fn ask(&mut self, model: &str, times: usize) {
        let order = format!("{model} {times}\n");
        self.orders.write_all(order.as_bytes()).await.unwrap();
        let result = within(self.results.next_line()).await.unwrap();
        let counts: Counts = serde_json::from_str(&result.expect("a result")).unwrap();
        self.counts.answered += counts.answered;
        self.counts.rejected += counts.rejected;
        self.counts.failed += counts.failed;
    }
}
