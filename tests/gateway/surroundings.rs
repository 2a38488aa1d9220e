//! Failures around the process: its log is not read, the disk is full, file descriptors run out.

use std::io::{self, Read};
use std::iter;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use backstop::simulator::{Fault, Script, Simulator};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::{chat, chat_stream, two_upstreams, within};

/// What is counted is written after this time.
const HISTORY_PAUSE: Duration = Duration::from_secs(10);

type Http = Client<HttpConnector, Full<Bytes>>;

/// The program, on addresses that are given to it: its log cannot be asked for them.
struct Program {
    child: Child,
    clients: String,
    operators: String,
    http: Http,
    _folder: TempDir,
}

impl Program {
    /// Starts it by a shell's command line, `$0` being the program, and waits until it serves.
    async fn start(yaml: &str, shell: &str, stderr: Stdio) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clients, operators) = free_addresses();
        let addresses = format!("listen: {clients}\nadmin: {{listen: \"{operators}\"}}\n");
        std::fs::write(folder.path().join("backstop.yaml"), addresses + yaml).unwrap();
        let child = Command::new("sh")
            .args(["-c", shell, env!("CARGO_BIN_EXE_backstop")])
            .env("HOME", folder.path())
            .current_dir(folder.path())
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut program = Self {
            child,
            clients,
            operators,
            http: Client::builder(TokioExecutor::new()).build_http(),
            _folder: folder,
        };
        within(program.is_serving()).await;
        program
    }

    async fn is_serving(&mut self) {
        while self.try_operators("/healthz").await.is_none() {
            assert!(self.child.try_wait().unwrap().is_none(), "it has ended");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn try_operators(&self, path: &str) -> Option<String> {
        let url = format!("http://{}{path}", self.operators);
        let request = Request::get(url).body(Full::default()).unwrap();
        let answer = self.http.request(request).await.ok()?;
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        Some(String::from_utf8(body.to_vec()).unwrap())
    }

    async fn operators(&self, path: &str) -> String {
        within(self.try_operators(path)).await.expect("an answer")
    }

    /// Sends a client's request; returns the status, and the code of an error.
    fn ask(&self, http: &Http) -> impl Future<Output = (u16, String)> + Send + use<> {
        self.ask_with(http, "on")
    }

    /// Asks once only, if `failover` is `off`.
    fn ask_with(
        &self,
        http: &Http,
        failover: &str,
    ) -> impl Future<Output = (u16, String)> + Send + use<> {
        let url = format!("http://{}/v1/chat/completions", self.clients);
        let request = Request::post(url)
            .header("content-type", "application/json")
            .header("x-backstop-failover", failover)
            .body(Full::from(chat().to_string()))
            .unwrap();
        let asking = http.request(request);
        async move {
            let (head, body) = within(asking).await.expect("an answer").into_parts();
            let body = within(body.collect()).await.expect("a whole body");
            let body: Value = serde_json::from_slice(&body.to_bytes()).unwrap();
            let code = body["error"]["code"].as_str().unwrap_or_default();
            (head.status.as_u16(), code.to_owned())
        }
    }

    async fn lost_lines(&self) -> u64 {
        let metrics = self.operators("/metrics").await;
        let value = |line: &str| {
            let value = line.strip_prefix("backstop_log_lines_lost_total ")?;
            value.parse().ok()
        };
        metrics.lines().find_map(value).expect("the metric")
    }

    /// Sends requests until log lines are lost: every request is answered.
    async fn ask_until_lines_are_lost(&self) {
        for _ in 0..20_000 {
            let mut asking = JoinSet::new();
            (0..8).for_each(|_| drop(asking.spawn(self.ask(&self.http))));
            for (status, code) in asking.join_all().await {
                assert_eq!(status, 200, "{code}");
            }
            if self.lost_lines().await > 0 {
                return;
            }
        }
        panic!("no line was lost");
    }

    /// The health of the upstreams.
    async fn states(&self) -> Vec<String> {
        let page: Value = serde_json::from_str(&self.operators("/api/upstreams").await).unwrap();
        let scopes = page["scopes"].as_array().unwrap().iter();
        scopes
            .map(|scope| scope["state"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        let killing = Command::new("kill").args([signal, &pid]).status();
        assert!(killing.await.unwrap().success());
    }

    async fn terminate(mut self) -> Option<i32> {
        self.signal("-TERM").await;
        within(self.child.wait()).await.unwrap().code()
    }
}

/// Two free addresses, of a range that systems give to nobody who asks for any: they are free a moment later, too.
pub(crate) fn free_addresses() -> (String, String) {
    let ports = iter::repeat_with(|| fastrand::u16(10_000..30_000)).take(100);
    let mut free = ports.filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    let (one, other) = (free.next().unwrap(), free.next().unwrap());
    let address = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
    (address(&one), address(&other))
}

/// An upstream that fails, and a healthy fallback.
async fn failing_and_well() -> (Simulator, Simulator) {
    let failing = Script::fault(Fault::status(500));
    let first = Simulator::start("first", failing).await.unwrap();
    let second = Simulator::start("second", Script::healthy()).await.unwrap();
    (first, second)
}

/// Every request is answered, operators are served, and it stops when it should, whatever standard error is.
async fn loses_only_lines(stderr: Stdio) {
    let (first, second) = failing_and_well().await;
    let yaml = two_upstreams(&first, &second);
    let program = Program::start(&yaml, "exec \"$0\" --log trace", stderr).await;
    program.ask_until_lines_are_lost().await;
    assert!(first.received_count() > 0);
    assert!(second.received_count() > 0);
    assert_eq!(program.operators("/healthz").await.trim(), "ok");
    assert_eq!(program.terminate().await, Some(0));
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_nobody() {
    let (_unread, stderr) = io::pipe().unwrap();
    loses_only_lines(stderr.into()).await;
}

#[tokio::test]
async fn a_reader_of_the_log_that_has_gone_takes_nobody_along() {
    let (reader, stderr) = io::pipe().unwrap();
    drop(reader);
    loses_only_lines(stderr.into()).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_log_on_a_full_disk_stops_nobody() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    loses_only_lines(full.into()).await;
}

#[tokio::test]
async fn lost_lines_are_announced_when_somebody_reads_again() {
    let (first, second) = failing_and_well().await;
    let yaml = two_upstreams(&first, &second);
    let (mut reader, stderr) = io::pipe().unwrap();
    let program = Program::start(&yaml, "exec \"$0\" --log trace", stderr.into()).await;
    program.ask_until_lines_are_lost().await;
    let reading = tokio::task::spawn_blocking(move || {
        let mut log = String::new();
        reader.read_to_string(&mut log).unwrap();
        log
    });
    assert_eq!(program.terminate().await, Some(0));
    let log = within(reading).await.unwrap();
    assert!(log.contains("log lines were lost"), "not announced");
    let last = log.lines().last().unwrap();
    assert!(last.starts_with('{') && last.ends_with('}'), "{last}");
}

#[tokio::test]
async fn output_that_is_not_read_does_not_fail_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, stdout) = io::pipe().unwrap();
    drop(reader);
    let checking = Command::new(env!("CARGO_BIN_EXE_backstop"))
        .arg("check")
        .env_clear()
        .env("OPENAI_API_KEY", "sk-any")
        .current_dir(folder.path())
        .stdout(stdout)
        .output();
    let output = within(checking).await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

/// A slow upstream.
async fn slow_upstream() -> (Simulator, String) {
    let script = Script::answer("well").with_answer_delay(Duration::from_millis(500));
    let upstream = Simulator::start("only", script).await.unwrap();
    let url = upstream.base_url();
    let yaml = format!(
        "upstreams: {{only: {{provider: openai-compatible, base_url: \"{url}\"}}}}\n\
         routes: [{{models: [\"*\"], candidates: [{{upstream: only}}]}}]\n"
    );
    (upstream, yaml)
}

#[tokio::test]
async fn more_clients_than_file_descriptors_are_all_answered_and_no_upstream_is_blamed() {
    let (upstream, yaml) = slow_upstream().await;
    let shell = "ulimit -n 64; exec \"$0\"";
    let program = Program::start(&yaml, shell, Stdio::null()).await;
    let mut asking = JoinSet::new();
    for _ in 0..80 {
        let mut builder = Client::builder(TokioExecutor::new());
        let http = builder.pool_max_idle_per_host(0).build_http();
        asking.spawn(program.ask(&http));
    }
    for answer in asking.join_all().await {
        assert_eq!(answer, (200, String::new()));
    }
    assert_eq!(upstream.received_count(), 80);
    assert_eq!(program.states().await, ["closed", "closed"]);
    assert_eq!(program.terminate().await, Some(0));
}

#[tokio::test]
async fn a_local_shortage_is_reported_to_the_client_and_blamed_on_no_upstream() {
    let (upstream, yaml) = slow_upstream().await;
    let shell = "ulimit -n 64; exec \"$0\"";
    let program = Program::start(&yaml, shell, Stdio::null()).await;
    let mut builder = Client::builder(TokioExecutor::new());
    // All on one connection, so that only connections to the upstream lack descriptors.
    let http = builder.http2_only(true).build_http();
    assert_eq!(program.ask(&http).await.0, 200);
    let answered = (200, String::new());
    let lacking = (503, "local_resources_exhausted".to_owned());
    // A request that may ask only once learns of it; one that may ask again waits for a descriptor.
    for (failover, expected) in [
        ("off", &[answered.clone(), lacking][..]),
        ("on", &[answered]),
    ] {
        let mut asking = JoinSet::new();
        (0..90).for_each(|_| drop(asking.spawn(program.ask_with(&http, failover))));
        let mut answers = asking.join_all().await;
        answers.sort();
        answers.dedup();
        assert_eq!(answers, expected, "{failover}");
    }
    assert_eq!(program.states().await, ["closed", "closed"]);
    let metrics = program.operators("/metrics").await;
    assert!(metrics.contains("backstop_network_lost 0"));
    assert!(metrics.contains("outcome=\"no_resources\""));
    let before = upstream.received_count();
    assert_eq!(program.ask(&http).await.0, 200);
    assert_eq!(upstream.received_count(), before + 1);
    assert_eq!(program.terminate().await, Some(0));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_limit_of_file_descriptors_is_raised_as_far_as_it_goes() {
    let (_upstream, yaml) = slow_upstream().await;
    let shell = "ulimit -n 256; ulimit -S -n 64; exec \"$0\"";
    let program = Program::start(&yaml, shell, Stdio::null()).await;
    let limits = format!("/proc/{}/limits", program.child.id().unwrap());
    let limits = std::fs::read_to_string(limits).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let numbers: Vec<&str> = files.unwrap().split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers, ["256", "256"]);
    assert_eq!(program.terminate().await, Some(0));
}

#[tokio::test]
async fn without_the_threads_that_it_needs_it_says_so_and_does_not_start() {
    // No limit holds for root, and a user's holds for all that the user runs.
    let shell = "if [ $(id -u) = 0 ]; then \
        exec setpriv --reuid 54321 --regid 54321 --clear-groups prlimit --nproc=$1 \"$0\" --config \"$2\"; \
        else exec prlimit --nproc=1 \"$0\" --config \"$2\"; fi";
    let file = tempfile::NamedTempFile::new().unwrap();
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(file.path(), mode).unwrap();
    let yaml = "listen: 127.0.0.1:0\nadmin: {listen: \"127.0.0.1:0\"}\nupstreams: {only: {provider: openai}}\n";
    std::fs::write(file.path(), yaml).unwrap();
    for threads in ["1", "3", "5", "7"] {
        let ending = Command::new("sh")
            .args(["-c", shell, env!("CARGO_BIN_EXE_backstop"), threads])
            .arg(file.path())
            .output();
        let ended = within(ending).await.unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{threads}: {said}");
        assert!(said.contains("ulimit -u"), "{threads}: {said}");
        assert!(!said.contains("panicked"), "{threads}: {said}");
    }
}

#[tokio::test]
async fn signals_by_which_other_servers_open_their_logs_anew_do_no_harm() {
    let yaml = "upstreams: {only: {provider: openai-compatible, base_url: \"http://127.0.0.1:1\"}}\n\
                routes: [{models: [\"*\"], candidates: [{upstream: only}]}]\n";
    let program = Program::start(yaml, "exec \"$0\"", Stdio::null()).await;
    for signal in ["-USR1", "-USR2", "-HUP"] {
        program.signal(signal).await;
        assert_eq!(program.states().await, ["closed", "closed"], "{signal}");
    }
    assert_eq!(program.terminate().await, Some(0));
}

/// A container that is frozen, a machine that is paused: all timers have expired when it goes on.
#[tokio::test]
async fn a_process_that_was_stopped_loses_no_stream_and_blames_no_upstream() {
    let script = Script::answer("one two three four five six seven eight")
        .with_token_delay(Duration::from_millis(50));
    let upstream = Simulator::start("only", script).await.unwrap();
    let url = upstream.base_url();
    let yaml = format!(
        "upstreams: {{only: {{provider: openai-compatible, base_url: \"{url}\"}}}}\n\
         timeouts: {{first_token: 1s, idle: 1s, content: 1s}}\n\
         routes: [{{models: [\"*\"], candidates: [{{upstream: only}}]}}]\n"
    );
    let program = Program::start(&yaml, "exec \"$0\"", Stdio::null()).await;
    let request = Request::post(format!("http://{}/v1/chat/completions", program.clients))
        .header("content-type", "application/json")
        .body(Full::from(chat_stream().to_string()))
        .unwrap();
    let mut body = within(program.http.request(request))
        .await
        .unwrap()
        .into_body();
    let first = within(body.frame()).await.unwrap().unwrap();
    program.signal("-STOP").await;
    // Longer than each timer, and for so long that the timers are seen to be late.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    program.signal("-CONT").await;
    let rest = within(body.collect()).await.unwrap().to_bytes();
    let all = [first.into_data().unwrap(), rest].concat();
    let text = String::from_utf8(all).unwrap();
    assert!(text.contains("[DONE]") && !text.contains("error"), "{text}");
    assert_eq!(program.states().await, ["closed", "closed"]);
    let metrics = program.operators("/metrics").await;
    let mut timeouts = metrics
        .lines()
        .filter(|line| line.contains("\"idle_timeout\""));
    assert!(timeouts.all(|line| line.ends_with(" 0")), "{metrics}");
    assert_eq!(program.terminate().await, Some(0));
}

/// What is said at a path of the operators.
async fn said(program: &Program, path: &str) -> Value {
    serde_json::from_str(&program.operators(path).await).unwrap()
}

/// A file that cannot grow behaves like a full disk.
#[tokio::test]
async fn a_full_disk_costs_only_the_history_on_it_and_that_is_said() {
    let (first, second) = failing_and_well().await;
    let yaml = two_upstreams(&first, &second);
    let shell = "trap '' XFSZ; ulimit -f 1; exec \"$0\"";
    let (mut reader, stderr) = io::pipe().unwrap();
    let program = Program::start(&yaml, shell, stderr.into()).await;
    for _ in 0..3 {
        assert_eq!(program.ask(&program.http).await.0, 200);
    }
    let figures = said(&program, "/api/availability").await;
    assert_eq!(figures["clients"]["90d"]["requests"], 3, "{figures:#}");
    let store = figures["store"].as_str().unwrap();
    assert!(store.starts_with("in memory only: "), "{store}");
    assert_eq!(program.terminate().await, Some(0));
    let reading = tokio::task::spawn_blocking(move || {
        let mut log = String::new();
        reader.read_to_string(&mut log).unwrap();
        log
    });
    let log = within(reading).await.unwrap();
    assert_eq!(
        log.matches("the history cannot be kept").count(),
        1,
        "{log}"
    );
}

#[tokio::test]
async fn a_kill_costs_no_more_than_the_last_seconds_of_the_history() {
    let (first, second) = failing_and_well().await;
    let state = tempfile::tempdir().unwrap();
    let yaml = two_upstreams(&first, &second);
    let yaml = format!("{yaml}state_dir: {}\n", state.path().display());
    let mut program = Program::start(&yaml, "exec \"$0\"", Stdio::null()).await;
    let file = state.path().join("history.redb");
    let written_at = || file.metadata().unwrap().modified().unwrap();
    let is_written = async |counted_at| {
        while written_at() <= counted_at {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let counted_and_written = async {
        loop {
            assert_eq!(program.ask(&program.http).await.0, 200);
            let before = said(&program, "/api/availability").await;
            let is_written = is_written(SystemTime::now());
            // What was written just before that is not written again.
            if timeout(HISTORY_PAUSE * 2, is_written).await.is_ok() {
                // The transaction has begun; whoever asks waits for its end.
                said(&program, "/api/availability").await;
                return before;
            }
        }
    };
    let before = within(counted_and_written).await;
    assert_ne!(before["clients"]["1h"]["requests"], 0);
    program.child.kill().await.unwrap();

    let program = Program::start(&yaml, "exec \"$0\"", Stdio::null()).await;
    let after = said(&program, "/api/availability").await;
    assert_eq!(after["store"], "in history.redb");
    for window in ["1h", "90d"] {
        assert_eq!(after["clients"][window], before["clients"][window]);
        let upstream = |said: &Value| said["upstreams"][0]["windows"][window].clone();
        assert_eq!(upstream(&after), upstream(&before));
    }
}
