//! Certificates that expire.

use prometheus::{IntGaugeVec, Opts, Registry};

/// When each of those that we show does.
#[derive(Debug)]
pub(super) struct Certificates(IntGaugeVec);

impl Certificates {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let about = Opts::new(
            "backstop_certificate_expires_timestamp_seconds",
            "When a certificate that is shown to clients or upstreams expires, in seconds since 1970, by its place in the configuration.",
        );
        let certificates = IntGaugeVec::new(about, &["certificate"])?;
        registry.register(Box::new(certificates.clone()))?;
        Ok(Self(certificates))
    }

    /// Shows these, and no others any more.
    pub(super) fn show<'a>(&self, expiries: impl Iterator<Item = (&'a str, i64)>) {
        self.0.reset();
        for (place, at) in expiries {
            self.0.with_label_values(&[place]).set(at);
        }
    }
}
