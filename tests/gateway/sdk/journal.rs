//! An upstream that answers as instructed and keeps a journal, and how journals are compared.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::install::sdk_folder;
use crate::harness::within;

// These may differ between a request that was sent directly and one that went through the gateway, and nothing else.

/// Each connection has its own.
const OF_THE_CONNECTION: [&str; 4] = ["host", "connection", "content-length", "transfer-encoding"];
/// The gateway puts its own key in their place.
const CREDENTIALS: [&str; 2] = ["authorization", "x-api-key"];
/// The gateway reads answers, if only for the ids in them, and needs them uncompressed.
const PLAIN: &str = "accept-encoding";
/// Node's fetch calls itself a browser. What a browser tells about itself does not go upstream.
const OF_BROWSERS: &str = "sec-fetch-";

/// The upstream, a program of its own.
pub(super) struct Recorder {
    pub(super) port: u16,
    child: Child,
    lines: JoinHandle<Vec<String>>,
}

/// A request as it arrived.
#[derive(Debug, Deserialize)]
pub(super) struct Received {
    pub(super) method: String,
    target: String,
    headers: Vec<(String, String)>,
    /// A hash.
    body: String,
}

impl Recorder {
    pub(super) async fn start() -> Self {
        let mut child = Command::new("python3")
            .arg("-B")
            .arg(sdk_folder().join("suites/upstream.py"))
            .kill_on_drop(true)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = within(lines.next_line()).await.unwrap().expect("a port");
        let lines = tokio::spawn(async move {
            let mut journal = Vec::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                journal.push(line);
            }
            journal
        });
        Self {
            port: port.parse().unwrap(),
            child,
            lines,
        }
    }

    /// Ends it, and returns what it has received.
    pub(super) async fn journal(mut self) -> Vec<Received> {
        self.child.kill().await.unwrap();
        let lines = within(self.lines).await.unwrap();
        lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Received {
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or("")
    }

    /// All that must be the same, however the request came.
    fn essence(&self) -> String {
        let mut text = format!("{} {}", self.method, self.target);
        for (name, value) in &self.headers {
            let name = name.as_str();
            let is_about_sender = OF_THE_CONNECTION.contains(&name)
                || CREDENTIALS.contains(&name)
                || name.starts_with(OF_BROWSERS);
            if is_about_sender || name == PLAIN {
                continue;
            }
            text += &format!("\n  {name}: {value}");
        }
        format!("{text}\n  body {}", self.body)
    }

    /// Whether a credential of this request is another than this one.
    fn shows_other_than(&self, key: &str) -> bool {
        let mut credentials = self
            .headers
            .iter()
            .filter(|(name, _)| CREDENTIALS.contains(&name.as_str()));
        credentials.any(|(_, value)| value.strip_prefix("Bearer ").unwrap_or(value) != key)
    }
}

/// Makes sure that what came through the gateway is what came directly, except for requests that the gateway answers
/// itself, and that it came with the gateway's key; returns how many requests that were.
pub(super) fn compare(
    direct: &[Received],
    through: &[Received],
    key: &str,
    is_own: fn(&Received) -> bool,
) -> usize {
    let mut counts: BTreeMap<String, i32> = BTreeMap::new();
    for request in direct.iter().filter(|request| !is_own(request)) {
        *counts.entry(request.essence()).or_default() += 1;
    }
    for request in through {
        assert!(!request.shows_other_than(key), "{request:?}");
        *counts.entry(request.essence()).or_default() -= 1;
    }
    counts.retain(|_, count| *count != 0);
    let different: Vec<String> = counts
        .iter()
        .map(|(request, count)| format!("{count:+} {request}"))
        .collect();
    assert!(
        different.is_empty(),
        "{} kinds of request differ (+ did not arrive through the gateway, - only there):\n{}",
        different.len(),
        different[..different.len().min(10)].join("\n")
    );
    through.len()
}
