//! The program as its users start it.

mod checking;
mod demo;
mod importing;
mod manual;
mod restart;
mod secrets;
mod watching;

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use backstop::simulator::{Fault, Script, Simulator};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::harness::{Setup, chat, chat_stream, two_upstreams};
use crate::tls::Identity;

/// The program uses the real clock of this machine, which may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a client waits for.
type Asking = JoinHandle<<ResponseFuture as Future>::Output>;

/// Addresses that no other test uses.
pub(crate) const SERVE: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];

/// The program in a folder of its own, without any environment variable except the path.
pub(crate) fn backstop(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
    command
        .args(arguments)
        .env_clear()
        .current_dir(folder)
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) async fn finish(mut command: Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = tokio::time::timeout(PATIENCE, command.output())
        .await
        .unwrap()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// A program that keeps running, and its output.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// `None`: it writes there for nobody.
    stdout: Option<Lines<BufReader<ChildStdout>>>,
    pub(crate) stderr: Lines<BufReader<ChildStderr>>,
    /// The clients' address, once it is known.
    clients: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        Self {
            stdout: child
                .stdout
                .take()
                .map(|stdout| BufReader::new(stdout).lines()),
            stderr: BufReader::new(child.stderr.take().unwrap()).lines(),
            clients: String::new(),
            child,
        }
    }

    /// The rest of the first log line that holds `marker`, behind it.
    pub(crate) async fn logged(&mut self, marker: &str) -> String {
        let reading = async {
            while let Some(line) = self.stderr.next_line().await.unwrap() {
                if let Some((_, rest)) = line.split_once(marker) {
                    return rest.to_owned();
                }
            }
            panic!("the log ended without {marker:?}")
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap()
    }

    /// The log up to the line that holds `marker`, without that line.
    pub(crate) async fn log_until(&mut self, marker: &str) -> String {
        let mut before = String::new();
        let reading = async {
            while let Some(line) = self.stderr.next_line().await.unwrap() {
                if line.contains(marker) {
                    return;
                }
                before += &line;
            }
            panic!("the log ended without {marker:?}")
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap();
        before
    }

    pub(crate) async fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        let killing = Command::new("kill").args([signal, &pid]).status();
        assert!(killing.await.unwrap().success());
    }

    async fn terminate(&mut self) -> Option<i32> {
        self.signal("-TERM").await;
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .unwrap()
            .unwrap()
            .code()
    }

    /// Ends it, and returns what it still says.
    async fn last_lines(&mut self) -> String {
        assert_eq!(self.terminate().await, Some(0));
        let mut lines = String::new();
        while let Some(line) = self.stderr.next_line().await.unwrap() {
            lines += &line;
        }
        lines
    }
}

/// The address that follows in a log line.
pub(crate) fn address(rest: &str) -> String {
    rest.split(['/', '"']).next().unwrap().to_owned()
}

#[tokio::test]
async fn without_any_configuration_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, stderr) = finish(backstop(folder.path(), &[])).await;
    assert_eq!(code, Some(78));
    for help in ["OPENAI_API_KEY", "backstop.yaml", "backstop demo"] {
        assert!(stderr.contains(help), "{stderr}");
    }
    assert!(!stderr.contains("backstop.yml"), "{stderr}");
    std::fs::write(folder.path().join("backstop.yml"), "").unwrap();
    let (code, _, stderr) = finish(backstop(folder.path(), &[])).await;
    assert_eq!(code, Some(78));
    assert!(
        stderr.contains("backstop.yml is not looked for"),
        "{stderr}"
    );
}

#[tokio::test]
async fn check_reports_everything_that_is_wrong_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = "\
upstreams:
  openai: {provider: openai, api_key: \"${NO_SUCH_VARIABLE}\", bas_url: x}
routes:
  - models: [gpt-4o]
    candidates: [{upstream: opanai}]
  - models: [gpt-4o]
    candidates: []
timeouts: {connect: 3 parsecs}
";
    std::fs::write(folder.path().join("backstop.yaml"), text).unwrap();
    let (code, _, stderr) = finish(backstop(folder.path(), &["check"])).await;
    assert_eq!(code, Some(78), "{stderr}");
    for problem in [
        "line 2",
        "NO_SUCH_VARIABLE",
        "bas_url",
        "`base_url`",
        "line 5",
        "did you mean `openai`",
        "line 6",
        "line 7",
        "line 8",
        "3 parsecs",
    ] {
        assert!(stderr.contains(problem), "{problem}: {stderr}");
    }
}

