//! The state of upstreams, as gauges that are set when Prometheus scrapes.

use prometheus::{GaugeVec, IntGauge, Opts, Registry};

use super::labels::model_label;
use crate::health::{Phase, ScopeView};

/// Gauges over all scopes.
#[derive(Debug)]
pub(super) struct HealthGauges {
    state: GaugeVec,
    suspicion: GaugeVec,
    fraction: GaugeVec,
    errors: GaugeVec,
    in_flight: GaugeVec,
    cooldowns: GaugeVec,
    taken_out: GaugeVec,
    network_lost: IntGauge,
}

const SCOPE: [&str; 2] = ["upstream", "model"];

impl HealthGauges {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let network_lost = IntGauge::new(
            "backstop_network_lost",
            "1 while our own network is believed to be lost.",
        )?;
        registry.register(Box::new(network_lost.clone()))?;
        Ok(Self {
            state: gauge(
                registry,
                "backstop_upstream_state",
                "0 closed: traffic flows; 1 open: none; 2 half open: a few requests, as probes; 3 slow start: traffic returns step by step. Without a model: the upstream as a whole.",
                &SCOPE,
            )?,
            suspicion: gauge(
                registry,
                "backstop_upstream_suspicion_ratio",
                "Evidence against it, as a share of what takes it out of rotation.",
                &SCOPE,
            )?,
            fraction: gauge(
                registry,
                "backstop_upstream_admitted_ratio",
                "The share of its traffic that it gets.",
                &SCOPE,
            )?,
            errors: gauge(
                registry,
                "backstop_upstream_error_ratio",
                "The share of failures among its requests of the last minutes.",
                &["upstream", "model", "window"],
            )?,
            in_flight: gauge(
                registry,
                "backstop_upstream_attempts_in_flight",
                "Attempts under way.",
                &["upstream"],
            )?,
            cooldowns: gauge(
                registry,
                "backstop_upstream_cooldown_seconds",
                "How much longer a rate limit, a refused key or a missing model keeps requests away.",
                &["upstream", "model", "key", "reason"],
            )?,
            taken_out: gauge(
                registry,
                "backstop_upstream_taken_out",
                "1 while an operator has taken the upstream out by hand.",
                &["upstream"],
            )?,
            network_lost,
        })
    }

    pub(super) fn show(&self, views: &[ScopeView], is_network_lost: bool) {
        self.network_lost.set(i64::from(is_network_lost));
        // Cooldowns and ratios that are over must not linger.
        self.cooldowns.reset();
        self.errors.reset();
        for view in views {
            self.show_scope(view);
        }
    }

    fn show_scope(&self, view: &ScopeView) {
        let upstream = view.id.upstream.as_ref();
        let model = model_label(&view.id);
        let labels = [upstream, model];
        let state = match view.phase {
            Phase::Closed => 0.0,
            Phase::Open => 1.0,
            Phase::HalfOpen => 2.0,
            Phase::SlowStart => 3.0,
        };
        self.state.with_label_values(&labels).set(state);
        let suspicion = f64::from(view.score / view.threshold);
        self.suspicion.with_label_values(&labels).set(suspicion);
        self.fraction
            .with_label_values(&labels)
            .set(f64::from(view.fraction));
        for (window, counts) in [("1m", view.last_minute), ("5m", view.last_five_minutes)] {
            if let Some(ratio) = counts.error_ratio() {
                self.errors
                    .with_label_values(&[upstream, model, window])
                    .set(ratio);
            }
        }
        if view.id.model.is_none() {
            self.in_flight
                .with_label_values(&[upstream])
                .set(f64::from(view.in_flight));
            self.taken_out
                .with_label_values(&[upstream])
                .set(f64::from(u8::from(view.taken_out_for.is_some())));
        }
        for cooldown in &view.cooldowns {
            self.cooldowns
                .with_label_values(&[
                    upstream,
                    model,
                    &cooldown.key.to_string(),
                    cooldown.reason.label(),
                ])
                .set(cooldown.ends_in.as_secs_f64());
        }
    }
}

fn gauge(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<GaugeVec, prometheus::Error> {
    let gauge = GaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}
