//! A real Prometheus that scrapes gateways every second, with our rules sped up.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::harness::{RealPace, fetch, within};

/// How much faster than in `deploy/rules.yml` time passes: windows, offsets and `for` of minutes are seconds here. With the
/// real ones, the test would take hours. Prices of a share, such as 14.4 times a budget, stay.
const FASTER: u64 = 30;
/// How often it is asked before it is given up.
const TRIES: usize = 400;

/// It ends when it is dropped.
pub(crate) struct Prometheus {
    _child: Child,
    _folder: TempDir,
    _pace: RealPace,
    address: String,
}

pub(super) fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

impl Prometheus {
    /// Watches operators' addresses, each under a name of its own in the label `instance`.
    pub(crate) async fn watching(targets: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rules = fs::read_to_string(root("deploy/rules.yml")).unwrap();
        fs::write(folder.path().join("rules.yml"), sped_up(&rules)).unwrap();
        let mut config = String::from(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n\
             rule_files: [rules.yml]\n\
             scrape_configs:\n- job_name: backstop\n  static_configs:\n",
        );
        for (name, target) in targets {
            let _ = writeln!(
                config,
                "  - {{targets: [\"{target}\"], labels: {{instance: {name}}}}}"
            );
        }
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).unwrap();
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("prometheus: {error}; these tests need it: apt-get install prometheus")
            });
        let pace = RealPace::keep();
        let address = within(said_address(&mut child)).await;
        let prometheus = Self {
            _child: child,
            _folder: folder,
            _pace: pace,
            address,
        };
        // It listens a little before it answers.
        while prometheus.get("/-/ready").await.0 != 200 {
            sleep(Duration::from_millis(100)).await;
        }
        prometheus
    }

    /// What a query finds now: the labels and the value of each series.
    pub(crate) async fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let query_text = utf8_percent_encode(query, NON_ALPHANUMERIC);
        let path = format!("/api/v1/query?query={query_text}");
        let (status, answer) = self.get(&path).await;
        let answer: Value = serde_json::from_slice(&answer)
            .unwrap_or_else(|error| panic!("{query}: {status}, {error}: {answer:?}"));
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let series = answer["data"]["result"].as_array().unwrap();
        let series = series.iter().map(|series| {
            let value = series["value"][1].as_str().unwrap();
            (series["metric"].clone(), value.parse().unwrap())
        });
        series.collect()
    }

    /// Asks until what is found fits.
    pub(crate) async fn until(&self, query: &str, fits: impl Fn(&[(Value, f64)]) -> bool) {
        let mut found = Vec::new();
        for _ in 0..TRIES {
            found = self.query(query).await;
            if fits(&found) {
                return;
            }
            sleep(Duration::from_millis(250)).await;
        }
        panic!("{query} finds {found:#?}");
    }

    /// Waits until these alerts fire about a gateway, and no others.
    pub(crate) async fn until_alerts(&self, instance: &str, expected: &[&str]) {
        let query = format!("ALERTS{{alertstate=\"firing\",instance=\"{instance}\"}}");
        self.until(&query, |found| {
            names(found) == expected.iter().copied().collect()
        })
        .await;
    }

    /// All alerts that have ever fired about a gateway.
    pub(crate) async fn alerts_so_far(&self, instance: &str) -> Vec<String> {
        let query =
            format!("count_over_time(ALERTS{{alertstate=\"firing\",instance=\"{instance}\"}}[1h])");
        let found = self.query(&query).await;
        names(&found).into_iter().map(str::to_owned).collect()
    }

    async fn get(&self, path: &str) -> (u16, Bytes) {
        fetch(&format!("http://{}{path}", self.address)).await
    }
}

fn names(alerts: &[(Value, f64)]) -> BTreeSet<&str> {
    let names = alerts
        .iter()
        .map(|(labels, _)| labels["alertname"].as_str());
    names.map(Option::unwrap).collect()
}

/// The address that it says it listens on; the rest of its log is read and dropped.
async fn said_address(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut log = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some((_, address)) = line.split_once("\"Listening on\" address=") {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return address.to_owned();
        }
        log.push(line);
    }
    panic!("prometheus has ended: {log:#?}");
}

/// The rules with all durations divided: those in brackets, behind `offset`, `for:` and `keep_firing_for:`.
fn sped_up(rules: &str) -> String {
    let mut text = rules.to_owned();
    for start in ["[", "offset ", "for: "] {
        let mut parts = text.split(start);
        let mut faster = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            faster += start;
            let digits = part.chars().take_while(char::is_ascii_digit).count();
            let (number, rest) = part.split_at(digits);
            let unit = rest.chars().next().unwrap_or_default();
            let seconds = match unit {
                's' => 1,
                'm' => 60,
                'h' => 3600,
                'd' => 86400,
                _ => 0,
            };
            match number.parse::<u64>() {
                Ok(number) if seconds > 0 => {
                    let time = (number * seconds / FASTER).max(1);
                    let _ = write!(faster, "{time}s");
                    faster += &rest[1..];
                }
                _ => faster += part,
            }
        }
        text = faster;
    }
    text
}

#[test]
fn the_rules_are_sped_up() {
    let rules = "rate(x[5m]) > rate(x[1h] offset 10m)\nfor: 30s\nkeep_firing_for: 5m\nsummary: for: me [a5m]";
    let expected = "rate(x[10s]) > rate(x[120s] offset 20s)\nfor: 1s\nkeep_firing_for: 10s\nsummary: for: me [a5m]";
    assert_eq!(sped_up(rules), expected);
}
