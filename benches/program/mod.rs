//! The programs that are measured, side by side.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// A program that is measured: its processes are read in /proc, and ended when it is dropped.
pub(crate) struct Program {
    child: Child,
    /// Where it serves.
    pub(crate) address: SocketAddr,
}

impl Drop for Program {
    fn drop(&mut self) {
        // nginx's workers end with their master, if it is asked politely.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Backstop in front of one upstream.
    pub(crate) async fn backstop(folder: &Path, upstream: SocketAddr) -> Self {
        let (address, admin) = (free_address().await, free_address().await);
        let config = folder.join("backstop.yaml");
        let text = format!(
            "listen: {address}\nadmin: {{listen: \"{admin}\"}}\n\
             upstreams: {{one: {{provider: openai-compatible, base_url: \"http://{upstream}/v1\", api_key: key}}}}\n\
             routes: [{{models: [\"*\"], candidates: [{{upstream: one}}]}}]\n\
             limits: {{connections: 8192, requests: 8192}}\n"
        );
        fs::write(&config, text).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_backstop"))
            .args(["serve", "--log", "warn", "--config"])
            .arg(&config)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self::started(child, address).await
    }

    /// nginx as a plain reverse proxy; `None` where it is not installed.
    pub(crate) async fn nginx(folder: &Path, upstream: SocketAddr) -> Option<Self> {
        let address = free_address().await;
        let root = folder.display();
        let text = format!(
            "daemon off; worker_processes 1; pid {root}/nginx.pid; error_log {root}/error.log;\n\
             events {{ worker_connections 16384; }}\n\
             http {{ access_log off; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;\n\
             fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;\n\
             keepalive_requests 1000000;\n\
             upstream one {{ server {upstream}; keepalive 64; keepalive_requests 1000000; }}\n\
             server {{ listen {address}; location / {{ proxy_pass http://one; proxy_http_version 1.1;\n\
             proxy_set_header Connection \"\"; proxy_buffering off; }} }} }}\n"
        );
        let config = folder.join("nginx.conf");
        fs::write(&config, text).unwrap();
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&config)
            .arg("-p")
            .arg(folder)
            .stderr(Stdio::null())
            .spawn();
        Some(Self::started(child.ok()?, address).await)
    }

    async fn started(child: Child, address: SocketAddr) -> Self {
        for _ in 0..200 {
            if TcpStream::connect(address).await.is_ok() {
                return Self { child, address };
            }
            sleep(Duration::from_millis(25)).await;
        }
        panic!("{address} does not answer");
    }

    /// User and system time of the process and its children, from fields 14 and 15 of /proc/PID/stat, in ticks of 10 ms.
    pub(crate) fn processor_time(&self) -> Duration {
        let ticks: u64 = self
            .processes()
            .iter()
            .map(|pid| {
                let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
                let fields: Vec<&str> = stat
                    .rsplit_once(')')
                    .unwrap()
                    .1
                    .split_whitespace()
                    .collect();
                fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
            })
            .sum();
        Duration::from_millis(ticks * 10)
    }

    fn processes(&self) -> Vec<String> {
        let pid = self.child.id().to_string();
        let children =
            fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let mut all: Vec<String> = children.split_whitespace().map(str::to_owned).collect();
        all.push(pid);
        all
    }

    /// Resident memory, of the first process.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

async fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}

/// Serves as a provider on a thread of its own; says where.
pub(crate) fn in_thread<F>(
    serve: impl FnOnce(mpsc::Sender<SocketAddr>) -> F + Send + 'static,
) -> SocketAddr
where
    F: Future<Output = ()>,
{
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(serve(sender));
    });
    receiver.recv().unwrap()
}
