//! The figures of the health engine: what clients notice and what it costs, for every trace of the simulation.
//!
//! `cargo bench --bench health` prints them as a table. It runs on virtual time, for about a minute. Parts of names
//! choose traces: `cargo bench --bench health -- outage flaky`. `-- --seeds=40` plays the lower rates that often, and adds
//! the standard errors of the times: at one request in five seconds a few seeds say little.
//!
//! `-- --fleet=3` plays each trace with a single proxy, with three replicas that share what they know, and with three that share
//! nothing, at the same rate of requests in all. What is shared, and what follows from it, is decided by the real code; messages
//! take 25 ms. It takes about eight minutes. At 500/s most extra calls are those in flight when a fault begins, and how many
//! these are is chance: only many seeds together say something there.

#![expect(clippy::print_stdout, reason = "it prints a table")]

#[path = "../tests/simulation/agenda.rs"]
mod agenda;
#[path = "../tests/simulation/play.rs"]
mod play;
#[path = "../tests/simulation/queue.rs"]
mod queue;
#[path = "../tests/simulation/replica.rs"]
mod replica;
#[path = "../tests/simulation/report.rs"]
mod report;
#[path = "../tests/simulation/request.rs"]
mod request;
#[path = "../tests/simulation/sharing.rs"]
mod sharing;
#[path = "../tests/simulation/world.rs"]
mod world;

use play::Plan;
use replica::Replicas;
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

/// A fleet may take so many times the extra calls of a single proxy.
const MOST: f64 = 1.2;
/// Differences of so few calls per request are noise.
const NOISE: f64 = 0.003;

fn main() {
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
    let traces = TRACES.into_iter().filter(is_wanted);
    match option("--fleet=") {
        Some(count) => fleets(traces, count as usize),
        None => alone(traces),
    }
}

fn option(name: &str) -> Option<u64> {
    std::env::args().find_map(|word| word.strip_prefix(name)?.parse().ok())
}

/// The table of a single proxy.
fn alone(traces: impl Iterator<Item = Trace>) {
    println!(
        "| trace | requests/s | answered % | bad % | extra calls | detected after | back after | out of rotation / h |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let seeds = option("--seeds=");
    for trace in traces {
        for rate in RATES {
            let (plan, usual) = report::plan(rate);
            let seeds = seeds.filter(|_| rate < 50.0);
            let all = report::each(Replicas::ONE, trace, rate, plan, seeds.unwrap_or(usual));
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

/// The table of a fleet beside a single proxy.
fn fleets(traces: impl Iterator<Item = Trace>, count: usize) {
    println!(
        "extra calls per request, ± standard error, with {count} replicas; “more”: more than {MOST} times those of one proxy, \
         and more than {NOISE} above them, which is noise\n"
    );
    println!(
        "| trace | requests/s | one proxy | they share | times | they share nothing | bad % | detected after | |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for trace in traces {
        for rate in RATES {
            let (plan, _) = report::plan(rate);
            let plan = Plan {
                end: plan.to,
                ..plan
            };
            let seeds = match rate {
                ..1.0 => 48,
                ..50.0 => 16,
                _ => 24,
            };
            let seeds = option("--seeds=").unwrap_or(seeds);
            let of = |fleet: Replicas| Replicas { count, ..fleet };
            let rows = [Replicas::ONE, of(Replicas::FLEET), of(Replicas::APART)]
                .map(|replicas| report::each(replicas, trace, rate, plan, seeds));
            print_fleet(trace, rate, &rows);
        }
    }
}

/// One row: a single proxy, replicas that share, and replicas that share nothing.
fn print_fleet(trace: Trace, rate: f64, rows: &[Vec<Figures>; 3]) {
    let figures = rows.each_ref().map(|all| report::averages(all));
    let [one, fleet, apart] = figures.map(|figures| figures.extra);
    let errors = rows
        .each_ref()
        .map(|all| standard_error(all, |figures| Some(figures.extra)));
    let is_more = fleet > MOST * one && fleet - one > NOISE;
    let seconds = |figures: Figures| {
        let seconds = figures.detection.map(|after| format!("{after:.1} s"));
        seconds.unwrap_or_else(|| "–".to_owned())
    };
    println!(
        "| {} | {rate} | {one:.4} ± {:.4} | {fleet:.4} ± {:.4} | {:.2} | {apart:.4} | {} | {} | {} |",
        trace.name(),
        errors[0],
        errors[1],
        fleet / one,
        figures
            .map(|figures| format!("{:.2}", figures.bad))
            .join(", "),
        figures.map(seconds).join(", "),
        if is_more { "more" } else { "" }
    );
}

/// The standard error of the average of a figure.
fn standard_error(all: &[Figures], figure: fn(&Figures) -> Option<f64>) -> f64 {
    let known: Vec<f64> = all.iter().filter_map(figure).collect();
    let count = known.len() as f64;
    let mean = known.iter().sum::<f64>() / count;
    let squares = known.iter().map(|value| (value - mean).powi(2));
    (squares.sum::<f64>() / (count - 1.0) / count).sqrt()
}
