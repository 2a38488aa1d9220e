//! How a serving program ends: the first signal drains it, the second ends it at once.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::gateway::Gateway;

/// SIGTERM and SIGINT, from the moment of [`Stop::listen`] on. Of the signals that arrive while nothing waits for them,
/// one is kept.
///
/// It is made once, before the address is announced. Registering anew for each wait would lose the signals in between,
/// and before the first registration the system's default ends the process without draining.
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
        })
    }

    /// Waits until the program receives a signal.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Lets open requests finish, unless the program receives another signal.
    pub(super) async fn drain(mut self, gateway: Gateway) {
        tokio::select! {
            () = gateway.drain() => tracing::info!("stopped"),
            () = self.asked() => tracing::warn!("stopped at once: the signal came twice"),
        }
    }
}
