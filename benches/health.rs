//! The figures of the health engine: what clients notice and what it costs, for every trace of the simulation.
//!
//! `cargo bench --bench health` prints them as a table. It runs on virtual time, for about a minute. Parts of names
//! choose traces: `cargo bench --bench health -- outage flaky`. `-- --seeds=40` plays the lower rates that often, and adds
//! the standard errors of the times: at one request in five seconds a few seeds say little.

#![expect(clippy::print_stdout, reason = "it prints a table")]

#[path = "../tests/simulation/play.rs"]
mod play;
#[path = "../tests/simulation/queue.rs"]
mod queue;
#[path = "../tests/simulation/report.rs"]
mod report;
#[path = "../tests/simulation/request.rs"]
mod request;
#[path = "../tests/simulation/world.rs"]
mod world;

use report::Figures;
use world::Trace;

const RATES: [f64; 3] = [0.2, 5.0, 500.0];

const TRACES: [Trace; 23] = [
    Trace::Healthy,
    Trace::Cancelled,
    Trace::Flaky5,
    Trace::Blips,
    Trace::Hard,
    Trace::Blackhole,
    Trace::Errors(0.25),
    Trace::Errors(0.3),
    Trace::Errors(0.6),
    Trace::Slow,
    Trace::RateLimit,
    Trace::Flapping,
    Trace::OneModel,
    Trace::StreamCuts,
    Trace::Herd,
    Trace::AllDown,
    Trace::StatusThenStalls,
    Trace::DeadThenFlaky,
    Trace::BothFlaky(0.5),
    Trace::BothFlaky(0.3),
    Trace::OnlyFlaky(0.3),
    Trace::OnlyDead,
    Trace::BothRestart,
];

fn main() {
    println!(
        "| trace | requests/s | answered % | bad % | extra calls | detected after | back after | out of rotation / h |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|name| !name.starts_with('-'))
        .collect();
    let is_wanted = |trace: &Trace| {
        wanted.is_empty()
            || wanted
                .iter()
                .any(|name| trace.name().contains(name.as_str()))
    };
    let seeds = std::env::args().find_map(|word| word.strip_prefix("--seeds=")?.parse().ok());
    for trace in TRACES.into_iter().filter(is_wanted) {
        for rate in RATES {
            let (plan, usual) = report::plan(rate);
            let seeds = seeds.filter(|_| rate < 50.0);
            let all = report::each(trace, rate, plan, seeds.unwrap_or(usual));
            let figures = report::averages(&all);
            let seconds = |value: Option<f64>, time: fn(&Figures) -> Option<f64>| {
                let error = seeds.map(|_| format!(" ± {:.1}", standard_error(&all, time)));
                let error = error.unwrap_or_default();
                value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}{error} s"))
            };
            println!(
                "| {} | {rate} | {:.1} | {:.2} | {:.3} | {} | {} | {:.1} |",
                trace.name(),
                figures.answered * 100.0,
                figures.bad,
                figures.extra,
                seconds(figures.detection, |figures| figures.detection),
                seconds(figures.comeback, |figures| figures.comeback),
                figures.ejections
            );
        }
    }
}

/// The standard error of the average of a time.
fn standard_error(all: &[Figures], time: fn(&Figures) -> Option<f64>) -> f64 {
    let known: Vec<f64> = all.iter().filter_map(time).collect();
    let count = known.len() as f64;
    let mean = known.iter().sum::<f64>() / count;
    let squares = known.iter().map(|value| (value - mean).powi(2));
    (squares.sum::<f64>() / (count - 1.0) / count).sqrt()
}
