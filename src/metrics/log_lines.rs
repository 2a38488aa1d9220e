//! Log lines that nobody has read: a number of the process, taken when it is asked for.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Error, IntCounter};

use crate::output::STDERR;

/// Shows how many log lines were lost.
#[derive(Debug)]
pub(super) struct LogLinesLost(IntCounter);

impl LogLinesLost {
    pub(super) fn new() -> Result<Self, Error> {
        counter().map(Self)
    }
}

impl Collector for LogLinesLost {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(lost) = counter() else {
            return Vec::new();
        };
        lost.inc_by(STDERR.lost());
        lost.collect()
    }
}

fn counter() -> Result<IntCounter, Error> {
    IntCounter::new(
        "backstop_log_lines_lost_total",
        "Log lines that could not be written to standard error, because nobody reads it or the disk is full.",
    )
}
