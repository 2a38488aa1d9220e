//! A number that the process counts elsewhere, taken when it is asked for: lost log lines, panics.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Error, IntCounter};

use crate::output::STDERR;
use crate::wire::caught;

/// Shows what has been counted so far.
#[derive(Debug)]
pub(super) struct ProcessCounter {
    name: &'static str,
    help: &'static str,
    count: fn() -> u64,
    /// Describes it; its own value stays 0.
    described: IntCounter,
}

impl ProcessCounter {
    pub(super) fn log_lines_lost() -> Result<Self, Error> {
        Self::new(
            "backstop_log_lines_lost_total",
            "Log lines that could not be written to standard error, because nobody reads it or the disk is full.",
            || STDERR.lost(),
        )
    }

    pub(super) fn panics() -> Result<Self, Error> {
        Self::new(
            "backstop_panics_total",
            "Panics, each of which ended one request or was followed by a new start of a background task: bugs of backstop, \
             which its log locates.",
            caught::count,
        )
    }

    fn new(name: &'static str, help: &'static str, count: fn() -> u64) -> Result<Self, Error> {
        let described = IntCounter::new(name, help)?;
        Ok(Self {
            name,
            help,
            count,
            described,
        })
    }
}

impl Collector for ProcessCounter {
    fn desc(&self) -> Vec<&Desc> {
        self.described.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(counter) = IntCounter::new(self.name, self.help) else {
            return Vec::new();
        };
        counter.inc_by((self.count)());
        counter.collect()
    }
}
