//! The real program under mixed traffic and faults, for minutes or hours: is anything lost, doubled, miscounted or leaked?
//!
//! `cargo bench --bench soak -- --minutes 60`; without it two minutes. `--program PATH` takes another program than the one of
//! this build. `--overload` floods it instead ([`flood`]), and `--streams 10000` opens that many streams at once ([`throng`]).
//! Clients, upstreams and the program's metrics count for themselves, and must agree. The report is in Markdown; the exit code
//! is 1 if a rule is broken.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that goes wrong should stop"
)]

mod board;
mod client;
mod crowd;
mod dialect;
mod faults;
mod flood;
mod metrics;
mod program;
mod provider;
mod report;
mod throng;
mod upstream;
mod watch;
mod wish;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use self::board::Board;
use self::metrics::Metrics;
use self::program::{Program, executable};
use self::report::{Seen, report};
use self::upstream::Upstream;

const UPSTREAMS: [&str; 4] = ["steady", "moody", "claude", "spare"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let length = Duration::from_secs_f64(60.0 * number(&arguments, "--minutes").unwrap_or(2.0));
    let (text, is_kept) = if let Some(streams) = number(&arguments, "--streams") {
        let program = executable(&arguments);
        let throng = throng::throng(&program, streams as usize);
        runtime.block_on(throng)
    } else if arguments.iter().any(|argument| argument == "--overload") {
        let program = executable(&arguments);
        let words = number(&arguments, "--words").unwrap_or(2000.0);
        let flood = flood::flood(&program, length, words as usize);
        runtime.block_on(flood)
    } else {
        runtime.block_on(soak(&arguments, length))
    };
    println!("{text}");
    if is_kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The number behind an argument.
fn number(arguments: &[String], name: &str) -> Option<f64> {
    let at = arguments.iter().position(|argument| argument == name);
    at.and_then(|at| arguments.get(at + 1)?.parse().ok())
}

async fn soak(arguments: &[String], length: Duration) -> (String, bool) {
    let board = Arc::new(Board::default());
    let mut upstreams = Vec::new();
    for name in UPSTREAMS {
        upstreams.push(Arc::new(Upstream::start(name, &board).await));
    }
    let configs = crowd::configs(|name| {
        let upstream = upstreams.iter().find(|upstream| upstream.name == name);
        upstream.unwrap().address.to_string()
    });
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(&executable(arguments), folder.path(), &configs[0]).await;
    let address = program.address;
    let program = Arc::new(program);
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let watching = tokio::spawn(watch::look(Arc::clone(&program), length, stopping.clone()));
    let reloading = tokio::spawn(faults::reloads(
        Arc::clone(&program),
        configs,
        Arc::clone(&board),
        stopping.clone(),
    ));
    let mut tasks = JoinSet::new();
    for upstream in upstreams
        .iter()
        .filter(|upstream| upstream.name != "steady")
    {
        tasks.spawn(faults::moods(Arc::clone(upstream), stopping.clone()));
    }
    for (clients, habit) in crowd::CROWD {
        for _ in 0..clients {
            tasks.spawn(client::run(
                habit,
                address,
                Arc::clone(&board),
                stopping.clone(),
            ));
        }
    }
    sleep(length).await;
    stop.send_replace(true);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let (taken, reloads) = (watching.await.unwrap(), reloading.await.unwrap());
    let metrics = at_rest(&program).await;
    let has_ended_well = Arc::into_inner(program).unwrap().ends().await;
    report(&Seen {
        length,
        board: &board,
        metrics,
        taken,
        reloads,
        upstreams: UPSTREAMS.to_vec(),
        has_ended_well,
    })
}

/// The metrics once nothing is under way, or after a while.
async fn at_rest(program: &Program) -> Metrics {
    for _ in 0..100 {
        let metrics = program.metrics().await;
        let gauges = [
            "backstop_requests_in_flight",
            "backstop_upstream_attempts_in_flight",
        ];
        if gauges.iter().all(|gauge| metrics.sum(gauge) == 0) {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    program.metrics().await
}
