//! The process: everything put together from a configuration, started, and drained.

mod assemble;
mod probes;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::assemble::Parts;
use crate::admin::Admin;
use crate::config::Config;
use crate::event::Sink;
use crate::server::{Limits, Server};
use crate::wire::tls::TlsError;

/// A running gateway. Dropped, it stops at once; `drain` stops it gently.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    admin_address: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    admin_stop: watch::Sender<bool>,
    /// Work that nobody waits for; it ends with the gateway.
    background: JoinSet<()>,
}

/// Why a gateway cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
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
    /// The metrics contradict each other; a defect of ours.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl Gateway {
    /// Listens and serves. `listeners` hear of every event, besides metrics and log.
    pub async fn start(config: &Config, listeners: Vec<Box<dyn Sink>>) -> Result<Self, StartError> {
        let parts = Parts::of(config, listeners)?;
        let listener = listen(config.listen).await?;
        let admin_listener = listen(config.admin.listen).await?;
        let (stop, stopping) = watch::channel(false);
        let (admin_stop, admin_stopping) = watch::channel(false);
        let mut gateway = Self {
            address: address_of(&listener, config.listen)?,
            admin_address: address_of(&admin_listener, config.admin.listen)?,
            stop,
            tasks: JoinSet::new(),
            admin_stop,
            background: JoinSet::new(),
        };
        let limits = limits(config);
        let api = Arc::new(parts.api);
        let server = Server::new(listener, parts.tls, limits.clone());
        gateway.tasks.spawn(server.serve(
            move |request| {
                let api = Arc::clone(&api);
                async move { api.handle(request).await }
            },
            stopping.clone(),
        ));
        let background = probes::run(Arc::clone(&parts.health), parts.upstreams, parts.events);
        gateway.background.spawn(background);
        let admin = Admin::new(parts.metrics, parts.health, parts.routes, stopping);
        let admin_server = Server::new(admin_listener, None, limits);
        gateway.tasks.spawn(
            admin_server.serve(move |request| admin.clone().handle(request), admin_stopping),
        );
        Ok(gateway)
    }

    /// Where clients are served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where operators are served.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Stops accepting, lets open requests finish within the grace time, and ends. Operators are served to the end.
    pub async fn drain(mut self) {
        self.stop.send_replace(true);
        self.tasks.join_next().await;
        self.admin_stop.send_replace(true);
        self.tasks.join_next().await;
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|reason| StartError::Listen { address, reason })
}

/// The port that was really taken, where the configuration asks for port 0.
fn address_of(listener: &TcpListener, asked: SocketAddr) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|reason| StartError::Listen {
        address: asked,
        reason,
    })
}

fn limits(config: &Config) -> Limits {
    Limits {
        connections: config.limits.connections,
        headers: config.limits.headers,
        idle: config.limits.idle_connection,
        drain: config.limits.drain,
    }
}
