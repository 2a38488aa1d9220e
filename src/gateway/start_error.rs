//! Why a gateway cannot start.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

use super::holder;
use crate::upstream::KeyError;
use crate::wire::tls::TlsError;

/// Why a gateway cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}{fix}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        reason: io::Error,
        /// The way out, with what stands in front of it in a sentence; empty: there is none to name.
        fix: String,
    },
    /// A certificate or key cannot be used.
    #[error("{whose}: {reason}")]
    Tls {
        /// The place in the configuration.
        whose: String,
        /// What is wrong.
        reason: TlsError,
    },
    /// A key cannot be read.
    #[error("{whose}: {reason}")]
    Key {
        /// The place in the configuration, and the file or the program.
        whose: String,
        /// What is wrong.
        reason: KeyError,
    },
    /// Traces cannot be sent.
    #[error("traces: {reason}")]
    Traces {
        /// What is wrong.
        reason: String,
    },
    /// The metrics contradict each other, which is a bug.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl StartError {
    /// `option`: the argument that names another address.
    pub(super) fn listen(address: SocketAddr, reason: io::Error, option: &str) -> Self {
        let other = SocketAddr::new(address.ip(), 0);
        let fix = match reason.kind() {
            io::ErrorKind::AddrInUse => {
                let who = match holder::of(address) {
                    Some(holder) => format!("; {holder} holds it: stop that"),
                    None => "; another program holds it: stop that".to_owned(),
                };
                format!(
                    "{who}, or name another address, for example {option} {other} for any free port; a backstop that \
                     is to take over from another one needs `reuse_port: true` in the configuration of both"
                )
            }
            io::ErrorKind::AddrNotAvailable => {
                let everywhere = SocketAddr::from(([0, 0, 0, 0], address.port()));
                format!(
                    "; this machine has no such address: {option} {everywhere} listens at all that it has"
                )
            }
            io::ErrorKind::PermissionDenied => {
                format!(
                    "; ports below 1024 may be closed to ordinary users: name one above, for example {option} {}:4000",
                    address.ip()
                )
            }
            _ => String::new(),
        };
        Self::Listen {
            address,
            reason,
            fix,
        }
    }
}
