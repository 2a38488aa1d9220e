//! The programs that are measured, side by side.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use backstop::config::process_environment;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// A program that is measured: its processes are read in /proc, and ended when it is dropped.
pub(crate) struct Program {
    child: Child,
    /// Where it serves.
    pub(crate) address: SocketAddr,
    /// The processor time of each of its threads when it was last read, in nanoseconds. A thread that ends has taken it.
    threads: Mutex<HashMap<PathBuf, u64>>,
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
        let one = format!(
            "upstreams: {{one: {{provider: openai-compatible, base_url: \"http://{upstream}/v1\", api_key: key}}}}\n\
             routes: [{{models: [\"*\"], candidates: [{{upstream: one}}]}}]\n"
        );
        Self::backstop_by(folder, &one).await
    }

    /// Backstop with this configuration, which says nothing of addresses and limits. The environment's `BACKSTOP` names another
    /// build of it.
    pub(crate) async fn backstop_by(folder: &Path, config: &str) -> Self {
        let (address, admin) = (free_address().await, free_address().await);
        // A port may be given out twice.
        let state = tempfile::tempdir_in(folder).unwrap().keep();
        let file = state.join("backstop.yaml");
        let text = format!(
            "listen: {address}\nadmin: {{listen: \"{admin}\"}}\n{config}\
             limits: {{connections: 8192, requests: 8192}}\ncheck_models: false\n"
        );
        fs::write(&file, text).unwrap();
        let built = env!("CARGO_BIN_EXE_backstop");
        let binary = process_environment("BACKSTOP").unwrap_or_else(|| built.to_owned());
        let child = on_one_processor(Path::new(&binary))
            .args(["serve", "--log", "warn", "--state-dir"])
            .arg(&state)
            .arg("--config")
            .arg(&file)
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
             keepalive_requests 1000000; client_max_body_size 64m;\n\
             upstream one {{ server {upstream}; keepalive 64; keepalive_requests 1000000; }}\n\
             server {{ listen {address}; location / {{ proxy_pass http://one; proxy_http_version 1.1;\n\
             proxy_set_header Connection \"\"; proxy_buffering off; }} }} }}\n"
        );
        let config = folder.join("nginx.conf");
        fs::write(&config, text).unwrap();
        let child = on_one_processor(&nginx_binary()?)
            .arg("-c")
            .arg(&config)
            .arg("-p")
            .arg(folder)
            .stderr(Stdio::null())
            .spawn();
        Some(Self::started(child.unwrap(), address).await)
    }

    /// A program that has just been started, once it answers at this address.
    pub(crate) async fn started(child: Child, address: SocketAddr) -> Self {
        for _ in 0..5000 {
            if TcpStream::connect(address).await.is_ok() {
                return Self {
                    child,
                    address,
                    threads: Mutex::default(),
                };
            }
            sleep(Duration::from_millis(1)).await;
        }
        panic!("{address} does not answer");
    }

    /// User and system time of all threads of the process and its children, from the first field of
    /// /proc/PID/task/TID/schedstat, in nanoseconds.
    pub(crate) fn processor_time(&self) -> Duration {
        let threads = self
            .processes()
            .into_iter()
            .flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).unwrap());
        // A thread may end meanwhile.
        let times = threads.filter_map(|thread| {
            let path = thread.ok()?.path();
            let stat = fs::read_to_string(path.join("schedstat")).ok()?;
            Some((path, stat.split_whitespace().next()?.parse().ok()?))
        });
        let mut known = self.threads.lock().unwrap();
        known.extend(times);
        Duration::from_nanos(known.values().sum())
    }

    fn processes(&self) -> Vec<String> {
        let pid = self.child.id().to_string();
        let children =
            fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let mut all: Vec<String> = children.split_whitespace().map(str::to_owned).collect();
        all.push(pid);
        all
    }

    /// Resident memory of the process and its children. What they share counts once.
    pub(crate) fn resident_kib(&self) -> u64 {
        let of = |pid: String| -> u64 {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
            let mut lines = rollup.lines();
            let line = lines.find_map(|line| line.strip_prefix("Pss:"));
            let kib = line.expect("Pss").trim().trim_end_matches(" kB");
            kib.parse().unwrap()
        };
        self.processes().into_iter().map(of).sum()
    }
}

/// A command for a program that runs on the last processor alone, so that all have the same.
pub(crate) fn on_one_processor(program: &Path) -> Command {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut command = Command::new("taskset");
    command
        .args(["-c", &(processors - 1).to_string()])
        .arg(program);
    command
}

fn nginx_binary() -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"];
    let mut places = folders.iter().map(|folder| Path::new(folder).join("nginx"));
    places.find(|place| place.exists())
}

pub(crate) async fn free_address() -> SocketAddr {
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
