//! The figures of the health engine: what clients notice and what it costs, for every trace of the simulation.
//!
//! `cargo bench --bench health` prints them as a table. It runs on virtual time, for about a minute. Parts of names
//! choose traces: `cargo bench --bench health -- outage flaky`.

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
    for trace in TRACES.into_iter().filter(is_wanted) {
        for rate in RATES {
            let (plan, seeds) = report::plan(rate);
            let figures = report::figures(trace, rate, plan, seeds);
            let seconds = |value: Option<f64>| {
                value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1} s"))
            };
            println!(
                "| {} | {rate} | {:.1} | {:.2} | {:.3} | {} | {} | {:.1} |",
                trace.name(),
                figures.answered * 100.0,
                figures.bad,
                figures.extra,
                seconds(figures.detection),
                seconds(figures.comeback),
                figures.ejections
            );
        }
    }
}
