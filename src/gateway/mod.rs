//! The process: all parts built from a configuration, started, reloaded and drained.

mod assemble;
mod background;
mod certificates;
mod descriptors;
mod fixed;
mod fleet_figures;
mod foundation;
mod health_checks;
mod holder;
mod key_renewals;
mod known;
mod listening;
mod live_check;
mod memory_ticks;
mod model_check;
mod outage_ticks;
mod start_error;
mod trust;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

pub use certificates::check_expiry;
pub use listening::{Host, Sockets};
pub use live_check::{LiveFinding, check_live};
pub use start_error::StartError;
pub use trust::check_certificates;

use self::assemble::{Generation, Upstreams};
use self::background::Background;
use self::descriptors::Descriptors;
use self::foundation::Foundation;
use self::listening::Listening;
use self::trust::listener_tls;
use crate::admin::{Admin, Current, Felt, Live, ReloadRequest, Reloaded, Status, TakenOver};
use crate::config::Config;
use crate::event::{Event, ModelFinding, Sink};
use crate::server::{ConnectionLimits, Server, Sharing};
use crate::wire::caught;

/// What is said of a reload that meets one.
const BUG: &str = "a bug of the proxy: the log has a panic; the configuration before it stays";

/// A running gateway. Dropping it stops it at once; `drain` stops it gracefully.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    admin_address: SocketAddr,
    /// Whether another process answers operators while this one drains.
    has_successor: bool,
    started_with: Config,
    foundation: Foundation,
    current: Arc<ArcSwap<Generation>>,
    /// Renewed certificates apply to later connections.
    tls: Option<Arc<ArcSwap<rustls::ServerConfig>>>,
    /// Readiness fails once it is true.
    leaving: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    admin_stop: watch::Sender<bool>,
    /// The configuration by which it serves now.
    configs: watch::Sender<Config>,
    /// The same for operators.
    for_operators: watch::Sender<Arc<Current>>,
    /// Held while another generation takes over.
    taking_over: Arc<Mutex<()>>,
    /// Background tasks; they end with the gateway.
    background: Background,
}

impl Gateway {
    /// Listens and serves. `sinks` receive every event, besides metrics and log.
    pub async fn start(config: &Config, sinks: Vec<Box<dyn Sink>>) -> Result<Self, StartError> {
        Self::start_in(Host::default(), config, sinks).await
    }

    /// The same with what the process has for it.
    pub async fn start_in(
        host: Host,
        config: &Config,
        sinks: Vec<Box<dyn Sink>>,
    ) -> Result<Self, StartError> {
        log_warnings(config);
        let foundation = Foundation::new(config, sinks)?;
        let current = Arc::new(ArcSwap::from_pointee(
            Generation::of(config, &foundation, &Upstreams::new()).await?,
        ));
        foundation.follow(config)?;
        let tls = listener_tls(config)?.map(|tls| Arc::new(ArcSwap::new(tls)));
        let is_shared = config.reuse_port;
        let clients = Listening::start(host.sockets.clients, config.listen, is_shared, "--listen")?;
        let listen = config.admin.listen;
        let operators =
            Listening::start(host.sockets.operators, listen, is_shared, "--admin-listen")?;
        let (leaving, is_leaving) = watch::channel(false);
        let (stop, stopping) = watch::channel(false);
        let (admin_stop, admin_stopping) = watch::channel(false);
        let mut gateway = Self {
            address: clients.address,
            admin_address: operators.address,
            has_successor: operators.sharing == Sharing::Port,
            started_with: config.clone(),
            foundation: foundation.clone(),
            current: Arc::clone(&current),
            tls: tls.clone(),
            leaving,
            stop,
            tasks: JoinSet::new(),
            admin_stop,
            configs: watch::Sender::new(config.clone()),
            for_operators: watch::Sender::new(Arc::clone(&current.load().current)),
            taking_over: Arc::default(),
            background: Background::default(),
        };
        let descriptors = Descriptors::raised(host.runtimes.len());
        let mut limits = limits(config);
        limits.connections = descriptors.for_clients(limits.connections);
        let server = Server::new(clients.listener, clients.sharing, tls, limits.clone());
        gateway.serve_clients(server.on(host.runtimes), stopping);
        // Operators have to see what is wrong.
        limits.queueing = Duration::ZERO;
        limits.connections = descriptors.for_operators(config.limits.connections);
        let server = Server::new(operators.listener, operators.sharing, None, limits);
        gateway.serve_operators(server, is_leaving, admin_stopping);
        gateway.begin_background();
        Ok(gateway)
    }

    fn begin_background(&mut self) {
        let all = || (self.foundation.clone(), Arc::clone(&self.current));
        let tasks = &mut self.background;
        tasks.run(memory_ticks::run);
        let (foundation, current) = all();
        tasks.run(move || health_checks::run(foundation.clone(), Arc::clone(&current)));
        let (foundation, current) = all();
        tasks.run(move || key_renewals::run(foundation.clone(), Arc::clone(&current)));
        let (foundation, _) = all();
        tasks.run(move || outage_ticks::run(foundation.clone()));
        let (foundation, _) = all();
        tasks.run(move || fleet_figures::run(foundation.clone()));
        let (foundation, _) = all();
        tasks.run(move || {
            let notifier = Arc::clone(&foundation.notifier);
            notifier.run(foundation.events.clone())
        });
        if let Some(sharing) = &self.foundation.sharing {
            let (sharing, events) = (Arc::clone(sharing), self.foundation.events.clone());
            tasks.run(move || Arc::clone(&sharing).run(events.clone()));
        }
        let (foundation, configs) = (self.foundation.clone(), self.configs.clone());
        tasks.run(move || certificates::run(foundation.clone(), configs.subscribe()));
        let tracer = Arc::clone(&self.foundation.tracer);
        tasks.run(move || Arc::clone(&tracer).run());
        let (foundation, current) = all();
        let taking_over = Arc::clone(&self.taking_over);
        let (configs, for_operators) = (self.configs.clone(), self.for_operators.clone());
        tasks.run(move || {
            model_check::run(
                foundation.clone(),
                Arc::clone(&current),
                configs.subscribe(),
                Arc::clone(&taking_over),
                for_operators.clone(),
            )
        });
    }

