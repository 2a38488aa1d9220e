//! No request fails while the configuration is reloaded and the program is replaced, in both ways.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use backstop::simulator::{Script, Simulator};
use socket2::{Domain, Socket, Type};
use tokio::net::UnixDatagram;
use tokio::process::Command;

use super::{Running, address, backstop};
use crate::harness::{Setup, within};
use crate::load::Load;

const RELOADS: usize = 100;
const RESTARTS: usize = 5;

async fn upstream() -> Simulator {
    let script = Script::answer("one two three four five six seven eight nine ten")
        .with_token_delay(Duration::from_millis(30));
    Simulator::start("only", script).await.unwrap()
}

/// Writes a configuration that no other number has, as editors do: beside it, then in its place.
fn write(folder: &Path, upstream: &Simulator, more: &str, number: usize) {
    let total = format!("timeouts: {{total: {}s}}\n{more}", 300 + number);
    let yaml = Setup::new().upstream(upstream).lines(&total).yaml();
    std::fs::write(folder.join("new.yaml"), yaml).unwrap();
    std::fs::rename(folder.join("new.yaml"), folder.join("backstop.yaml")).unwrap();
}

/// Sees the old program out, and what it said last.
async fn see_out(mut old: Running) {
    assert_eq!(old.terminate().await, Some(0));
    old.logged("\"message\":\"stopped\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_and_programs_that_share_a_port_lose_nothing() {
    let upstream = upstream().await;
    let folder = tempfile::tempdir().unwrap();
    // Bound, but not listening: the port is ours, and nobody is led here.
    let [clients, admin] = [(); 2].map(|()| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_port(true).unwrap();
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).unwrap();
        socket
    });
    let port = |socket: &Socket| {
        socket
            .local_addr()
            .unwrap()
            .as_socket()
            .unwrap()
            .to_string()
    };
    let (clients, admin) = (port(&clients), port(&admin));
    let more = "reuse_port: true\nlimits: {drain: 20s}\n";
    let serve = [
        "--listen",
        &clients,
        "--admin-listen",
        &admin,
        "--state-dir",
        "state",
    ];
    write(folder.path(), &upstream, more, 0);
    let start = || Running::start(backstop(folder.path(), &serve));
    let mut running = start();
    running.logged("serving operators").await;
    let load = Load::start(&clients, "any", &[0, 1]);
    for number in 1..=RELOADS {
        write(folder.path(), &upstream, more, number);
        // Every tenth one is noticed without a signal.
        if number % 10 != 0 {
            running.signal("-HUP").await;
        }
        running.logged("serving by the new configuration").await;
    }
    for _ in 0..RESTARTS {
        let mut next = start();
        next.logged("serving operators").await;
        see_out(running).await;
        running = next;
    }
    let answered = load.end().await;
    assert!(answered > RELOADS);
    see_out(running).await;
    assert!(upstream.received_count() >= answered);
}

/// The program with two listening sockets, as a service manager passes them (`sd_listen_fds(3)`).
fn with_sockets(folder: &Path, [clients, admin]: [&TcpListener; 2]) -> Command {
    let script =
        "exec 3<&0 4<&1 0</dev/null 1>/dev/null; LISTEN_PID=$$ exec \"$0\" --state-dir state";
    let whole = |socket: &TcpListener| Stdio::from(OwnedFd::from(socket.try_clone().unwrap()));
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_backstop")])
        .env_clear()
        .envs([("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "admin:clients")])
        .current_dir(folder)
        .kill_on_drop(true)
        .stdin(whole(admin))
        .stdout(whole(clients))
        .stderr(Stdio::piped());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_on_passed_sockets_is_restarted_and_nobody_notices() {
    let upstream = upstream().await;
    let folder = tempfile::tempdir().unwrap();
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [clients, admin] = [0, 1].map(|at: usize| sockets[at].local_addr().unwrap().to_string());
    write(folder.path(), &upstream, "limits: {drain: 20s}\n", 0);
    let start = || Running::start(with_sockets(folder.path(), [&sockets[0], &sockets[1]]));
    let mut running = start();
    let told = address(&running.logged("OPENAI_BASE_URL=http://").await);
    assert_eq!(told, clients);
    let told = address(&running.logged("serving operators: http://").await);
    assert_eq!(told, admin);
    let load = Load::start(&clients, "any", &[0, 1]);
    for _ in 0..RESTARTS {
        see_out(running).await;
        running = start();
        running.logged("serving operators").await;
    }
    let answered = load.end().await;
    assert!(answered > RESTARTS);
    see_out(running).await;
}

#[tokio::test]
async fn what_is_passed_and_does_not_listen_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = upstream().await;
    write(folder.path(), &upstream, "", 0);
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = std::net::TcpStream::connect(listening.local_addr().unwrap()).unwrap();
    let mut command = with_sockets(folder.path(), [&listening, &listening]);
    command.stdin(Stdio::from(OwnedFd::from(connected)));
    let output = within(command.output()).await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("\"admin\"") && said.contains("Accept=no"),
        "{said}"
    );
}

/// A file that changes is enough, and a wrong one is told of once.
#[tokio::test]
async fn a_changed_file_is_read_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = upstream().await;
    write(folder.path(), &upstream, "", 0);
    let mut running = Running::start(backstop(folder.path(), &super::SERVE));
    running.logged("serving operators").await;
    write(folder.path(), &upstream, "", 1);
    running.logged("serving by the new configuration").await;

    write(folder.path(), &upstream, "nonsense: 1\n", 2);
    running.logged("the old one stays").await;
    let file = folder.path().join("backstop.yaml");
    // Written in place.
    let good = Setup::new().upstream(&upstream);
    std::fs::write(&file, good.yaml()).unwrap();
    let between = running.log_until("serving by the new configuration").await;
    assert!(!between.contains("the old one stays"), "{between}");
    assert_eq!(running.terminate().await, Some(0));
}

/// Ready, alive, reloading, draining: `sd_notify(3)`.
#[tokio::test]
async fn the_service_manager_is_told_how_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = upstream().await;
    write(folder.path(), &upstream, "", 0);
    let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    let mut command = backstop(folder.path(), &super::SERVE);
    command
        .env("NOTIFY_SOCKET", folder.path().join("notify"))
        .env("WATCHDOG_USEC", "2000000");
    let running = Running::start(command);
    let heard = async |wanted: &str| loop {
        let mut message = [0; 256];
        let length = within(manager.recv(&mut message)).await.unwrap();
        let message = String::from_utf8_lossy(&message[..length]).into_owned();
        if message.contains(wanted) {
            return message;
        }
    };
    heard("READY=1").await;
    heard("WATCHDOG=1").await;
    running.signal("-HUP").await;
    let message = heard("RELOADING=1").await;
    assert!(message.contains("MONOTONIC_USEC="), "{message}");
    heard("READY=1").await;
    running.signal("-TERM").await;
    heard("STOPPING=1").await;
}
