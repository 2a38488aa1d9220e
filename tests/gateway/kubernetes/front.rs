//! What leads clients to replicas: a Service, or an nginx as an Ingress has it.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::harness::{fetch, within};
use crate::surroundings::free_addresses;

/// It ends when it is dropped.
pub(super) enum Front {
    Service(Service),
    Nginx(Box<Nginx>),
}

impl Front {
    /// Where clients connect to.
    pub(super) fn address(&self) -> &str {
        match self {
            Self::Service(service) => &service.address,
            Self::Nginx(nginx) => &nginx.address,
        }
    }

    /// From now on new connections and requests go to these.
    pub(super) async fn lead_to(&mut self, replicas: &[String]) {
        match self {
            Self::Service(service) => *service.replicas.lock().unwrap() = replicas.to_vec(),
            Self::Nginx(nginx) => nginx.lead_to(replicas).await,
        }
    }
}

/// Leads each new connection to the next replica; where one leads, it stays, as with kube-proxy.
pub(super) struct Service {
    address: String,
    replicas: Arc<Mutex<Vec<String>>>,
    task: AbortHandle,
}

impl Service {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let replicas: Arc<Mutex<Vec<String>>> = Arc::default();
        let known = Arc::clone(&replicas);
        let task = tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let replica = {
                    let mut known = known.lock().unwrap();
                    known.rotate_left(1);
                    known[0].clone()
                };
                tokio::spawn(async move {
                    if let Ok(mut replica) = TcpStream::connect(replica).await {
                        let _ = copy_bidirectional(&mut client, &mut replica).await;
                    }
                });
            }
        });
        Self {
            address,
            replicas,
            task: task.abort_handle(),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An nginx that is reloaded when the replicas change, keeps connections to them, and sends nothing twice.
pub(super) struct Nginx {
    program: PathBuf,
    address: String,
    folder: TempDir,
    /// `None` until it knows replicas.
    child: Option<Child>,
    /// How often it has been told of them.
    told: usize,
}

impl Nginx {
    /// `None` where it is not installed.
    pub(super) fn find() -> Option<Self> {
        let places = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/bin/nginx"];
        let program = places
            .iter()
            .map(PathBuf::from)
            .find(|file| file.exists())?;
        Some(Self {
            program,
            address: free_addresses().0,
            folder: tempfile::tempdir().unwrap(),
            child: None,
            told: 0,
        })
    }

    async fn lead_to(&mut self, replicas: &[String]) {
        self.told += 1;
        write(&self.folder, &self.address, replicas, self.told);
        if let Some(child) = &self.child {
            let pid = child.id().unwrap().to_string();
            let reloading = Command::new("kill").args(["-HUP", &pid]).status();
            assert!(reloading.await.unwrap().success());
        } else {
            self.start();
        }
        within(self.has_heard()).await;
    }

    fn start(&mut self) {
        let child = Command::new(&self.program)
            .arg("-p")
            .arg(self.folder.path())
            .args(["-c", "nginx.conf", "-e", "error.log"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        self.child = Some(child.unwrap());
    }

    /// Waits until it serves by the last configuration, and its worker with the one before takes nobody any more.
    async fn has_heard(&self) {
        while self.number().await != Some(self.told) || self.workers() != 1 {
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn number(&self) -> Option<usize> {
        TcpStream::connect(&self.address).await.ok()?;
        let (_, number) = fetch(&format!("http://{}/number", self.address)).await;
        String::from_utf8(number.to_vec()).ok()?.parse().ok()
    }

    /// How many of its workers accept connections.
    fn workers(&self) -> usize {
        let pid = self.child.as_ref().unwrap().id().unwrap();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let titles = children
            .split_whitespace()
            .filter_map(|child| fs::read_to_string(format!("/proc/{child}/cmdline")).ok());
        titles
            .filter(|title| !title.is_empty() && !title.contains("shutting down"))
            .count()
    }
}

fn write(folder: &TempDir, address: &str, replicas: &[String], number: usize) {
    let root = folder.path().display();
    let servers: String = replicas
        .iter()
        .map(|replica| format!("server {replica} max_fails=0; "))
        .collect();
    let text = format!(
        "daemon off; worker_processes 1; pid {root}/nginx.pid; error_log {root}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;\n\
         fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;\n\
         upstream replicas {{ {servers}keepalive 16; }}\n\
         server {{ listen {address}; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
         proxy_buffering off; proxy_next_upstream off; proxy_read_timeout 1h;\n\
         location = /number {{ return 200 '{number}'; }} location / {{ proxy_pass http://replicas; }} }} }}\n"
    );
    fs::write(folder.path().join("nginx.conf"), text).unwrap();
}
