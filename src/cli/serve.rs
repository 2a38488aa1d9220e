//! `backstop serve`: start, wait for a signal, drain.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, ServeArgs, settings};
use crate::config::Config;
use crate::gateway::Gateway;

/// Serves until SIGTERM or SIGINT; a second signal ends the draining, too.
pub(super) async fn run(args: &ServeArgs) -> Result<(), Failure> {
    let found = settings::find(&args.config)?;
    let mut config = found.config;
    config.listen = args.listen.unwrap_or(config.listen);
    config.admin.listen = args.admin_listen.unwrap_or(config.admin.listen);
    if let Some(made) = &found.made {
        println!("{made}");
    }
    warn_if_open(&config);
    let gateway = Gateway::start(&config, Vec::new())
        .await
        .map_err(anyhow::Error::from)?;
    announce(&gateway, &found.source);
    stop_signal().await?;
    tracing::info!(
        "stopping: open requests have {:?} to finish",
        config.limits.drain
    );
    tokio::select! {
        () = gateway.drain() => tracing::info!("stopped"),
        again = stop_signal() => {
            again?;
            tracing::warn!("stopped at once: the signal came twice");
        }
    }
    Ok(())
}

fn announce(gateway: &Gateway, source: &str) {
    let (address, admin) = (gateway.address(), gateway.admin_address());
    tracing::info!(%address, config = source, "serving clients: OPENAI_BASE_URL=http://{address}/v1");
    tracing::info!(address = %admin, "serving operators: http://{admin}/metrics");
}

/// Whoever reaches the address can spend the keys behind it.
fn warn_if_open(config: &Config) {
    let is_local = |address: &SocketAddr| address.ip().is_loopback();
    if config.clients.is_empty() && !is_local(&config.listen) {
        tracing::warn!(
            address = %config.listen,
            "whoever reaches {} may use your provider keys: list `clients` in the configuration, or keep the address private",
            config.listen
        );
    }
}

/// Waits for SIGTERM or SIGINT.
pub(super) async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
