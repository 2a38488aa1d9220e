//! What the program tells: at its operators' address, and in its log.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{BufReader, Lines};
use tokio::process::ChildStderr;
use tokio::time::sleep;

use crate::harness::{fetch, within};

/// Where it is told.
pub(super) struct Told {
    admin: String,
    log: Arc<Mutex<Vec<Value>>>,
}

impl Told {
    /// Reads the log from now on.
    pub(super) fn new(admin: &str, mut lines: Lines<BufReader<ChildStderr>>) -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let read = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let line = serde_json::from_str(&line).expect("a JSON object on each line");
                read.lock().unwrap().push(line);
            }
        });
        Self {
            admin: admin.to_owned(),
            log,
        }
    }

    /// The sum of all series of a metric with these labels.
    pub(super) async fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let text = self.get("/metrics").await;
        let lines = text
            .lines()
            .filter(|line| line.starts_with(&format!("{name}{{")));
        let lines = lines.filter(|line| labels.iter().all(|label| line.contains(label)));
        let values = lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap());
        values.sum::<f64>() as u64
    }

    /// What clients had within 24 hours.
    pub(super) async fn of_clients(&self) -> Value {
        self.json("/api/availability").await["clients"]["24h"].take()
    }

    /// How an upstream did within 24 hours.
    pub(super) async fn of_upstream(&self, name: &str) -> Value {
        let mut said = self.json("/api/availability").await;
        let mut upstreams = said["upstreams"].as_array_mut().unwrap().iter_mut();
        upstreams.find(|it| it["name"] == name).unwrap()["windows"]["24h"].take()
    }

    pub(super) async fn incidents(&self) -> Vec<Value> {
        let mut said = self.json("/api/incidents").await;
        serde_json::from_value(said["incidents"].take()).unwrap()
    }

    /// The state of an upstream.
    pub(super) async fn state_of(&self, name: &str) -> String {
        let said = self.json("/api/status").await;
        let mut upstreams = said["upstreams"].as_array().unwrap().iter();
        let upstream = upstreams.find(|it| it["name"] == name).unwrap();
        upstream["state"].as_str().unwrap().to_owned()
    }

    /// Waits until the log has a line for so many requests with this result.
    pub(super) async fn logs(&self, result: &str, count: u64) {
        let is_it = |line: &&Value| line["result"] == result && line["level"] == "INFO";
        let lines = || self.log.lock().unwrap().iter().filter(is_it).count() as u64;
        within(async {
            while lines() < count {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        assert_eq!(lines(), count, "{result}");
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await).unwrap()
    }

    async fn get(&self, path: &str) -> String {
        let (status, body) = fetch(&format!("http://{}{path}", self.admin)).await;
        assert_eq!(status, 200, "{path}: {body:?}");
        String::from_utf8(body.to_vec()).unwrap()
    }
}
