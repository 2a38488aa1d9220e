//! Three replicas of the real program that share through a real Redis, each with 100 requests a second.
//!
//! `cargo bench --bench fleet` takes about seven minutes and prints Markdown tables: how soon all leave an upstream that fails, and
//! what the trials of all cost; what clients notice while the server is killed, stands still, is cut off or is emptied, and how
//! soon knowledge is shared again; how many requests pass where a client may have 600 a minute.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that goes wrong should stop"
)]

mod load;
mod redis;
mod replica;

use std::time::Duration;

use backstop::simulator::{Script, Simulator};
use tokio::time::{Instant, sleep};

use self::load::{Answer, Load};
use self::redis::{Fault, Redis};
use self::replica::Replica;

/// Requests a second at each replica.
const RATE: f64 = 100.0;
/// How long an outage is watched, how long the server is away, and how long the time before that is.
const OUTAGE: Duration = Duration::from_secs(40);
const DETECTION: Duration = Duration::from_secs(1);
const AWAY: Duration = Duration::from_secs(15);
const BEFORE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() {
    let one = Simulator::start("one", Script::healthy()).await.unwrap();
    let two = Simulator::start("two", Script::healthy()).await.unwrap();
    let mut redis = Redis::start().await;
    let replicas = fleet(&one, &two, Some(&redis)).await;
    let alone = fleet(&one, &two, None).await;
    outage(&one, &alone[..1], "one replica alone").await;
    outage(&one, &alone, "three replicas that share nothing").await;
    outage(&one, &replicas, "three replicas").await;
    println!(
        "\n| the server | requests | failed | p99 before | p99 meanwhile | shared again after |"
    );
    println!("|---|---|---|---|---|---|");
    one.play(Script::status(500)).await;
    for fault in [
        Fault::Killed,
        Fault::StandsStill,
        Fault::CutOff,
        Fault::Emptied,
    ] {
        lose(&mut redis, fault, &replicas).await;
    }
    one.play(Script::healthy()).await;
    println!(
        "\n| requests a second at each of three replicas | passed in the first minute | most in any minute |"
    );
    println!("|---|---|---|");
    for (number, rate) in [10.0, RATE].into_iter().enumerate() {
        limit(number, rate, &replicas).await;
    }
}

/// Three replicas, which know of each other where they share.
async fn fleet(one: &Simulator, two: &Simulator, redis: Option<&Redis>) -> Vec<Replica> {
    let mut replicas = Vec::new();
    for number in 0..3 {
        let shared = redis.map(Redis::url);
        replicas.push(Replica::start(number, one, two, shared.as_deref()).await);
    }
    if redis.is_some() {
        for replica in &replicas {
            replica.hears(2, Instant::now()).await;
        }
    }
    replicas
}

/// The first upstream fails for a while.
async fn outage(one: &Simulator, replicas: &[Replica], name: &str) {
    let loads = replicas
        .iter()
        .map(|replica| Load::start(replica, "key-none", RATE));
    let loads: Vec<Load> = loads.collect();
    sleep(BEFORE).await;
    let (began, before) = (Instant::now(), one.received_count());
    one.play(Script::status(500)).await;
    sleep(DETECTION).await;
    let calls = one.received_count() - before;
    sleep(OUTAGE - DETECTION).await;
    let trials = one.received_count() - before - calls;
    one.play(Script::healthy()).await;
    let mut all: Vec<Vec<Answer>> = Vec::new();
    for load in loads {
        all.push(load.end().await);
    }
    let left = all.iter().map(|answers| {
        // Trials come later, one at a time.
        let first = answers.iter().filter(|answer| answer.met_outage(began));
        let times: Vec<Duration> = first.map(|answer| answer.sent - began).collect();
        let burst = times
            .windows(2)
            .find(|pair| pair[1] - pair[0] > Duration::from_millis(500));
        burst
            .map_or_else(|| times.last().copied(), |pair| Some(pair[0]))
            .unwrap_or_default()
    });
    let left: Vec<String> = left
        .map(|time| format!("{} ms", time.as_millis()))
        .collect();
    let failed = all.iter().flatten().filter(|answer| answer.status != 200);
    println!(
        "{name}: the last request before the upstream was left came after {}; {calls} calls to it within {} s, {trials} more within {} s, {} requests failed",
        left.join(", "),
        DETECTION.as_secs(),
        OUTAGE.as_secs(),
        failed.count()
    );
    sleep(Duration::from_secs(20)).await;
}

/// Something becomes of the server, in the middle of an outage.
async fn lose(redis: &mut Redis, fault: Fault, replicas: &[Replica]) {
    let loads = replicas
        .iter()
        .map(|replica| Load::start(replica, "key-none", RATE));
    let loads: Vec<Load> = loads.collect();
    sleep(BEFORE).await;
    let began = Instant::now();
    redis.begin(fault).await;
    sleep(AWAY).await;
    redis.end(fault).await;
    let back = Instant::now();
    for replica in replicas {
        replica.hears(2, back).await;
    }
    let shared_after = back.elapsed();
    let mut all = Vec::new();
    for load in loads {
        all.extend(load.end().await);
    }
    let (before, meanwhile): (Vec<&Answer>, Vec<&Answer>) =
        all.iter().partition(|answer| answer.sent < began);
    let failed = meanwhile.iter().filter(|answer| answer.status != 200);
    println!(
        "| {} | {} | {} | {:.1} ms | {:.1} ms | {:.1} s |",
        fault.name(),
        meanwhile.len(),
        failed.count(),
        p99(&before),
        p99(&meanwhile),
        shared_after.as_secs_f64()
    );
}

fn p99(answers: &[&Answer]) -> f64 {
    let mut times: Vec<Duration> = answers.iter().map(|answer| answer.took).collect();
    times.sort();
    times[times.len() * 99 / 100].as_secs_f64() * 1000.0
}

/// A client that may have 600 requests a minute asks for more.
async fn limit(number: usize, rate: f64, replicas: &[Replica]) {
    let began = Instant::now();
    let key = format!("key-{number}");
    let loads = replicas
        .iter()
        .map(|replica| Load::start(replica, &key, rate));
    let loads: Vec<Load> = loads.collect();
    sleep(Duration::from_secs(75)).await;
    let mut passed: Vec<Instant> = Vec::new();
    for load in loads {
        let answers = load.end().await.into_iter();
        passed.extend(answers.filter(|one| one.status == 200).map(|one| one.sent));
    }
    let within = |from: Instant| {
        let minute = from..from + Duration::from_secs(60);
        passed.iter().filter(|sent| minute.contains(sent)).count()
    };
    let most = passed.iter().map(|from| within(*from)).max();
    println!("| {rate} | {} | {} |", within(began), most.unwrap_or(0));
}
