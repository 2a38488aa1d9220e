//! How long clients waited, and how much of it was the proxy's own time.

use prometheus::{HistogramOpts, HistogramVec, Registry};

use crate::event::RequestReport;

/// From a cached embedding to a long answer of a reasoning model.
const WAITING: [f64; 13] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0,
];
/// The proxy's own time: microseconds, if all is well.
const ADDED: [f64; 10] = [
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.1,
];

/// The histograms of requests.
#[derive(Debug)]
pub(super) struct Timings {
    first_byte: HistogramVec,
    duration: HistogramVec,
    added: HistogramVec,
}

impl Timings {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            first_byte: histogram(
                registry,
                "backstop_request_first_byte_seconds",
                "From the request being read to the head of the answer.",
                &WAITING,
            )?,
            duration: histogram(
                registry,
                "backstop_request_duration_seconds",
                "From the request being read to the end of the answer.",
                &WAITING,
            )?,
            added: histogram(
                registry,
                "backstop_request_overhead_seconds",
                "The part of the time to the first byte that was not spent waiting for upstreams.",
                &ADDED,
            )?,
        })
    }

    pub(super) fn observe(&self, report: &RequestReport) {
        let observe = |histogram: &HistogramVec, duration: std::time::Duration| {
            histogram
                .with_label_values(&[report.endpoint.label()])
                .observe(duration.as_secs_f64());
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

fn histogram(
    registry: &Registry,
    name: &str,
    help: &str,
    buckets: &[f64],
) -> Result<HistogramVec, prometheus::Error> {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    let histogram = HistogramVec::new(options, &["endpoint"])?;
    registry.register(Box::new(histogram.clone()))?;
    Ok(histogram)
}
