//! Messages to webhooks.

use prometheus::{IntCounterVec, Registry};

use super::families::{Made, counters};
use super::known::Known;

/// Counts how sending them went.
#[derive(Debug)]
pub(super) struct Notifications(IntCounterVec);

impl Notifications {
    pub(super) fn new(registry: &Registry) -> Made<Self> {
        let notifications = counters(
            registry,
            "backstop_notifications_total",
            "Messages to webhooks that were taken (`sent`), or lost after several tries (`lost`).",
            &["place", "result"],
        )?;
        Ok(Self(notifications))
    }

    /// Makes the series of these webhooks.
    pub(super) fn adopt(&self, known: &Known) {
        for place in &known.webhooks {
            for result in ["sent", "lost"] {
                self.0.with_label_values(&[&**place, result]);
            }
        }
    }

    pub(super) fn count(&self, place: &str, is_sent: bool) {
        let result = if is_sent { "sent" } else { "lost" };
        self.0.with_label_values(&[place, result]).inc();
    }
}
