//! A real Redis server of this test's own.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::harness::Port;

/// A server on a port of its own. It ends with the test.
pub(crate) struct Server {
    port: Port,
    /// Where it takes connections with TLS, or one server of a cluster with the others.
    other_port: Port,
    child: Child,
    folder: TempDir,
    arguments: Vec<String>,
}

impl Server {
    /// Starts one with these arguments besides the usual ones, and waits until it takes connections.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, "redis-server", arguments, Port::reserve()).await
    }

    /// One that wants TLS and a password. Its certificate is `cert.pem` in its folder.
    pub(crate) async fn start_secure(password: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(folder.path().join("cert.pem"), signed.cert.pem()).unwrap();
        let key = signed.signing_key.serialize_pem();
        std::fs::write(folder.path().join("key.pem"), key).unwrap();
        let tls_port = Port::reserve();
        let port = tls_port.number().to_string();
        let arguments = [
            "--requirepass",
            password,
            "--tls-port",
            &port,
            "--tls-cert-file",
            "cert.pem",
            "--tls-key-file",
            "key.pem",
            "--tls-auth-clients",
            "no",
        ];
        Self::start_in(folder, "redis-server", &arguments, tls_port).await
    }

    /// A sentinel that knows a server as `mine`.
    pub(crate) async fn sentinel_of(server: &Self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("sentinel.conf");
        let text = format!(
            "sentinel monitor mine 127.0.0.1 {} 1\n",
            server.port.number()
        );
        std::fs::write(&config, text).unwrap();
        Self::start_in(folder, "redis-sentinel", &[], Port::reserve()).await
    }

    async fn start_in(
        folder: TempDir,
        program: &str,
        arguments: &[&str],
        other_port: Port,
    ) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let port = Port::reserve();
        let child = spawn(program, &port, &arguments, &folder);
        let server = Self {
            port,
            other_port,
            child,
            folder,
            arguments,
        };
        server.takes_connections().await;
        server
    }

    /// Starts it again at its port.
    pub(crate) async fn start_again(&mut self) {
        self.child = spawn("redis-server", &self.port, &self.arguments, &self.folder);
        self.takes_connections().await;
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.port.address())
    }

    /// The address at which it takes connections with TLS, if it does.
    pub(crate) fn tls_address(&self) -> SocketAddr {
        self.other_port.address()
    }

    /// A file in its folder.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// It stands still: it takes connections and answers nothing.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Asks it something, and waits for an answer.
    pub(crate) async fn ask(&self, words: &[&str]) -> redis::Value {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(word);
        }
        command.query_async(&mut connection).await.unwrap()
    }

    async fn takes_connections(&self) {
        for _ in 0..500 {
            if TcpStream::connect(self.port.address()).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the server does not start");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &str, port: &Port, arguments: &[String], folder: &TempDir) -> Child {
    let port = port.number().to_string();
    let mut usual = vec!["--port", &port, "--bind", "127.0.0.1"];
    match program {
        "redis-sentinel" => usual.insert(0, "sentinel.conf"),
        _ => usual.extend(["--save", ""]),
    }
    let usual = usual.into_iter();
    Command::new(program)
        .args(usual.chain(arguments.iter().map(String::as_str)))
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{program}: {error}; these tests need it: apt-get install redis-server")
        })
}

/// Three nodes of a cluster, each with a third of the slots.
pub(crate) async fn cluster() -> [Server; 3] {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        // The bus has a port of its own, which is usually too high a number.
        let bus = Port::reserve();
        let port = bus.number().to_string();
        let arguments = ["--cluster-enabled", "yes", "--cluster-port", &port];
        let folder = tempfile::tempdir().unwrap();
        nodes.push(Server::start_in(folder, "redis-server", &arguments, bus).await);
    }
    for (index, node) in nodes.iter().enumerate() {
        let (first, last) = (index * 16384 / 3, (index + 1) * 16384 / 3 - 1);
        let (first, last) = (first.to_string(), last.to_string());
        node.ask(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
    }
    for other in &nodes[1..] {
        let [port, bus] = [&other.port, &other.other_port].map(|port| port.number().to_string());
        let meet = ["CLUSTER", "MEET", "127.0.0.1", &port, &bus];
        nodes[0].ask(&meet).await;
    }
    for node in &nodes {
        while !format!("{:?}", node.ask(&["CLUSTER", "INFO"]).await).contains("cluster_state:ok") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    nodes.try_into().unwrap_or_else(|_| panic!("three"))
}

/// A server that takes connections and answers this to whatever is said, again and again.
pub(crate) async fn liar(answer: &'static [u8]) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {
                    if tokio::io::AsyncWriteExt::write_all(&mut stream, answer)
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    port
}