#[tokio::test]
async fn check_shows_the_routes_of_a_good_file_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.yaml");
    let text = "\
upstreams:
  openai: {provider: openai, api_key: \"${KEY}\"}
  local: {provider: ollama}
routes:
  - models: [\"gpt-4o\", \"gpt-4o-*\"]
    candidates: [{upstream: openai}, {upstream: local, model: llama3.1}]
";
    std::fs::write(&file, text).unwrap();
    let mut command = backstop(folder.path(), &["check", "--config", "mine.yaml"]);
    command.env("KEY", "sk-a-very-secret-key-9876");
    let (code, stdout, stderr) = finish(command).await;
    assert_eq!(code, Some(0), "{stderr}");
    for shown in [
        "mine.yaml is good",
        "gpt-4o, gpt-4o-*",
        "1. openai",
        "2. local",
        "llama3.1",
        "https://api.openai.com/v1",
        "9876",
    ] {
        assert!(stdout.contains(shown), "{shown}: {stdout}");
    }
    assert!(!stdout.contains("very-secret"), "{stdout}");
}

#[tokio::test]
async fn sighup_reads_the_configuration_again_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backstop.yaml");
    let route = "routes: [{models: [NAME], candidates: [{upstream: local}]}]\n";
    let text = format!("upstreams: {{local: {{provider: ollama}}}}\n{route}");
    std::fs::write(&file, text.replace("NAME", "one")).unwrap();
    let mut running = Running::start(backstop(folder.path(), &SERVE));
    let admin = address(&running.logged("serving operators: http://").await);

    std::fs::write(
        &file,
        text.replace("NAME", "two").replace("local}]", "lokal}]"),
    )
    .unwrap();
    running.signal("-HUP").await;
    let problem = running.logged("the old one stays").await;
    assert!(problem.contains("backstop.yaml"), "{problem}");

    std::fs::write(&file, text.replace("NAME", "two")).unwrap();
    running.signal("-HUP").await;
    running.logged("serving by the new configuration").await;
    let explain = |model: &str| {
        let arguments = ["explain", "--admin-listen", &admin, "--model", model];
        finish(backstop(folder.path(), &arguments))
    };
    let (code, stdout, _) = explain("two").await;
    assert_eq!(code, Some(0), "{stdout}");
    assert_ne!(explain("one").await.0, Some(0));
    assert_eq!(running.terminate().await, Some(0));
}

#[tokio::test]
async fn it_serves_from_keys_in_the_environment_and_stops_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = backstop(folder.path(), &SERVE);
    command.env("OPENAI_API_KEY", "sk-a-very-secret-key-9876");
    command.env("HOME", folder.path());
    let mut running = Running::start(command);
    let admin = address(&running.logged("serving operators: http://").await);

    let check = || backstop(folder.path(), &["healthcheck", "--admin-listen", &admin]);
    let (code, _, stderr) = finish(check()).await;
    assert_eq!(code, Some(0), "{stderr}");

    let state = folder.path().join(".local/state/backstop/affinity.redb");
    assert!(state.exists(), "what it remembers is in the user's folder");
    assert_eq!(running.terminate().await, Some(0));
    let (code, _, stderr) = finish(check()).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("no backstop answers"), "{stderr}");

    let mut printed = String::new();
    while let Some(line) = running.stdout.as_mut().unwrap().next_line().await.unwrap() {
        printed += &line;
    }
    assert!(printed.contains("${OPENAI_API_KEY}"), "{printed}");
    assert!(!printed.contains("very-secret"), "{printed}");
}

#[tokio::test]
async fn the_address_that_it_logs_has_the_scheme_that_clients_need() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::new();
    let upstream = Simulator::start("only", Script::healthy()).await.unwrap();
    let tls = format!(
        "tls: {{cert: {}, key: {}}}",
        identity.certificate_file().display(),
        identity.key_file().display()
    );
    let setup = Setup::new().upstream(&upstream).lines(&tls);
    std::fs::write(folder.path().join("backstop.yaml"), setup.yaml()).unwrap();
    let mut running = Running::start(backstop(folder.path(), &SERVE));
    running.logged("OPENAI_BASE_URL=https://127.0.0.1:").await;
    assert_eq!(running.terminate().await, Some(0));
}

