//! `backstop serve`: start, wait for a signal, drain.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::arguments::ServeArgs;
use super::failure::Failure;
use super::settings::reachable;
use super::stop::Stop;
use super::{print, settings};
use crate::config::Config;
use crate::gateway::Gateway;

/// Serves until SIGTERM or SIGINT; a second signal ends the drain as well. SIGHUP reloads the configuration.
pub(super) async fn run(args: &ServeArgs) -> Result<(), Failure> {
    let stop = Stop::listen()?;
    let hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let found = settings::find(&args.config)?;
    let config = args.applied_to(found.config);
    if let Some(made) = &found.made {
        print::open().context("cannot write to standard output")?;
        print::tell(made);
    }
    warn_if_open(&config);
    let gateway = Gateway::start(&config, Vec::new())
        .await
        .map_err(anyhow::Error::from)?;
    announce(&gateway, &found.source);
    let stop = reload_until_stopped(&gateway, args, hangup, stop).await;
    tracing::info!(
        "stopping: no new connections after {:?}, then open requests have {:?} to finish",
        config.limits.shutdown_delay,
        config.limits.drain
    );
    stop.drain(gateway).await;
    Ok(())
}

async fn reload_until_stopped(
    gateway: &Gateway,
    args: &ServeArgs,
    mut hangup: Signal,
    mut stop: Stop,
) -> Stop {
    let mut requests = gateway.reload_requests();
    let read = || {
        let found = settings::find(&args.config);
        let config = found.map(|found| args.applied_to(found.config));
        config.map_err(|failure| failure.to_string())
    };
    loop {
        tokio::select! {
            () = stop.asked() => return stop,
            Some(()) = hangup.recv() => {
                // The log tells what came of it.
                let _ = gateway.reload(read()).await;
            }
            Some(request) = requests.recv() => {
                let _ = request.send(gateway.reload(read()).await);
            }
        }
    }
}

impl ServeArgs {
    /// Arguments override the configuration.
    fn applied_to(&self, mut config: Config) -> Config {
        config.listen = self.listen.unwrap_or(config.listen);
        config.admin.listen = self.admin_listen.unwrap_or(config.admin.listen);
        let typed = self.hosts.iter().map(|name| name.trim());
        let typed = typed.filter(|name| !name.is_empty());
        config.hosts.extend(typed.map(str::to_owned));
        let typed = self.state_dir.clone();
        config.state_dir = typed.or(config.state_dir).or_else(usual_state_dir);
        config
    }
}

/// Where a program keeps its state: systemd's directory, or the XDG base directory specification.
fn usual_state_dir() -> Option<PathBuf> {
    let folder = |name: &str, below: &str| {
        let folder = env::var_os(name).map(PathBuf::from)?;
        folder.is_absolute().then(|| folder.join(below))
    };
    folder("STATE_DIRECTORY", "")
        .or_else(|| folder("XDG_STATE_HOME", "backstop"))
        .or_else(|| folder("HOME", ".local/state/backstop"))
}

fn announce(gateway: &Gateway, source: &str) {
    let (address, admin) = (gateway.address(), gateway.admin_address());
    // The announced address must be one that can be connected to.
    let (here, there) = (reachable(address), reachable(admin));
    tracing::info!(%address, config = source, "serving clients: OPENAI_BASE_URL=http://{here}/v1 ({source})");
    tracing::info!(address = %admin, "serving operators: http://{there}/metrics");
}

/// Everybody who reaches the address can spend the keys behind it.
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
