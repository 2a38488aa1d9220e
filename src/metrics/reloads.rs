//! The configuration: how old it is, and how the last reload went.

use prometheus::{IntCounterVec, IntGauge, Registry};

use super::families::{Made, counters, gauge};
use super::process::unix_time;

/// What is known of reloads. The configuration of the start counts as one that went well.
#[derive(Debug)]
pub(super) struct Reloads {
    reloads: IntCounterVec,
    is_successful: IntGauge,
    tried_at: IntGauge,
    in_use_since: IntGauge,
}

impl Reloads {
    pub(super) fn new(registry: &Registry) -> Made<Self> {
        let reloads = Self {
            reloads: counters(
                registry,
                "backstop_config_reloads_total",
                "How often the configuration was read while running, and is in use (`ok`) or could not be used (`rejected`).",
                &["result"],
            )?,
            is_successful: gauge(
                registry,
                "backstop_config_last_reload_successful",
                "1 if the last configuration that was read is in use, 0 if it could not be used.",
            )?,
            tried_at: gauge(
                registry,
                "backstop_config_last_reload_timestamp_seconds",
                "When a configuration was read last, in seconds since 1970.",
            )?,
            in_use_since: gauge(
                registry,
                "backstop_config_in_use_since_timestamp_seconds",
                "Since when this configuration is in use, in seconds since 1970; reading the same one again changes nothing.",
            )?,
        };
        for result in ["ok", "rejected"] {
            reloads.reloads.with_label_values(&[result]);
        }
        reloads.note(true, true);
        Ok(reloads)
    }

    /// A configuration was read, and is in use.
    pub(super) fn succeeded(&self, is_changed: bool) {
        self.reloads.with_label_values(&["ok"]).inc();
        self.note(true, is_changed);
    }

    /// A configuration could not be used.
    pub(super) fn rejected(&self) {
        self.reloads.with_label_values(&["rejected"]).inc();
        self.note(false, false);
    }

    fn note(&self, is_successful: bool, is_changed: bool) {
        let now = unix_time().as_secs() as i64;
        self.is_successful.set(i64::from(is_successful));
        self.tried_at.set(now);
        if is_changed {
            self.in_use_since.set(now);
        }
    }
}
