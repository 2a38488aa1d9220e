//! What the proxy costs beside others: processor time, latency, memory, and the time to start.
//!
//! `cargo bench --bench overhead` prints a table in Markdown within ten minutes; with `-- --quick` a rough one in about one.
//! `BACKSTOP=PATH` measures another build. Everything runs on loopback. Each proxy has one processor to itself. They take turns
//! in short rounds, so that whatever disturbs the machine disturbs all alike, and what is told is the median of the rounds, and
//! of the pairs within a round. The floor is a proxy of nothing but hyper, which looks at nothing. nginx is measured where it is
//! installed.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that goes wrong should stop"
)]

mod burst;
mod cases;
mod client;
mod floor;
#[path = "../program/mod.rs"]
mod program;
mod provider;
mod table;
mod work;

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use self::cases::{CASES, Case, Who};
use self::client::{Speaker, load};
use self::program::{Program, in_thread};
use self::table::{Table, median, micros};
use self::work::{Api, Kind};

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// How often everybody has a turn.
    rounds: usize,
    /// By how much the work of a round is divided.
    divisor: usize,
    /// How many streams are open at once.
    streams: usize,
    /// How long after them the memory is read again.
    settles: Duration,
}

const FULL: Size = Size {
    rounds: 15,
    divisor: 1,
    streams: 2000,
    settles: Duration::from_secs(35),
};
const QUICK: Size = Size {
    rounds: 3,
    divisor: 4,
    streams: 200,
    settles: Duration::from_secs(3),
};

/// A proxy that is measured.
pub(crate) struct Proxy {
    pub(crate) who: Who,
    pub(crate) program: Program,
    /// The key that its client sends.
    pub(crate) key: Option<String>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    if let [_, what, listen, upstream] = arguments.as_slice()
        && what == floor::ARGUMENT
    {
        let address = |text: &str| text.parse().unwrap();
        return runtime.block_on(floor::serve(address(listen), address(upstream)));
    }
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    runtime.block_on(measure(if is_quick { QUICK } else { FULL }));
}

async fn measure(size: Size) {
    let upstream = in_thread(provider::serve);
    let folder = tempfile::tempdir().unwrap();
    let mut table = Table::default();
    let mut proxies = Vec::new();
    for who in Who::ALL {
        match start(who, folder.path(), upstream, size, &mut table).await {
            Some(proxy) => proxies.push(proxy),
            None => println!("nginx is not installed: nothing is compared with it"),
        }
    }
    burst::idle(&proxies, &mut table);
    for case in CASES {
        compare(case, &proxies, size, &mut table).await;
    }
    latencies(&proxies, upstream, size, &mut table).await;
    burst::streams(&proxies, size, &mut table).await;
    println!("{}", table.markdown());
}

/// Starts a proxy, and notes how long it takes to answer; `None`: it is not installed.
async fn start(
    who: Who,
    folder: &Path,
    upstream: SocketAddr,
    size: Size,
    table: &mut Table,
) -> Option<Proxy> {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..size.rounds.min(5) {
        drop(last.take());
        let begin = Instant::now();
        let (program, key) = launch(who, folder, upstream).await?;
        times.push(micros(begin.elapsed()) / 1000.0);
        last = Some(Proxy { who, program, key });
    }
    if who.is_plain() {
        table.put("start, until it answers", who, median(&times), "ms");
    }
    last
}

async fn launch(
    who: Who,
    folder: &Path,
    upstream: SocketAddr,
) -> Option<(Program, Option<String>)> {
    let one = format!(
        "one: {{provider: openai-compatible, base_url: \"http://{upstream}/v1\", api_key: key}}"
    );
    let route =
        |candidates: &str| format!("routes: [{{models: [\"*\"], candidates: [{candidates}]}}]\n");
    let usual = format!("upstreams: {{{one}}}\n{}", route("{upstream: one}"));
    match who {
        Who::Backstop => Some((Program::backstop(folder, upstream).await, None)),
        Who::Nginx => Some((Program::nginx(folder, upstream).await?, None)),
        Who::Floor => Some((floor::start(upstream).await, None)),
        Who::ManyKeys => {
            let mut config = format!("{usual}clients:\n");
            let key = |number: usize| format!("key-of-a-client-with-number-{number}");
            for number in 0..1000 {
                writeln!(config, "- {{name: c{number}, key: {}}}", key(number)).unwrap();
            }
            Some((Program::backstop_by(folder, &config).await, Some(key(999))))
        }
        Who::ManyCandidates => {
            let (mut upstreams, mut candidates) = (String::new(), String::new());
            for number in 0..32 {
                write!(
                    upstreams,
                    "{}, ",
                    one.replacen("one", &format!("u{number}"), 1)
                )
                .unwrap();
                write!(candidates, "{{upstream: u{number}}}, ").unwrap();
            }
            let config = format!("upstreams: {{{upstreams}}}\n{}", route(&candidates));
            Some((Program::backstop_by(folder, &config).await, None))
        }
    }
}

/// Everybody does the same work in turns; notes the processor time.
async fn compare(case: &Case, proxies: &[Proxy], size: Size, table: &mut Table) {
    let takes_part: Vec<&Proxy> = proxies
        .iter()
        .filter(|proxy| case.is_for(proxy.who))
        .collect();
    let requests = (case.requests / size.divisor).max(case.clients);
    let mut times = vec![Vec::new(); takes_part.len()];
    for round in 0..=size.rounds {
        for turn in 0..takes_part.len() {
            let at = (turn + round) % takes_part.len();
            let proxy = takes_part[at];
            let before = proxy.program.processor_time();
            load(proxy, case, requests).await;
            let taken = micros(proxy.program.processor_time() - before);
            // The first round warms up.
            if round > 0 {
                times[at].push(taken / (requests * case.kind.parts()) as f64);
            }
        }
    }
    for (proxy, times) in takes_part.iter().zip(times) {
        table.put_times(case.name_for(proxy.who), proxy.who, times);
    }
}

/// What each proxy adds to the time of a request by one client that asks again and again, and by one that asks after
/// other programs have had the processor and its caches.
async fn latencies(proxies: &[Proxy], upstream: SocketAddr, size: Size, table: &mut Table) {
    let mut speakers = vec![(None, Speaker::connect(upstream).await)];
    for proxy in proxies.iter().filter(|proxy| proxy.who.is_plain()) {
        speakers.push((
            Some(proxy.who),
            Speaker::connect(proxy.program.address).await,
        ));
    }
    let asked = size.rounds * 200 / size.divisor;
    for (name, in_a_row) in [
        ("latency added, median", 50),
        ("latency added after others have run", 1),
    ] {
        let mut taken = vec![Vec::new(); speakers.len()];
        for _ in 0..asked / in_a_row {
            for ((_, speaker), taken) in speakers.iter_mut().zip(&mut taken) {
                for _ in 0..in_a_row {
                    let start = Instant::now();
                    speaker.ask(Kind::Whole, Api::Chat, None, 0).await;
                    taken.push(micros(start.elapsed()));
                }
            }
        }
        let direct = median(&taken[0]);
        for ((who, _), taken) in speakers.iter().zip(&taken).skip(1) {
            if let Some(who) = *who {
                table.put(name, who, median(taken) - direct, "µs");
            }
        }
    }
}
