//! How long clients waited for answers, and how much of it was the proxy's own time.

use std::time::Duration;

use prometheus::{Histogram, Registry};

use super::families::{Made, histograms};
use crate::event::RequestReport;
use crate::request::Endpoint;

/// From a cached embedding to a long answer of a reasoning model.
const WAITING: [f64; 13] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0,
];
/// The proxy's own time: microseconds, if all is well.
const ADDED: [f64; 10] = [
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.1,
];

/// One histogram for each endpoint.
type ByEndpoint = [Histogram; Endpoint::ALL.len()];

/// The histograms of requests that were answered.
#[derive(Debug)]
pub(super) struct Timings {
    first_byte: ByEndpoint,
    duration: ByEndpoint,
    added: ByEndpoint,
}

impl Timings {
    pub(super) fn new(registry: &Registry) -> Made<Self> {
        Ok(Self {
            first_byte: by_endpoint(
                registry,
                "backstop_request_first_byte_seconds",
                "From the request being read to the head of the answer, of requests that were answered.",
                &WAITING,
            )?,
            duration: by_endpoint(
                registry,
                "backstop_request_duration_seconds",
                "From the request being read to the end of the answer, of requests that were answered.",
                &WAITING,
            )?,
            added: by_endpoint(
                registry,
                "backstop_request_overhead_seconds",
                "The part of the time to the first byte that was not spent waiting for upstreams.",
                &ADDED,
            )?,
        })
    }

    pub(super) fn observe(&self, report: &RequestReport) {
        let observe = |histograms: &ByEndpoint, duration: Duration| {
            histograms[report.endpoint as usize].observe(duration.as_secs_f64());
        };
        observe(&self.duration, report.total);
        if let Some(first_byte) = report.first_byte {
            observe(&self.first_byte, first_byte);
        }
        if let Some(added) = report.added {
            observe(&self.added, added);
        }
    }
}

fn by_endpoint(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> Made<ByEndpoint> {
    let histograms = histograms(registry, (name, help), &["endpoint"], buckets)?;
    Ok(Endpoint::ALL.map(|endpoint| histograms.with_label_values(&[endpoint.label()])))
}
