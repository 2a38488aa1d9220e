//! The clients: a process with `OpenAI`'s package for Python.

use std::path::Path;
use std::process::Stdio;

use backstop::simulator::{Script, Simulator};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::install::sdk_folder;

/// The process that asks; it ends when this is dropped.
pub(crate) struct Clients {
    _child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

/// What is asked; see `tests/sdk/situations.py`.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Burst {
    pub(crate) requests: usize,
    pub(crate) at_a_time: usize,
    pub(crate) stream: bool,
    /// How often the package itself tries again.
    pub(crate) retries: u32,
    /// How many seconds a client waits; `None`: the package's default of 600.
    pub(crate) patience: Option<u32>,
    /// Whether it says so.
    pub(crate) tells: bool,
}

/// How one request ended.
#[derive(Debug, Deserialize)]
pub(crate) struct Ended {
    /// `ok`, or what the client saw instead.
    pub(crate) ended: String,
    pub(crate) seconds: f64,
}

impl Burst {
    /// Forty whole answers, four at a time, by clients with the package's own patience.
    pub(crate) const FOUR_AT_A_TIME: Self = Self {
        requests: 40,
        at_a_time: 4,
        stream: false,
        retries: 0,
        patience: None,
        tells: true,
    };
}

impl Clients {
    /// Starts it, and lets it ask once in each way: the package loads parts of itself only then, and that takes time.
    pub(crate) async fn start(python: &Path) -> Self {
        let mut clients = Self::spawn(python);
        let simulator = Simulator::start("warm-up", Script::healthy())
            .await
            .unwrap();
        for stream in [false, true] {
            let burst = Burst {
                requests: 1,
                stream,
                ..Burst::FOUR_AT_A_TIME
            };
            clients.ask(&simulator.base_url(), &burst).await;
        }
        clients
    }

    fn spawn(python: &Path) -> Self {
        let mut child = Command::new(python)
            .arg("-B")
            .arg(sdk_folder().join("situations.py"))
            .env_clear()
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()).lines(),
            _child: child,
        }
    }

    /// Asks, and tells how each request ended, in the order in which they began.
    pub(crate) async fn ask(&mut self, base_url: &str, burst: &Burst) -> Vec<Ended> {
        let mut line = json!(burst);
        line["base_url"] = base_url.into();
        let line = format!("{line}\n");
        self.stdin.write_all(line.as_bytes()).await.unwrap();
        let answer = self.stdout.next_line().await.unwrap();
        serde_json::from_str(&answer.expect("the clients have failed")).unwrap()
    }
}
