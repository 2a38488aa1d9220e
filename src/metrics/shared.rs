//! What replicas share.

use prometheus::{IntCounterVec, IntGauge, Registry};

use super::families::{Made, counters, gauge};
use crate::event::{SharedNews, Unusable};

/// Whether the server is there, and how many messages went through it.
#[derive(Debug)]
pub(super) struct Shared {
    connected: IntGauge,
    messages: IntCounterVec,
    ignored: IntCounterVec,
}

impl Shared {
    pub(super) fn new(registry: &Registry) -> Made<Self> {
        let shared = Self {
            connected: gauge(
                registry,
                "backstop_shared_connected",
                "1 while replicas share what they know, 0 while this one goes on alone, or `shared` is not configured.",
            )?,
            messages: counters(
                registry,
                "backstop_shared_messages_total",
                "Messages to the other replicas (`sent`), and those of them (`received`).",
                &["direction"],
            )?,
            ignored: counters(
                registry,
                "backstop_shared_messages_ignored_total",
                "Messages that came through the server of `shared` and say nothing to us.",
                &["reason"],
            )?,
        };
        for direction in ["sent", "received"] {
            shared.messages.with_label_values(&[direction]);
        }
        for reason in Unusable::ALL {
            shared.ignored.with_label_values(&[reason.label()]);
        }
        Ok(shared)
    }

    pub(super) fn count(&self, news: &SharedNews) {
        match news {
            SharedNews::Connected { .. } => self.connected.set(1),
            SharedNews::Disconnected { .. } => self.connected.set(0),
            SharedNews::Sent => self.messages.with_label_values(&["sent"]).inc(),
            SharedNews::Received => self.messages.with_label_values(&["received"]).inc(),
            SharedNews::Ignored(reason) => {
                self.ignored.with_label_values(&[reason.label()]).inc();
            }
        }
    }
}
