//! The memory that bodies take.

use prometheus::{IntCounter, IntGauge, Registry};

/// A gauge of what is taken, and a counter of what was refused.
#[derive(Debug)]
pub(super) struct MemoryMetrics {
    used: IntGauge,
    refused: IntCounter,
}

impl MemoryMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            used: IntGauge::new(
                "backstop_body_memory_bytes",
                "Memory that bodies above 64 KiB hold now, out of `limits.memory`.",
            )?,
            refused: IntCounter::new(
                "backstop_body_memory_refusals_total",
                "How often a body, or its translation, found no memory left.",
            )?,
        };
        registry.register(Box::new(metrics.used.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        Ok(metrics)
    }

    pub(super) fn show(&self, used: usize, refused: u64) {
        self.used.set(i64::try_from(used).unwrap_or(i64::MAX));
        let before = self.refused.get();
        self.refused.inc_by(refused.saturating_sub(before));
    }
}
