//! Accepts connections, and loses none of those that wait when it is closed. If the process has no file descriptors left, new
//! connections are closed at once instead of left waiting.

use std::fs::File;
use std::io;
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use crate::wire::socket::turn_new_away;

/// Retrying at once would only waste CPU time.
const PAUSE: Duration = Duration::from_millis(100);
/// The shortest time between two log lines about a shortage.
const SILENCE: Duration = Duration::from_secs(10);

/// Who else gets the connections that arrive at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody.
    Nothing,
    /// Whoever listens there, too, on a socket of its own (`SO_REUSEPORT`).
    Port,
    /// Whoever has the same socket: it stays open, with those who wait there, when this process ends.
    Socket,
}

/// A listener that stays responsive when file descriptors run out.
#[derive(Debug)]
pub(super) struct Door {
    listener: TcpListener,
    /// A spare file descriptor: it is closed to accept a connection, which is then closed as well.
    spare: Option<File>,
    /// When a shortage was last logged.
    logged_at: Option<Instant>,
}

impl Door {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            spare: spare(),
            logged_at: None,
        }
    }

    /// The next connection, if there is one.
    pub(super) async fn accept(&mut self) -> Option<TcpStream> {
        match self.listener.accept().await {
            Ok((stream, _)) => return Some(stream),
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                self.log(&error);
                if !(is_out_of_descriptors(&error) && self.turn_away().await) {
                    sleep(PAUSE).await;
                }
            }
        }
        None
    }

    /// Lets nobody in any more who has not begun to connect. Whoever is turned away so asks again after a second, and
    /// finds another process. Returns false if the system cannot do that.
    pub(super) fn let_nobody_new_in(&self) -> bool {
        turn_new_away(&self.listener)
    }

    /// The connections that wait; the door is closed when they are dropped.
    pub(super) fn waiting(self) -> impl Iterator<Item = TcpStream> {
        // Without the runtime, which may not have noticed them yet.
        let listener = self.listener.into_std().ok();
        std::iter::from_fn(move || {
            loop {
                match listener.as_ref()?.accept() {
                    Ok((stream, _)) => {
                        stream.set_nonblocking(true).ok()?;
                        return TcpStream::from_std(stream).ok();
                    }
                    Err(error) if is_about_one_connection(&error) => {}
                    Err(_) => return None,
                }
            }
        })
    }

    fn log(&mut self, error: &io::Error) {
        if self.logged_at.is_none_or(|at| at.elapsed() >= SILENCE) {
            self.logged_at = Some(Instant::now());
            tracing::error!("cannot accept connections: {error}");
        }
    }

    /// Closes the pending connection. Returns false if that failed.
    async fn turn_away(&mut self) -> bool {
        if self.spare.take().is_none() {
            self.spare = spare();
            return false;
        }
        // The connection is pending, unless it has gone meanwhile: there is nothing to wait for.
        let accepted = tokio::time::timeout(Duration::ZERO, self.listener.accept()).await;
        let is_done = matches!(accepted, Ok(Ok(_)));
        drop(accepted);
        self.spare = spare();
        is_done && self.spare.is_some()
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use super::{Door, Errno, TcpListener, TcpStream, io, is_out_of_descriptors};

    #[tokio::test]
    async fn who_cannot_be_served_is_turned_away_and_the_next_one_is_let_in() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut door = Door::new(listener);
        let refused = TcpStream::connect(address).await.unwrap();
        assert!(door.turn_away().await);
        assert_eq!(refused.peek(&mut [0]).await.unwrap_or(0), 0);
        let _served = TcpStream::connect(address).await.unwrap();
        assert!(door.accept().await.is_some());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn whoever_waits_when_it_is_closed_is_let_in() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = Door::new(listener);
        let mut guests = Vec::new();
        for _ in 0..3 {
            guests.push(TcpStream::connect(address).await.unwrap());
        }
        assert!(door.let_nobody_new_in());
        let late = TcpStream::connect(address);
        let waiting: Vec<TcpStream> = door.waiting().collect();
        let mut let_in: Vec<_> = waiting.iter().map(|one| one.peer_addr().unwrap()).collect();
        let mut expected: Vec<_> = guests.iter().map(|one| one.local_addr().unwrap()).collect();
        let_in.sort();
        expected.sort();
        assert_eq!(let_in, expected);
        late.await.unwrap_err();
    }

    #[test]
    fn the_systems_shortages_are_known() {
        let error = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        assert!(is_out_of_descriptors(&error(Errno::MFILE)));
        assert!(is_out_of_descriptors(&error(Errno::NFILE)));
        assert!(!is_out_of_descriptors(&error(Errno::CONNABORTED)));
    }
}
