//! What the process takes of its machine, under the names that all Prometheus clients use.
//!
//! The collector of the `prometheus` crate counts processor time in whole seconds, which makes a rate useless, and needs a
//! second version of `rustix`.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge};
use rustix::process::{Resource, getrlimit};

use super::families::Made;

/// Whether the system says what processes take in `/proc`.
const HAS_PROC: bool = cfg!(target_os = "linux");

/// Asks the system when it is asked itself.
#[derive(Debug)]
pub(super) struct Process {
    about: Vec<Desc>,
    started: Duration,
}

impl Process {
    pub(super) fn new() -> Made<Self> {
        let started = unix_time();
        let (cpu, gauges) = metrics(started)?;
        let about = gauges.iter().flat_map(|gauge| gauge.desc());
        Ok(Self {
            about: about.chain(cpu.desc()).cloned().collect(),
            started,
        })
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.about.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Ok((cpu, gauges)) = metrics(self.started) else {
            return Vec::new();
        };
        let gauges = gauges.iter().filter(|gauge| gauge.get() > 0.0);
        let gauges = gauges.flat_map(Collector::collect);
        let cpu = HAS_PROC.then(|| cpu.collect());
        gauges.chain(cpu.into_iter().flatten()).collect()
    }
}

/// What the system says now; 0 where it does not say it.
fn metrics(started: Duration) -> Made<(Counter, Vec<Gauge>)> {
    let cpu = Counter::new(
        "process_cpu_seconds_total",
        "Processor time that the process has taken.",
    )?;
    cpu.inc_by(processor_time());
    let [virtual_bytes, resident_bytes] = memory();
    let limit = getrlimit(Resource::Nofile).current.unwrap_or_default();
    let gauges = [
        (
            "process_resident_memory_bytes",
            "Memory that the process holds.",
            resident_bytes,
        ),
        (
            "process_virtual_memory_bytes",
            "Addresses that the process has reserved.",
            virtual_bytes,
        ),
        (
            "process_open_fds",
            "File descriptors that are open.",
            descriptors(),
        ),
        (
            "process_max_fds",
            "File descriptors that may be open.",
            limit as f64,
        ),
        (
            "process_start_time_seconds",
            "When the process started, in seconds since 1970.",
            started.as_secs_f64(),
        ),
    ];
    let gauges = gauges.into_iter().map(|(name, help, value)| {
        let gauge = Gauge::new(name, help)?;
        gauge.set(value);
        Ok(gauge)
    });
    Ok((cpu, gauges.collect::<Made<_>>()?))
}

/// In seconds. The 14th and 15th field of `/proc/self/stat` are the hundredths of a second in the program and in the system;
/// the second field, the program's name in brackets, may hold spaces.
fn processor_time() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let times = behind_name.split_whitespace().skip(11).take(2);
    let hundredths: f64 = times.filter_map(|time| time.parse::<f64>().ok()).sum();
    hundredths / 100.0
}

/// All addresses and the resident memory, in bytes: `/proc/self/status` has them in KiB.
fn memory() -> [f64; 2] {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ["VmSize:", "VmRSS:"].map(|name| {
        let mut lines = status.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
        let kib: f64 = value.and_then(|kib| kib.parse().ok()).unwrap_or_default();
        kib * 1024.0
    })
}

/// Without the one that is needed to look.
fn descriptors() -> f64 {
    let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    open.saturating_sub(1) as f64
}

/// The time since 1970.
pub(super) fn unix_time() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}
