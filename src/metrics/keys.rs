//! Keys that are read again while they are used.

use prometheus::{IntCounterVec, Opts, Registry};

/// Counts how that went.
#[derive(Debug)]
pub(super) struct KeyRenewals(IntCounterVec);

impl KeyRenewals {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let about = Opts::new(
            "backstop_key_renewals_total",
            "Keys that were replaced while running (`renewed`), or could not be read again (`failed`).",
        );
        let renewals = IntCounterVec::new(about, &["upstream", "result"])?;
        registry.register(Box::new(renewals.clone()))?;
        Ok(Self(renewals))
    }

    pub(super) fn count(&self, upstream: &str, is_renewed: bool) {
        let result = if is_renewed { "renewed" } else { "failed" };
        self.0.with_label_values(&[upstream, result]).inc();
    }
}
