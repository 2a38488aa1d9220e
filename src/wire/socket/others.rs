//! What is done where a system has none of Linux's options.

use std::io;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use tokio::net::{TcpListener, TcpStream};

/// The system has its own limit.
pub fn limit_unsent(_socket: &TcpStream, _bytes: u32) -> io::Result<()> {
    Ok(())
}

/// The system has its own limit.
pub fn limit_unacknowledged(_socket: &TcpStream, _limit: Option<Duration>) -> io::Result<()> {
    Ok(())
}

/// The system has its own limit.
pub fn limit_new_unacknowledged(_connector: &mut HttpConnector, _limit: Duration) {}

/// Lets nobody connect any more who has not begun to. False: that cannot be had.
pub fn turn_new_away(_listener: &TcpListener) -> bool {
    false
}

/// Whether connections can be accepted from it: who cannot be asked is believed.
pub fn listens(_listener: &std::net::TcpListener) -> bool {
    true
}
