//! Events turned into Prometheus metrics.
//!
//! Every label value is a configured name or one of a fixed list, so the number of series is bounded by the
//! configuration, whatever clients send.

mod health;
mod keys;
mod labels;
mod log_lines;
mod memory;
mod retirements;
mod timings;

use prometheus::{Gauge, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

use self::health::HealthGauges;
use self::keys::KeyRenewals;
use self::labels::{model_label, status_label};
use self::log_lines::LogLinesLost;
use self::memory::MemoryMetrics;
use self::retirements::Retirements;
use self::timings::Timings;
use crate::event::{Event, HealthChange, RequestReport, Sink};
use crate::health::ScopeView;

/// All metrics of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    in_flight: IntGauge,
    attempts: IntCounterVec,
    failovers: IntCounterVec,
    continuations: IntCounterVec,
    changes: IntCounterVec,
    health_checks: IntCounterVec,
    key_renewals: KeyRenewals,
    retirements: Retirements,
    reloads: IntCounterVec,
    notifications: IntCounterVec,
    health: HealthGauges,
    memory: MemoryMetrics,
    timings: Timings,
}

impl Metrics {
    /// Fresh metrics, all at zero.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let metrics = Self {
            requests: counter(
                &registry,
                "backstop_requests_total",
                "Requests by how they ended for the client. `status` is the HTTP status sent (499: the client left first); `result` tells a 200 that broke off later from a whole one.",
                &["route", "endpoint", "status", "result"],
            )?,
            attempts: counter(
                &registry,
                "backstop_attempts_total",
                "Attempts at upstreams by outcome, and by why they were made; `ok` and `rejected` (the request itself was wrong) are no failures of the upstream.",
                &["upstream", "outcome", "phase"],
            )?,
            failovers: counter(
                &registry,
                "backstop_failovers_total",
                "Failed attempts that were followed by an attempt at the upstream `to`.",
                &["from", "to", "reason"],
            )?,
            continuations: counter(
                &registry,
                "backstop_continuations_total",
                "Streams that broke off and continued at the upstream `to`.",
                &["from", "to"],
            )?,
            in_flight: in_flight(&registry)?,
            changes: counter(
                &registry,
                "backstop_upstream_transitions_total",
                "How often an upstream, or a model at it, went out of rotation (`open`) or began to come back (`healed`).",
                &["upstream", "model", "to", "cause"],
            )?,
            health_checks: counter(
                &registry,
                "backstop_health_checks_total",
                "Health checks of upstreams that could not be connected to.",
                &["upstream", "result"],
            )?,
            key_renewals: KeyRenewals::new(&registry)?,
            retirements: Retirements::new(&registry)?,
            reloads: counter(
                &registry,
                "backstop_config_reloads_total",
                "Configurations that took over while running (`ok`), or could not be used (`rejected`).",
                &["result"],
            )?,
            notifications: notifications(&registry)?,
            health: HealthGauges::new(&registry)?,
            memory: MemoryMetrics::new(&registry)?,
            timings: Timings::new(&registry)?,
            registry,
        };
        metrics.registry.register(Box::new(build_info()?))?;
        metrics.registry.register(Box::new(LogLinesLost::new()?))?;
        Ok(metrics)
    }

    /// The metrics in Prometheus' text format; health is shown as it is now.
    pub fn render(&self, health: &[ScopeView], is_network_lost: bool) -> String {
        self.health.show(health, is_network_lost);
        let mut text = String::new();
        // Encoding into a string fails only for metrics without a name.
        let _ = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text);
        text
    }

    /// Takes note of how many bytes bodies hold now, and how often there was no memory for one.
    pub fn show_memory(&self, used: usize, refused: u64) {
        self.memory.show(used, refused);
    }

    fn health_changed(&self, change: &HealthChange) {
        let (scope, to, cause) = match change {
            HealthChange::Opened { scope, cause, .. } => (scope, "open", *cause),
            HealthChange::Healed { scope, cause } => (scope, "healed", *cause),
            HealthChange::NetworkLost | HealthChange::NetworkBack => return,
        };
        self.changes
            .with_label_values(&[scope.upstream.as_ref(), model_label(scope), to, cause])
            .inc();
    }

    fn finished(&self, report: &RequestReport) {
        self.in_flight.dec();
        let endpoint = report.endpoint.label();
        let route = report.route.as_deref().unwrap_or("none");
        let status = status_label(report.status);
        self.requests
            .with_label_values(&[route, endpoint, status.as_str(), report.result.label()])
            .inc();
        self.timings.observe(report);
    }
}

impl Sink for Metrics {
    fn record(&self, event: &Event) {
        match event {
            Event::RequestStarted => self.in_flight.inc(),
            // Shown as a gauge, from health.
            Event::TakenOut { .. } | Event::PutBack { .. } => {}
            Event::AttemptFinished { report, .. } => self
                .attempts
                .with_label_values(&[
                    report.upstream.as_ref(),
                    report.outcome.label(),
                    report.phase.label(),
                ])
                .inc(),
            Event::HealthChecked {
                upstream,
                is_reached,
            } => self
                .health_checks
                .with_label_values(&[
                    upstream.as_ref(),
                    if *is_reached { "reached" } else { "failed" },
                ])
                .inc(),
            Event::FailedOver {
                from, to, reason, ..
            } => self
                .failovers
                .with_label_values(&[from.as_ref(), to.as_ref(), reason.label()])
                .inc(),
            Event::Continued { from, to, .. } => self
                .continuations
                .with_label_values(&[from.as_ref(), to.as_ref()])
                .inc(),
            Event::HealthChanged(change) => self.health_changed(change),
            Event::KeyRenewed {
                upstream, failure, ..
            } => self
                .key_renewals
                .count(upstream.as_ref(), failure.is_none()),
            Event::ModelsChecked(findings) => self.retirements.show(findings),
            Event::ConfigReloaded { .. } => self.reloads.with_label_values(&["ok"]).inc(),
            Event::ConfigRejected { .. } => self.reloads.with_label_values(&["rejected"]).inc(),
            Event::Notified { place, failure } => {
                let result = if failure.is_none() { "sent" } else { "lost" };
                self.notifications
                    .with_label_values(&[&**place, result])
                    .inc();
            }
            Event::RequestFinished(report) => self.finished(report),
        }
    }
}

fn notifications(registry: &Registry) -> Result<IntCounterVec, prometheus::Error> {
    counter(
        registry,
        "backstop_notifications_total",
        "Messages to webhooks that were taken (`sent`), or lost after several tries (`lost`).",
        &["place", "result"],
    )
}

fn in_flight(registry: &Registry) -> Result<IntGauge, prometheus::Error> {
    let gauge = IntGauge::new(
        "backstop_requests_in_flight",
        "Requests that are being served now.",
    )?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

fn build_info() -> Result<Gauge, prometheus::Error> {
    let info = Opts::new(
        "backstop_build_info",
        "Always 1; the label tells the version.",
    )
    .const_label("version", env!("CARGO_PKG_VERSION"));
    let gauge = Gauge::with_opts(info)?;
    gauge.set(1.0);
    Ok(gauge)
}

fn counter(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}
