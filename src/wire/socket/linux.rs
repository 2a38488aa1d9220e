//! Options of sockets that Linux has.

use std::io;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use socket2::{SockFilter, SockRef};
use tokio::net::{TcpListener, TcpStream};

/// A packet filter that drops what asks for a new connection: byte 13 of a TCP header has the flags, 2 is SYN (RFC 9293).
/// The instructions are those of classic BPF: load a byte, jump if a bit is set, return.
const NO_SYN: [SockFilter; 4] = [
    SockFilter::new(0x30, 0, 0, 13),
    SockFilter::new(0x45, 0, 1, 2),
    SockFilter::new(0x06, 0, 0, 0),
    SockFilter::new(0x06, 0, 0, u32::MAX),
];

/// No more bytes than this wait in the system to be sent for the first time.
pub fn limit_unsent(socket: &TcpStream, bytes: u32) -> io::Result<()> {
    SockRef::from(socket).set_tcp_notsent_lowat(bytes)
}

/// A connection breaks when what it has sent is not acknowledged for so long; `None`: when the system says so, after a quarter
/// of an hour or so.
pub fn limit_unacknowledged(socket: &TcpStream, limit: Option<Duration>) -> io::Result<()> {
    SockRef::from(socket).set_tcp_user_timeout(limit)
}

/// The same for all connections that a connector opens from now on.
pub fn limit_new_unacknowledged(connector: &mut HttpConnector, limit: Duration) {
    connector.set_tcp_user_timeout(Some(limit));
}

/// Lets nobody connect any more who has not begun to. False: that cannot be had.
pub fn turn_new_away(listener: &TcpListener) -> bool {
    SockRef::from(listener).attach_filter(&NO_SYN).is_ok()
}

/// Whether connections can be accepted from it.
pub fn listens(listener: &std::net::TcpListener) -> bool {
    SockRef::from(listener).is_listener().unwrap_or(false)
}
