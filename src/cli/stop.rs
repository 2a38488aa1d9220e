//! How a program that serves ends: asked once, it drains; asked again, it ends at once.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::gateway::Gateway;

/// SIGTERM and SIGINT, from the moment of [`Stop::listen`] on: of those that come while nobody waits, one
/// is kept.
///
/// Made once, before anything is announced. Whoever registers anew for each wait loses what comes between
/// two of them, and before the first one the system's default ends the process without draining.
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

    /// Waits until the program is asked to stop.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Lets open requests finish, unless the program is asked again.
    pub(super) async fn drain(mut self, gateway: Gateway) {
        tokio::select! {
            () = gateway.drain() => tracing::info!("stopped"),
            () = self.asked() => tracing::warn!("stopped at once: the signal came twice"),
        }
    }
}