/// The program in front of one upstream, and a client's request that the upstream has received.
async fn with_an_open_request(folder: &Path, upstream: &Simulator) -> (Running, Asking) {
    let setup = Setup::new().upstream(upstream);
    std::fs::write(folder.join("backstop.yaml"), setup.yaml()).unwrap();
    let mut running = Running::start(backstop(folder, &SERVE));
    running.clients = address(&running.logged("OPENAI_BASE_URL=http://").await);
    let asking = ask(&running.clients);
    upstream.wait_received(1).await;
    (running, asking)
}

/// A client that asks at an address.
fn ask(clients: &str) -> Asking {
    send(clients, &chat())
}

fn send(clients: &str, body: &Value) -> Asking {
    let url = format!("http://{clients}/v1/chat/completions");
    let request = http::Request::post(url)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    tokio::spawn(client.request(request))
}

#[tokio::test]
async fn an_open_request_is_finished_before_it_stops() {
    let script = Script::answer("worth waiting for").with_answer_delay(Duration::from_millis(400));
    let upstream = Simulator::start("slow", script).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut running, asking) = with_an_open_request(folder.path(), &upstream).await;
    assert_eq!(running.terminate().await, Some(0));
    let answer = asking.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("worth waiting for"));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let script = Script::fault(Fault::Hang);
    let upstream = Simulator::start("slow", script).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut running, asking) = with_an_open_request(folder.path(), &upstream).await;
    running.signal("-TERM").await;
    running.logged("stopping").await;
    assert_eq!(running.terminate().await, Some(0));
    running.logged("stopped at once").await;
    asking.await.unwrap().unwrap_err();
}

/// What an upstream says about itself is in the log, what it says about a request is not, and no outage fills it.
#[tokio::test]
async fn what_somebody_has_to_see_to_is_logged_once() {
    let said = |message: &str| {
        Script::fault(Fault::Status {
            code: 401,
            headers: Vec::new(),
            body: Some(format!(r#"{{"error":{{"message":"{message}"}}}}"#)),
        })
    };
    let upstream = Simulator::start("only", said("verify yourself first, only-key"))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut running, asking) = with_an_open_request(folder.path(), &upstream).await;
    assert_eq!(asking.await.unwrap().unwrap().status(), 403);
    let noticed = running.logged("\"WARN\"").await;
    let words = "only refuses its key (key 1): verify yourself first, ***; somebody has to act";
    assert!(noticed.contains(words), "{noticed}");
    let failed = running.logged("\"ERROR\"").await;
    let words = "a request failed: `gpt-4o`: only: unauthorized (401), verify yourself first, ***";
    assert!(failed.contains(words), "{failed}");
    let clients = running.clients.clone();
    for _ in 0..20 {
        let answer = ask(&clients).await.unwrap().unwrap();
        assert_eq!(answer.status(), 403);
    }
    let rest = running.last_lines().await;
    assert!(!rest.contains("somebody has to act"), "{rest}");
    // The machine may be so slow that a period passes meanwhile.
    assert!(rest.matches("a request failed").count() < 10, "{rest}");
}

#[tokio::test]
async fn streams_that_break_off_one_after_the_other_do_not_fill_the_log() {
    let upstream = Simulator::start("only", Script::healthy()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut running, asking) = with_an_open_request(folder.path(), &upstream).await;
    assert_eq!(asking.await.unwrap().unwrap().status(), 200);
    upstream.play(Script::fault(Fault::CutAfter(2))).await;
    let clients = running.clients.clone();
    for _ in 0..20 {
        let answer = send(&clients, &chat_stream()).await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
    }
    let lines = running.last_lines().await;
    let count = lines.matches("an answer of only broke off").count();
    assert!((1..10).contains(&count), "{lines}");
}

/// Whoever reads the log may stop it upon the first line, and so may a supervisor.
#[tokio::test]
async fn a_signal_is_obeyed_as_soon_as_it_says_that_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..10 {
        let mut command = backstop(folder.path(), &SERVE);
        command.env("OPENAI_API_KEY", "sk-any");
        let mut running = Running::start(command);
        running.logged("serving clients").await;
        assert_eq!(running.terminate().await, Some(0));
        running.logged("\"message\":\"stopped\"").await;
    }
}

