//! A real Redis server behind a relay, and what may become of it.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::sleep;

use super::replica::free_port;

/// What becomes of the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Killed,
    StandsStill,
    CutOff,
    Emptied,
}

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Killed => "is killed",
            Self::StandsStill => "stands still (SIGSTOP)",
            Self::CutOff => "is cut off: nothing passes either way",
            Self::Emptied => "is emptied (FLUSHALL)",
        }
    }
}

/// The server; it ends when this is dropped.
pub(crate) struct Redis {
    port: u16,
    relay: u16,
    child: Child,
    is_cut: watch::Sender<bool>,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let port = free_port();
        let (is_cut, cut) = watch::channel(false);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, port, cut.clone()));
            }
        });
        let redis = Self {
            port,
            relay,
            child: spawn(port),
            is_cut,
        };
        redis.answers().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.relay)
    }

    pub(crate) async fn begin(&mut self, fault: Fault) {
        match fault {
            Fault::Killed => self.child.kill().await.unwrap(),
            Fault::StandsStill => self.signal(Signal::STOP),
            Fault::CutOff => drop(self.is_cut.send_replace(true)),
            Fault::Emptied => self.flush().await,
        }
    }

    pub(crate) async fn end(&mut self, fault: Fault) {
        match fault {
            Fault::Killed => {
                self.child = spawn(self.port);
                self.answers().await;
            }
            Fault::StandsStill => self.signal(Signal::CONT),
            Fault::CutOff => drop(self.is_cut.send_replace(false)),
            Fault::Emptied => {}
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id as i32));
        kill_process(pid.unwrap(), signal).unwrap();
    }

    async fn flush(&self) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(b"FLUSHALL\r\n").await.unwrap();
        stream.read_u8().await.unwrap();
    }

    async fn answers(&self) {
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn spawn(port: u16) -> Child {
    Command::new("redis-server")
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ])
        .kill_on_drop(true)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Passes bytes on both ways, but not while it is cut.
async fn pass(client: TcpStream, port: u16, cut: watch::Receiver<bool>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // When one side ends, so does the other.
    tokio::select! {
        () = copy(from_client, to_server, cut.clone()) => {}
        () = copy(from_server, to_client, cut) => {}
    }
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut cut: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if cut.wait_for(|is_cut| !is_cut).await.is_err()
            || to.write_all(&buffer[..count]).await.is_err()
        {
            return;
        }
    }
}
