//! The listening sockets: bound here, or passed by whoever keeps them while processes come and go.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;

use super::start_error::StartError;
use crate::server::Sharing;

/// How many connections may wait to be accepted, if the system allows it.
const BACKLOG: u32 = 1024;

/// Sockets that somebody else has opened, and keeps open when this process ends.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For clients, in place of `listen`.
    pub clients: Option<StdListener>,
    /// For operators, in place of `admin.listen`.
    pub operators: Option<StdListener>,
}

/// What a process gives its gateway.
#[derive(Debug, Default)]
pub struct Host {
    pub sockets: Sockets,
    /// Where clients are served; nowhere: in the runtime that starts the gateway. Each has one thread, and outlives the gateway.
    pub runtimes: Vec<Handle>,
}

/// A socket that listens.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) listener: TcpListener,
    pub(super) sharing: Sharing,
    /// With the port that was bound, where the configuration says port 0.
    pub(super) address: SocketAddr,
}

impl Listening {
    /// Listens at an address, unless a socket was passed. `option`: the argument that names another address.
    pub(super) fn start(
        passed: Option<StdListener>,
        address: SocketAddr,
        reuse_port: bool,
        option: &'static str,
    ) -> Result<Self, StartError> {
        let sharing = match (&passed, reuse_port) {
            (Some(_), _) => Sharing::Socket,
            (None, true) => Sharing::Port,
            (None, false) => Sharing::Nothing,
        };
        let start = || {
            let listener = match passed {
                Some(listener) => adopt(listener)?,
                None => bind(address, reuse_port)?,
            };
            let address = listener.local_addr()?;
            Ok(Self {
                listener,
                sharing,
                address,
            })
        };
        start().map_err(|reason| StartError::listen(address, reason, option))
    }
}

fn adopt(listener: StdListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn bind(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of a process before that are not quite over do not prevent it.
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(reuse_port)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
