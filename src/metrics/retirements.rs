//! Models that retire.

use prometheus::{IntGaugeVec, Opts, Registry};

use crate::event::ModelFinding;

/// When each of them does.
#[derive(Debug)]
pub(super) struct Retirements(IntGaugeVec);

impl Retirements {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let about = Opts::new(
            "backstop_model_retires_timestamp_seconds",
            "The first day without a model that the configuration names, in seconds since 1970, as far as its upstream's list or the catalogue says.",
        );
        let retirements = IntGaugeVec::new(about, &["upstream", "model"])?;
        registry.register(Box::new(retirements.clone()))?;
        Ok(Self(retirements))
    }

    /// Shows these, and no others any more.
    pub(super) fn show(&self, findings: &[ModelFinding]) {
        self.0.reset();
        for finding in findings {
            if let Some(at) = finding.retires_at() {
                self.0
                    .with_label_values(&[finding.upstream.as_ref(), finding.model.as_str()])
                    .set(at);
            }
        }
    }
}
