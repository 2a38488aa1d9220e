//! Events turned into Prometheus metrics.
//!
//! Every label value is a configured name or one of a fixed list, so the number of series is bounded by the
//! configuration, whatever clients send. Series are there before their first event, so that Prometheus sees the event as an
//! increase. What almost every request needs is looked up by name and not by labels.

mod attempts;
mod certificates;
mod changes;
mod clients;
mod families;
mod health;
mod known;
mod labels;
mod memory;
mod moves;
mod notifications;
mod process;
mod process_counter;
mod reloads;
mod requests;
mod retirements;
mod shared;
mod timings;

use std::time::Duration;

use prometheus::{Opts, Registry, TextEncoder};

use self::attempts::Attempts;
use self::certificates::Certificates;
use self::changes::Changes;
use self::clients::Clients;
use self::health::Times;
pub use self::health::{Now, RouteCandidates};
pub use self::known::{Known, KnownClient, KnownRoute, KnownUpstream};
use self::memory::MemoryMetrics;
use self::moves::Moves;
use self::notifications::Notifications;
use self::process::{Process, unix_time};
use self::process_counter::ProcessCounter;
use self::reloads::Reloads;
use self::requests::Requests;
use self::retirements::Retirements;
use self::shared::Shared;
use crate::event::{Event, Sink};

/// All metrics of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// When, since 1970.
    started: Duration,
    requests: Requests,
    clients: Clients,
    attempts: Attempts,
    moves: Moves,
    changes: Changes,
    retirements: Retirements,
    certificates: Certificates,
    reloads: Reloads,
    notifications: Notifications,
    memory: MemoryMetrics,
    shared: Shared,
}

impl Metrics {
    /// Fresh metrics, all at zero.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let version = Opts::new(
            "backstop_build_info",
            "Always 1; the label tells the version.",
        );
        let version = version.const_label("version", env!("CARGO_PKG_VERSION"));
        families::info(&registry, version)?;
        registry.register(Box::new(ProcessCounter::log_lines_lost()?))?;
        registry.register(Box::new(ProcessCounter::panics()?))?;
        registry.register(Box::new(Process::new()?))?;
        Ok(Self {
            requests: Requests::new(&registry)?,
            clients: Clients::new(&registry)?,
            attempts: Attempts::new(&registry)?,
            moves: Moves::new(&registry)?,
            changes: Changes::new(&registry)?,
            retirements: Retirements::new(&registry)?,
            certificates: Certificates::new(&registry)?,
            reloads: Reloads::new(&registry)?,
            notifications: Notifications::new(&registry)?,
            memory: MemoryMetrics::new(&registry)?,
            shared: Shared::new(&registry)?,
            started: unix_time(),
            registry,
        })
    }

    /// Another configuration takes over: makes the series of its names. Counters of names that are gone stay.
    pub fn adopt(&self, known: &Known) {
        self.requests.adopt(known);
        self.clients.adopt(known);
        self.attempts.adopt(known);
        self.moves.adopt(known);
        self.changes.adopt(known);
        self.notifications.adopt(known);
        self.retirements.show(&[]);
    }

    /// These certificates are shown, each by its place in the configuration, until these times in seconds since 1970.
    pub fn certificates<'a>(&self, expiries: impl Iterator<Item = (&'a str, i64)>) {
        self.certificates.show(expiries);
    }

    /// The metrics in Prometheus' text format, with the state of upstreams and routes as it is now.
    pub fn render(&self, now: &Now) -> String {
        let of_now = Registry::new();
        // It fails only for names that Prometheus does not allow.
        let _ = health::show(
            &of_now,
            now,
            Times {
                now: unix_time(),
                started: self.started,
            },
        );
        let mut families = self.registry.gather();
        families.extend(of_now.gather());
        families.sort_by(|one, other| one.name().cmp(other.name()));
        let mut text = String::new();
        // Encoding into a string fails only for metrics without a name.
        let _ = TextEncoder::new().encode_utf8(&families, &mut text);
        text
    }

    /// Takes note of how many bytes bodies hold now, and how often there was no memory for one.
    pub fn show_memory(&self, used: usize, refused: u64) {
        self.memory.show(used, refused);
    }
}

impl Sink for Metrics {
    fn record(&self, event: &Event) {
        match event {
            Event::RequestStarted => self.requests.started(),
            Event::AttemptFinished { report, .. } => self.attempts.count(report),
            // Shown as a gauge, from health.
            Event::TakenOut { .. } | Event::PutBack { .. } => {}
            Event::HealthChecked {
                upstream,
                is_reached,
            } => self.changes.health_checked(upstream, *is_reached),
            Event::FailedOver {
                from, to, reason, ..
            } => self.moves.failed_over(from, to, reason),
            Event::Continued { from, to, .. } => self.moves.continued(from, to),
            Event::HealthChanged(change) => self.changes.health(change),
            Event::KeyRenewed {
                upstream, failure, ..
            } => self.changes.key_renewed(upstream, failure.is_none()),
            Event::ModelsChecked(findings) => self.retirements.show(findings),
            Event::ConfigReloaded { is_changed } => self.reloads.succeeded(*is_changed),
            Event::ConfigRejected { .. } => self.reloads.rejected(),
            Event::Notified { place, failure } => {
                self.notifications.count(place, failure.is_none());
            }
            Event::Shared(news) => self.shared.count(news),
            Event::RequestFinished(report) => {
                self.requests.finished(report);
                self.clients.finished(report);
                self.moves.answered(report);
            }
        }
    }
}