    /// Uses another configuration from the next request on; open requests finish with the old one. The health of
    /// unchanged upstreams is kept. A configuration that is invalid, or could not even be read, changes nothing, and nor
    /// does one that a bug of ours cannot bear. Returns what has changed, or what is wrong.
    pub async fn reload(&self, config: Result<Config, String>) -> Reloaded {
        let taken_over = match config {
            Ok(config) => {
                let taken_over = caught::run(self.take_over(&config)).await;
                taken_over.unwrap_or_else(|| Err(BUG.to_owned()))
            }
            Err(reason) => Err(reason),
        };
        let event = match &taken_over {
            Ok(TakenOver { is_changed, .. }) => Event::ConfigReloaded {
                is_changed: *is_changed,
            },
            Err(reason) => Event::ConfigRejected {
                reason: reason.clone(),
            },
        };
        self.foundation.events.emit(&event);
        taken_over
    }

    /// What operators ask for: to read the configuration again, reload, and tell what came of it. Without a call of this,
    /// they are told that there is nothing to be read.
    pub fn reload_requests(&self) -> mpsc::Receiver<ReloadRequest> {
        self.foundation.reloader.requests()
    }

    /// Each request is served with the configuration that is current when it arrives.
    fn serve_clients(&mut self, server: Server, stopping: watch::Receiver<bool>) {
        let current = Arc::clone(&self.current);
        let handler = move |request, shutdown| {
            let generation = current.load_full();
            async move { generation.api.handle(request, shutdown).await }
        };
        self.tasks.spawn(server.serve(handler, stopping));
    }

    fn serve_operators(
        &mut self,
        server: Server,
        is_leaving: watch::Receiver<bool>,
        admin_stopping: watch::Receiver<bool>,
    ) {
        let Foundation {
            metrics,
            health,
            memory,
            history,
            recent,
            events,
            reloader,
            sharing,
            ..
        } = self.foundation.clone();
        let admin = Admin {
            metrics,
            history: history.clone(),
            memory,
            status: Status {
                health,
                recent,
                felt: Arc::new(Felt::by(history)),
                current: self.for_operators.subscribe(),
                leaving: is_leaving,
                sharing,
                started: Timestamp::now(),
            },
            live: Live::new(admin_stopping.clone()),
            reloader,
            events,
        };
        let handler = move |request, _| {
            let admin = admin.clone();
            async move { admin.handle(request).await.into() }
        };
        self.tasks.spawn(server.serve(handler, admin_stopping));
    }

    async fn take_over(&self, config: &Config) -> Reloaded {
        let message = |error: StartError| error.to_string();
        let tls = listener_tls(config).map_err(message)?;
        let _taking_over = self.taking_over.lock().await;
        let next = Generation::of(
            config,
            &self.foundation,
            &self.current.load_full().upstreams,
        )
        .await
        .map_err(message)?;
        if let (Some(current), Some(next)) = (&self.tls, tls) {
            current.store(next);
        }
        self.foundation.follow(config).map_err(message)?;
        self.for_operators.send_replace(Arc::clone(&next.current));
        self.foundation.keys.send_replace(Arc::clone(&next.clients));
        self.current.store(Arc::new(next));
        let before = self.configs.send_replace(config.clone());
        let is_changed = before != *config;
        if is_changed {
            log_warnings(config);
        }
        let at_next_start = fixed::changed(&self.started_with, config);
        for what in &at_next_start {
            tracing::warn!("`{what}` has changed; that takes effect at the next start");
        }
        Ok(TakenOver {
            is_changed,
            at_next_start,
        })
    }

    /// Waits until it serves no more, which happens without [`Self::drain`] only by a bug.
    pub async fn collapsed(&mut self) {
        let _ = self.tasks.join_next().await;
    }

    /// The address at which clients are served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address at which operators are served.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Says that it is not ready, stops accepting after a delay, lets open requests finish within the grace time, and
    /// ends. Operators are served until the end, unless another process does that: it is the one that is ready.
    pub async fn drain(mut self) {
        self.leaving.send_replace(true);
        self.admin_stop.send_replace(self.has_successor);
        // Whoever passes requests on to us needs a while to learn that.
        sleep(self.started_with.limits.shutdown_delay).await;
        self.stop.send_replace(true);
        self.tasks.join_next().await;
        self.admin_stop.send_replace(true);
        self.tasks.join_next().await;
        self.foundation.tracer.flush().await;
        self.background.end().await;
        if let Some(sharing) = &self.foundation.sharing {
            sharing.leave().await;
        }
    }
}

/// What is known, without asking anybody, about the models that a configuration names.
pub fn check_models(config: &Config) -> Vec<ModelFinding> {
    model_check::known(config)
}

/// What the check of the configuration warns of, once for each configuration.
fn log_warnings(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!(line = warning.line, "the configuration: {warning}");
    }
}

fn limits(config: &Config) -> ConnectionLimits {
    ConnectionLimits {
        connections: config.limits.connections,
        headers: config.limits.headers,
        queueing: config.limits.queueing,
        idle: config.limits.idle_connection,
        write: config.limits.write,
        drain: config.limits.drain,
    }
}
