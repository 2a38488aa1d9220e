//! A replica: the program as its users start it.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use backstop::config::process_environment;
use backstop::simulator::Simulator;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// A running replica; it ends when this is dropped.
pub(crate) struct Replica {
    port: u16,
    admin: u16,
    _child: Child,
    _folder: TempDir,
}

impl Replica {
    /// Starts one in front of two upstreams. The environment's `BACKSTOP` names another build of the program.
    pub(crate) async fn start(
        number: usize,
        one: &Simulator,
        two: &Simulator,
        redis: Option<&str>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, admin) = (free_port(), free_port());
        let shared = redis.map(|url| format!("shared: {{redis: \"{url}\", name: r{number}}}\n"));
        let yaml = format!(
            "listen: 127.0.0.1:{port}\nadmin: {{listen: \"127.0.0.1:{admin}\"}}\ncheck_models: false\n\
             upstreams:\n  one: {{provider: openai-compatible, base_url: \"{}\"}}\n\
             \x20 two: {{provider: openai-compatible, base_url: \"{}\"}}\n\
             routes: [{{models: [\"*\"], candidates: [{{upstream: one}}, {{upstream: two}}]}}]\n\
             clients:\n  - {{name: none, key: key-none}}\n\
             \x20 - {{name: zero, key: key-0, limits: {{requests_per_minute: 600}}}}\n\
             \x20 - {{name: another, key: key-1, limits: {{requests_per_minute: 600}}}}\n{}",
            one.base_url(),
            two.base_url(),
            shared.unwrap_or_default()
        );
        let config = folder.path().join("backstop.yaml");
        std::fs::write(&config, yaml).unwrap();
        let built = env!("CARGO_BIN_EXE_backstop").to_owned();
        let child = Command::new(process_environment("BACKSTOP").unwrap_or(built))
            .args(["serve", "--log", "error", "--config"])
            .arg(&config)
            .arg("--state-dir")
            .arg(folder.path().join("state"))
            .kill_on_drop(true)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let replica = Self {
            port,
            admin,
            _child: child,
            _folder: folder,
        };
        while replica.status().await.is_none() {
            sleep(Duration::from_millis(50)).await;
        }
        replica
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Waits until it is connected, and has heard so many others since then.
    pub(crate) async fn hears(&self, others: usize, since: Instant) {
        loop {
            let status = self.status().await.unwrap_or_default();
            let fleet = &status["fleet"];
            let heard = fleet["replicas"].as_array().map_or(0, |all| {
                all.iter().filter(|one| heard_after(one, since)).count()
            });
            if fleet["connected"] == true && heard >= others {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn status(&self) -> Option<Value> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let url = format!("http://127.0.0.1:{}/api/status", self.admin);
        let answer = client.get(url.parse().unwrap()).await.ok()?;
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        serde_json::from_slice(&body).ok()
    }
}

/// It is told in whole seconds.
fn heard_after(replica: &Value, since: Instant) -> bool {
    let then = jiff::Timestamp::now() - jiff::SignedDuration::try_from(since.elapsed()).unwrap();
    let heard = replica["heard_at"].as_str().unwrap_or_default();
    let heard = heard.parse::<jiff::Timestamp>();
    heard.is_ok_and(|heard| heard.as_second() > then.as_second())
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
