//! The limits of clients: how often they were met, and when keys expire.

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use super::families::{Made, counters};
use super::known::Known;
use super::labels::NONE;
use crate::event::RequestReport;

/// The metrics of the rules that clients have.
#[derive(Debug)]
pub(super) struct Clients {
    limited: IntCounterVec,
    expires: IntGaugeVec,
}

impl Clients {
    pub(super) fn new(registry: &Registry) -> Made<Self> {
        let about = Opts::new(
            "backstop_client_expires_timestamp_seconds",
            "When the key of a client expires, in seconds since 1970.",
        );
        let expires = IntGaugeVec::new(about, &["client"])?;
        registry.register(Box::new(expires.clone()))?;
        Ok(Self {
            limited: counters(
                registry,
                "backstop_client_limited_total",
                "Requests that were refused by a rule of their client, by its key in the configuration.",
                &["client", "limit"],
            )?,
            expires,
        })
    }

    /// Makes the series of these clients.
    pub(super) fn adopt(&self, known: &Known) {
        self.expires.reset();
        for client in &known.clients {
            let name = &*client.name;
            for limit in &client.limits {
                self.limited.with_label_values(&[name, limit.label()]);
            }
            if let Some(at) = client.expires {
                self.expires.with_label_values(&[name]).set(at);
            }
        }
    }

    pub(super) fn finished(&self, report: &RequestReport) {
        if let Some(limit) = report.limit {
            let client = report.client.as_deref().unwrap_or(NONE);
            self.limited
                .with_label_values(&[client, limit.label()])
                .inc();
        }
    }
}
