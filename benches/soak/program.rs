//! The program under test, as its users start it, and what it takes of its machine.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::metrics::Metrics;

/// What operators show to act.
pub(crate) const TOKEN: &str = "the-token-of-the-soak";
/// The operators' address answers by then, or the program hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running backstop; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    config: PathBuf,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program to start: that of this build, unless the arguments name another one.
pub(crate) fn executable(arguments: &[String]) -> PathBuf {
    let at = arguments
        .iter()
        .position(|argument| argument == "--program");
    let other = at.and_then(|at| arguments.get(at + 1));
    other.map_or_else(|| env!("CARGO_BIN_EXE_backstop").into(), PathBuf::from)
}

impl Program {
    /// Starts a program in a folder of its own. The configuration is without the addresses.
    pub(crate) async fn start(executable: &Path, folder: &Path, yaml: &str) -> Self {
        Self::run(Command::new(executable), folder, yaml).await
    }

    /// The same on the first processor, which it has to itself where there is another one: this program moves there.
    pub(crate) async fn start_apart(executable: &Path, folder: &Path, yaml: &str) -> Self {
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(executable);
        let program = Self::run(command, folder, yaml).await;
        let own = std::process::id().to_string();
        let _ = Command::new("taskset")
            .args(["-a", "-p", "-c", "1", &own])
            .stdout(Stdio::null())
            .status();
        program
    }

    async fn run(mut program: Command, folder: &Path, yaml: &str) -> Self {
        let (address, admin) = (free_address().await, free_address().await);
        let config = folder.join("backstop.yaml");
        let log = fs::File::create(folder.join("log")).unwrap();
        program
            .args(["serve", "--log", "warn", "--config"])
            .arg(&config)
            .arg("--state-dir")
            .arg(folder.join("state"))
            .env_clear()
            .stdout(Stdio::null())
            .stderr(log);
        let heading =
            format!("listen: {address}\nadmin: {{listen: \"{admin}\", token: {TOKEN}}}\n");
        write(&config, &format!("{heading}{yaml}"));
        let program = Self {
            child: program.spawn().unwrap(),
            config,
            address,
            admin,
        };
        for _ in 0..400 {
            if TcpStream::connect(address).await.is_ok() {
                return program;
            }
            sleep(Duration::from_millis(25)).await;
        }
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        panic!("the program does not answer:\n{log}");
    }

    /// Replaces its configuration, or spoils it.
    pub(crate) fn configure(&self, yaml: &str) {
        let (address, admin) = (self.address, self.admin);
        let heading =
            format!("listen: {address}\nadmin: {{listen: \"{admin}\", token: {TOKEN}}}\n");
        write(&self.config, &format!("{heading}{yaml}"));
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        let _ = Command::new("kill")
            .args(["-HUP", &self.child.id().to_string()])
            .status();
    }

    /// Sends SIGTERM; says whether it ended well, in time.
    pub(crate) async fn ends(&mut self) -> bool {
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        for _ in 0..400 {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.success();
            }
            sleep(Duration::from_millis(25)).await;
        }
        false
    }

    /// Asks the operators' address; `None`: no answer in time.
    pub(crate) async fn ask(&self, method: &str, path: &str) -> Option<(u16, String)> {
        let asked = async {
            let stream = TcpStream::connect(self.admin).await.ok()?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
            tokio::spawn(connection);
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("host", "localhost")
                .header("content-type", "application/json")
                .header("authorization", format!("Bearer {TOKEN}"))
                .body(Full::new(Bytes::new()))
                .ok()?;
            let response = sender.send_request(request).await.ok()?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.ok()?.to_bytes();
            Some((status, String::from_utf8_lossy(&body).into_owned()))
        };
        timeout(PATIENCE, asked).await.ok().flatten()
    }

    /// What it counts.
    pub(crate) async fn metrics(&self) -> Metrics {
        let answer = self.ask("GET", "/metrics").await;
        Metrics::read(&answer.map(|(_, text)| text).unwrap_or_default())
    }

    /// Resident memory in KiB, file descriptors and threads.
    pub(crate) fn taken(&self) -> [u64; 3] {
        let process = format!("/proc/{}", self.child.id());
        let status = fs::read_to_string(format!("{process}/status")).unwrap_or_default();
        let line = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name));
            let number = value.and_then(|value| value.split_whitespace().next());
            number.and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        let descriptors = fs::read_dir(format!("{process}/fd")).map_or(0, Iterator::count);
        [line("VmRSS:"), descriptors as u64, line("Threads:")]
    }

    /// Processor time so far: user and system, in ticks of 10 ms (fields 14 and 15 of /proc/PID/stat).
    pub(crate) fn processor_time(&self) -> Duration {
        let stat =
            fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let behind_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks = behind_name.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }
}

/// Whoever reads the file finds the old one or the new one.
fn write(path: &Path, text: &str) {
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, path).unwrap();
}

async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