/// A network file system may be away. A pipe stands for one: who opens it waits for the other end, and who reads it for more.
#[tokio::test]
async fn a_signal_is_obeyed_while_a_configuration_cannot_be_read_to_its_end() {
    let upstream = Simulator::start("only", Script::healthy()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut running, asking) = with_an_open_request(folder.path(), &upstream).await;
    assert_eq!(asking.await.unwrap().unwrap().status(), 200);
    let file = folder.path().join("backstop.yaml");
    std::fs::remove_file(&file).unwrap();
    let made = Command::new("mkfifo").arg(&file).status().await.unwrap();
    assert!(made.success());
    running.signal("-HUP").await;
    let opening = spawn_blocking(move || std::fs::OpenOptions::new().write(true).open(file));
    let _other_end = tokio::time::timeout(PATIENCE, opening).await.unwrap();
    let answer = ask(&running.clients).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(running.terminate().await, Some(0));
}

#[tokio::test]
async fn a_log_filter_that_means_nothing_is_a_wrong_argument() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, stderr) = finish(backstop(folder.path(), &["--log", "debgu"])).await;
    assert_eq!(code, Some(2), "{stderr}");
    for part in [
        "did you mean `debug`?",
        "off, error, warn",
        "warn,backstop=debug",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
}

/// One request that fails over is one line: short for people, and with every fact as a field in JSON.
#[tokio::test]
async fn each_request_has_one_line_in_both_forms() {
    let first = Simulator::start("first", Script::status(503))
        .await
        .unwrap();
    let second = Simulator::start("second", Script::healthy()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let yaml = two_upstreams(&first, &second) + "log: {requests: info}\n";
    std::fs::write(folder.path().join("backstop.yaml"), yaml).unwrap();
    for format in ["text", "json"] {
        let arguments = [SERVE.as_slice(), &["--log-format", format]].concat();
        let mut running = Running::start(backstop(folder.path(), &arguments));
        running.clients = address(&running.logged("OPENAI_BASE_URL=http://").await);
        let answer = ask(&running.clients).await.unwrap().unwrap();
        let id = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        match format {
            "text" => {
                let rest = running
                    .logged(" INFO 200 * by second for first (overloaded) 2 attempts")
                    .await;
                assert!(rest.ends_with(&id[..12]), "{rest}");
                assert!(rest.len() < 60 && !rest.contains('='), "{rest}");
            }
            _ => {
                let rest = running.logged("\"message\":\"200 * by second").await;
                for fact in [
                    "\"upstream\":\"second\"",
                    "\"in_place_of\":\"first\"",
                    "\"reason\":\"overloaded\"",
                    "\"attempts\":2",
                    "\"status\":200",
                    "\"output_tokens\":",
                    &id,
                ] {
                    assert!(rest.contains(fact), "{fact}: {rest}");
                }
            }
        }
        assert_eq!(running.terminate().await, Some(0));
    }
}

#[tokio::test]
async fn the_report_and_the_incidents_of_a_running_backstop_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Simulator::start("only", Script::healthy()).await.unwrap();
    let (running, asking) = with_an_open_request(folder.path(), &upstream).await;
    let answer = asking.await.unwrap().unwrap();
    answer.into_body().collect().await.unwrap();
    // What the test's harness cannot know: the port.
    let mut running = running;
    let admin = address(&running.logged("serving operators: http://").await);
    let report = |more: &[&str]| {
        let arguments = ["report", "--admin-listen", &admin];
        finish(backstop(folder.path(), &[&arguments, more].concat()))
    };
    let (code, stdout, stderr) = report(&["--since", "24h"]).await;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.contains("clients") && stdout.contains("  only "),
        "{stdout}"
    );
    assert!(
        stdout.lines().all(|line| line.chars().count() <= 80),
        "{stdout}"
    );
    let (_, json, _) = report(&["--format", "json"]).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rows"][1]["upstream"], "only");
    let (_, csv, _) = report(&["--format", "csv"]).await;
    assert!(csv.starts_with("kind,upstream,model,requests,"), "{csv}");
    let (code, _, stderr) = report(&["--since", "3y"]).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("90d"), "{stderr}");

    let incidents = ["incidents", "--admin-listen", &admin];
    let (code, stdout, _) = finish(backstop(folder.path(), &incidents)).await;
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), "no incident in the last 30d\n")
    );
    assert_eq!(running.terminate().await, Some(0));
    let (code, _, stderr) = report(&[]).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("no backstop answers at"), "{stderr}");
    assert!(stderr.contains("--admin-listen"), "{stderr}");
}
