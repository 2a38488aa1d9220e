//! `backstop serve`: start, wait for a signal, drain.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;

use super::arguments::ServeArgs;
use super::failure::Failure;
use super::settings::reachable;
use super::stop::Stop;
use super::watch::Watch;
use super::{print, settings, supervisor};
use crate::config::Config;
use crate::gateway::{Gateway, Host};

/// How long it may take to end once nothing is open: to write files, and to send the last traces.
const FAREWELL: Duration = Duration::from_secs(15);

/// From here on no signal ends the program that is meant to have a configuration or logs opened anew, however early it comes.
pub(super) fn outlive_signals(runtime: &Runtime) -> io::Result<()> {
    let _inside = runtime.enter();
    let (one, two) = (SignalKind::user_defined1(), SignalKind::user_defined2());
    // What is registered once stays so.
    let mut all = [SignalKind::hangup(), one, two].into_iter();
    all.try_for_each(|kind| signal(kind).map(drop))
}

/// Serves until SIGTERM or SIGINT; a second signal ends the drain as well. SIGHUP, a changed file and operators reload the
/// configuration. `host`: what the service manager has opened, and the threads for clients.
pub(super) async fn run(args: &ServeArgs, host: Host) -> Result<(), Failure> {
    let stop = Stop::listen()?;
    let hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let mut watch = Watch::begin(settings::own_file(&args.config));
    let found = settings::find(&args.config)?;
    let config = args.applied_to(found.config);
    watch.follow(&config);
    if let Some(made) = &found.made {
        print::open().context("cannot write to standard output")?;
        print::tell(made);
    }
    let runtimes = host.runtimes.clone();
    let gateway = Gateway::start_in(host, &config, Vec::new())
        .await
        .map_err(anyhow::Error::from)?;
    warn_if_open(&config, gateway.address());
    announce(&gateway, config.scheme(), &found.source);
    supervisor::ready();
    supervisor::show_life(runtimes);
    let serving = Serving {
        gateway,
        args,
        watch,
        hangup,
        stop,
    };
    let (gateway, stop) = serving.until_stopped().await?;
    let limits = &config.limits;
    let until = match limits.shutdown_delay {
        Duration::ZERO => "no new connections from now on".to_owned(),
        delay => format!("no new connections after {delay:?}"),
    };
    tracing::info!(
        "stopping: {until}, then open requests have {:?} to finish",
        limits.drain
    );
    supervisor::stopping(limits.shutdown_delay + limits.drain + FAREWELL);
    stop.drain(gateway).await;
    Ok(())
}

/// A gateway, and whatever may have its configuration read again.
struct Serving<'a> {
    gateway: Gateway,
    args: &'a ServeArgs,
    watch: Watch,
    hangup: Signal,
    stop: Stop,
}

impl Serving<'_> {
    async fn until_stopped(mut self) -> anyhow::Result<(Gateway, Stop)> {
        let mut requests = self.gateway.reload_requests();
        loop {
            let asker = tokio::select! {
                () = self.stop.asked() => return Ok((self.gateway, self.stop)),
                // Whoever started it starts it again; without an end nobody would.
                () = self.gateway.collapsed() => bail!("it accepts no connections any more, because of a bug"),
                Some(()) = self.hangup.recv() => None,
                () = self.watch.changed() => None,
                Some(request) = requests.recv() => Some(request),
            };
            supervisor::reloading();
            let reloading = async {
                let config = read(self.args, &mut self.watch).await;
                self.gateway.reload(config).await
            };
            let reloaded = tokio::select! {
                reloaded = reloading => reloaded,
                // The file system of what is read may be away.
                () = self.stop.asked() => return Ok((self.gateway, self.stop)),
            };
            supervisor::ready();
            // Everybody else learns from the log what came of it.
            if let Some(asker) = asker {
                let _ = asker.send(reloaded);
            }
        }
    }
}

/// Reads the configuration again, or says what is wrong with it.
async fn read(args: &ServeArgs, watch: &mut Watch) -> Result<Config, String> {
    let (look, named) = (watch.look(), args.config.clone());
    let reading = spawn_blocking(move || (look(), settings::find(&named)));
    let (held, found) = reading.await.map_err(|error| error.to_string())?;
    watch.was_read(held);
    let found = found.map_err(|failure| {
        if let Failure::Config(problems) = &failure {
            watch.follow_too(&problems.files);
        }
        failure.to_string()
    })?;
    let config = args.applied_to(found.config);
    watch.follow(&config);
    Ok(config)
}

impl ServeArgs {
    /// Arguments override the configuration.
    fn applied_to(&self, mut config: Config) -> Config {
        config.listen = self.listen.unwrap_or(config.listen);
        config.admin.listen = self.admin_listen.unwrap_or(config.admin.listen);
        config.hosts.extend(self.hosts.names());
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

fn announce(gateway: &Gateway, scheme: &str, source: &str) {
    let (address, admin) = (gateway.address(), gateway.admin_address());
    // The announced address must be one that can be connected to.
    let (here, there) = (reachable(address), reachable(admin));
    tracing::info!(%address, config = source, "serving clients: OPENAI_BASE_URL={scheme}://{here}/v1 ({source})");
    tracing::info!(address = %admin, "serving operators: http://{there}/metrics");
}

/// Everybody who reaches the address can spend the keys behind it.
fn warn_if_open(config: &Config, address: SocketAddr) {
    if config.clients.is_empty() && !address.ip().is_loopback() {
        tracing::warn!(
            %address,
            "whoever reaches {address} may use your provider keys: list `clients` in the configuration, or keep the address private",
        );
    }
}
