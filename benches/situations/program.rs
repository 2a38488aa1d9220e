//! The program under test, as its users start it.

use std::path::Path;
use std::process::Stdio;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running backstop; it ends when this is dropped.
pub(crate) struct Backstop {
    _child: Child,
    /// What clients are given.
    pub(crate) base_url: String,
    metrics: String,
}

impl Backstop {
    /// Starts it with this configuration and files in this folder.
    pub(crate) async fn start(folder: &Path, yaml: &str) -> Self {
        let config = folder.join("backstop.yaml");
        std::fs::write(&config, yaml).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_backstop"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(["--admin-listen", "127.0.0.1:0", "--config"])
            .arg(&config)
            .arg("--state-dir")
            .arg(folder.join("state"))
            .env_clear()
            .kill_on_drop(true)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut urls = Vec::new();
        let mut said = String::new();
        while urls.len() < 2 {
            let line = log.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("backstop does not start:\n{said}"));
            urls.extend(line.find("http://").map(|at| url(&line[at..])));
            said += &line;
        }
        // Whoever logs must be read.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        let metrics = urls.pop().unwrap();
        Self {
            _child: child,
            base_url: urls.pop().unwrap(),
            metrics,
        }
    }

    /// How many attempts it says to have made.
    pub(crate) async fn attempts(&self) -> usize {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let answer = client.get(self.metrics.parse().unwrap()).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        text.lines()
            .filter(|line| line.starts_with("backstop_attempts_total{"))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
            .sum()
    }
}

/// The URL with which a text begins.
fn url(text: &str) -> String {
    let is_of_url = |letter: &char| letter.is_ascii_alphanumeric() || ":/._-".contains(*letter);
    text.chars().take_while(is_of_url).collect()
}
