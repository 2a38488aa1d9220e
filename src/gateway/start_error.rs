//! Why a gateway cannot start.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

use crate::upstream::KeyError;
use crate::wire::tls::TlsError;

/// Why a gateway cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        reason: io::Error,
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
