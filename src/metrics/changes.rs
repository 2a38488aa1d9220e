//! What changed at upstreams: their health, what health checks found, and their keys.

use prometheus::{IntCounterVec, Registry};

use super::families::{Made, counters};
use super::known::Known;
use super::labels::model_label;
use crate::config::UpstreamId;
use crate::event::HealthChange;
use crate::health::causes;

/// Counts the changes.
#[derive(Debug)]
pub(super) struct Changes {
    transitions: IntCounterVec,
    health_checks: IntCounterVec,
    key_renewals: IntCounterVec,
}

impl Changes {
    pub(super) fn new(registry: &Registry) -> Made<Self> {
        Ok(Self {
            transitions: counters(
                registry,
                "backstop_upstream_transitions_total",
                "How often an upstream, or a model at it, went out of rotation (`open`) or began to come back (`healed`).",
                &["upstream", "model", "to", "cause"],
            )?,
            health_checks: counters(
                registry,
                "backstop_health_checks_total",
                "Health checks of upstreams that could not be connected to: `reached` or `failed`.",
                &["upstream", "result"],
            )?,
            key_renewals: counters(
                registry,
                "backstop_key_renewals_total",
                "Keys that were replaced while running (`renewed`), or could not be read again (`failed`).",
                &["upstream", "result"],
            )?,
        })
    }

    /// Makes the series of these upstreams.
    pub(super) fn adopt(&self, known: &Known) {
        for upstream in &known.upstreams {
            let id = upstream.id.as_ref();
            let models = upstream.models.iter().map(|model| &**model);
            for model in models.chain([""]) {
                for cause in causes() {
                    for to in ["open", "healed"] {
                        self.transitions.with_label_values(&[id, model, to, cause]);
                    }
                }
            }
            for result in ["reached", "failed"] {
                self.health_checks.with_label_values(&[id, result]);
            }
            for result in ["renewed", "failed"] {
                self.key_renewals.with_label_values(&[id, result]);
            }
        }
    }

    pub(super) fn health(&self, change: &HealthChange) {
        let (scope, to, cause) = match change {
            HealthChange::Opened { scope, cause, .. } => (scope, "open", *cause),
            HealthChange::Healed { scope, cause } => (scope, "healed", *cause),
            HealthChange::NetworkLost | HealthChange::NetworkBack => return,
        };
        self.transitions
            .with_label_values(&[scope.upstream.as_ref(), model_label(scope), to, cause])
            .inc();
    }

    pub(super) fn health_checked(&self, upstream: &UpstreamId, is_reached: bool) {
        let result = if is_reached { "reached" } else { "failed" };
        self.health_checks
            .with_label_values(&[upstream.as_ref(), result])
            .inc();
    }

    pub(super) fn key_renewed(&self, upstream: &UpstreamId, is_renewed: bool) {
        let result = if is_renewed { "renewed" } else { "failed" };
        self.key_renewals
            .with_label_values(&[upstream.as_ref(), result])
            .inc();
    }
}
