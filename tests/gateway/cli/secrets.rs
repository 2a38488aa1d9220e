//! Secrets in files, as Docker and Kubernetes mount them: one that changes is used, and no request is lost.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use backstop::simulator::{Script, Simulator};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;

use super::{Running, SERVE, address, backstop};
use crate::harness::{Setup, chat, within};
use crate::load::{Caller, Load};

const NEW: &str = "serving by the new configuration";
const OLD: &str = "the old one stays";

/// A mounted secret: each file is a link through a link to a folder, and that one is turned.
struct Mount {
    folder: TempDir,
    versions: usize,
}

impl Mount {
    fn new(files: &[(&str, &str)]) -> Self {
        let mut mount = Self {
            folder: tempfile::tempdir().unwrap(),
            versions: 0,
        };
        mount.turn(files);
        mount
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// All files in one step.
    fn turn(&mut self, files: &[(&str, &str)]) {
        self.versions += 1;
        let version = format!("..{}", self.versions);
        fs::create_dir(self.path(&version)).unwrap();
        for (name, text) in files {
            fs::write(self.path(&version).join(name), text).unwrap();
            if !self.path(name).is_symlink() {
                symlink(Path::new("..data").join(name), self.path(name)).unwrap();
            }
        }
        symlink(version, self.path("..next")).unwrap();
        fs::rename(self.path("..next"), self.path("..data")).unwrap();
    }

    /// How a text refers to a file.
    fn text(&self, name: &str) -> String {
        format!("${{file:{}}}", self.path(name).display())
    }
}

/// The secrets of a time; `$` stands for it.
fn secrets(time: &str) -> [(&'static str, String); 3] {
    ["key", "client", "admin"].map(|name| (name, format!("{name}-secret-{time}-0123456789\n")))
}

fn secret(name: &str, time: &str) -> String {
    format!("{name}-secret-{time}-0123456789")
}

fn turn(mount: &mut Mount, time: &str) {
    let files = secrets(time);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, &**text)).collect();
    mount.turn(&files);
}

fn yaml(upstream: &Simulator, mount: &Mount, more: &str) -> String {
    let keys = format!(
        "provider: openai-compatible, api_keys: [\"{}\"]",
        mount.text("key")
    );
    let lines = format!(
        "admin: {{token: \"{}\"}}\nclients:\n  - {{name: steady, key: steady-key}}\n  - {{name: other, key: \"{}\"}}\n{more}",
        mount.text("admin"),
        mount.text("client")
    );
    Setup::new()
        .upstream_as(upstream, &keys)
        .lines(&lines)
        .yaml()
}

/// What operators get who put the upstream back with this token.
async fn act(operators: &str, token: &str) -> u16 {
    let http = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::post(format!("http://{operators}/api/upstreams/only/in"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Full::default())
        .unwrap();
    within(http.request(request))
        .await
        .unwrap()
        .status()
        .as_u16()
}

fn last_key(upstream: &Simulator) -> String {
    let received = upstream.received();
    let header = received.last().unwrap().header("authorization").unwrap();
    header.strip_prefix("Bearer ").unwrap().to_owned()
}

/// Only the secrets of this time open anything, and the upstream gets its key.
async fn holds(time: &str, clients: &str, operators: &str, upstream: &Simulator) {
    for asked in ["one", "two"] {
        let client = Caller::new(clients, &secret("client", asked), 0);
        let answered = client.ask(&chat()).await;
        match asked == time {
            true => answered.unwrap(),
            false => assert!(answered.unwrap_err().starts_with("401"), "{asked}"),
        }
        let expected = if asked == time { 200 } else { 401 };
        assert_eq!(act(operators, &secret("admin", asked)).await, expected);
    }
    let _ = within(Caller::new(clients, "steady-key", 0).ask(&chat())).await;
    assert_eq!(last_key(upstream), secret("key", time));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_change_are_used_and_no_request_is_lost() {
    let upstream = Simulator::start("only", Script::healthy()).await.unwrap();
    let mut mount = Mount::new(&[]);
    turn(&mut mount, "one");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backstop.yaml");
    fs::write(&file, yaml(&upstream, &mount, "")).unwrap();
    let mut running = Running::start(backstop(folder.path(), &SERVE));
    let clients = address(&running.logged("OPENAI_BASE_URL=http://").await);
    let operators = address(&running.logged("serving operators: http://").await);
    holds("one", &clients, &operators, &upstream).await;

    let load = Load::start(&clients, "steady-key", &[0, 1]);
    turn(&mut mount, "two");
    let mut log = running.log_until(NEW).await;
    let after = upstream.received_count();
    upstream.wait_received(after + 20).await;
    let _ = load.end().await;
    holds("two", &clients, &operators, &upstream).await;

    // What is wrong changes nothing, and names the file and the key that needs it.
    let emptied = [("key", "\n"), ("client", "x"), ("admin", "x")];
    mount.turn(&emptied);
    let problem = running.logged(OLD).await;
    let shown = mount.path("key").display().to_string();
    for part in ["upstreams.only.api_keys[0]", &shown, "is empty"] {
        assert!(problem.contains(part), "{part}: {problem}");
    }
    holds("two", &clients, &operators, &upstream).await;
    turn(&mut mount, "one");
    log += &running.log_until(NEW).await;
    holds("one", &clients, &operators, &upstream).await;

    // A file that is still missing is waited for.
    let late = format!("notify: [{{url: \"{}\"}}]", mount.text("hook"));
    fs::write(&file, yaml(&upstream, &mount, &late)).unwrap();
    let problem = running.logged(OLD).await;
    assert!(problem.contains("notify[0].url"), "{problem}");
    fs::write(
        mount.path("hook"),
        format!("{}/hook\n", upstream.base_url()),
    )
    .unwrap();
    log += &running.log_until(NEW).await;
    running.signal("-TERM").await;
    log += &running.log_until("\"message\":\"stopped\"").await;
    assert!(!log.contains("-secret-"), "{log}");
}
