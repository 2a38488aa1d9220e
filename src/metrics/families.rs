//! Families of metrics: each is registered when it is made.

use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry,
};

pub(super) type Made<T> = Result<T, prometheus::Error>;

/// Counters, one for each combination of labels.
pub(super) fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Made<IntCounterVec> {
    let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}

/// Gauges, one for each combination of labels.
pub(super) fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Made<GaugeVec> {
    let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(gauges.clone()))?;
    Ok(gauges)
}

/// One gauge of whole numbers.
pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> Made<IntGauge> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

/// One gauge that is always 1, with a label that says something.
pub(super) fn info(registry: &Registry, about: Opts) -> Made<()> {
    let gauge = Gauge::with_opts(about)?;
    gauge.set(1.0);
    registry.register(Box::new(gauge))
}

/// Histograms, one for each combination of labels.
pub(super) fn histograms(
    registry: &Registry,
    (name, help): (&str, &str),
    labels: &[&str],
    buckets: &[f64],
) -> Made<HistogramVec> {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    let histograms = HistogramVec::new(options, labels)?;
    registry.register(Box::new(histograms.clone()))?;
    Ok(histograms)
}
