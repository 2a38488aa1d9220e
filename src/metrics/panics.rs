//! Panics that were caught: a number of the process, taken when it is asked for.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Error, IntCounter};

use crate::wire::caught;

/// Shows how many panics were caught.
#[derive(Debug)]
pub(super) struct Panics(IntCounter);

impl Panics {
    pub(super) fn new() -> Result<Self, Error> {
        counter().map(Self)
    }
}

impl Collector for Panics {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(panics) = counter() else {
            return Vec::new();
        };
        panics.inc_by(caught::count());
        panics.collect()
    }
}

fn counter() -> Result<IntCounter, Error> {
    IntCounter::new(
        "backstop_panics_total",
        "Panics, each of which ended one request or was followed by a new start of a background task: bugs of backstop, which \
         its log locates.",
    )
}
