//! Situations in which more than one thing is wrong: how many requests are answered, what that costs, how long it takes.
//!
//! `cargo bench --bench situations` plays all of them in a few minutes, with `-- hangs` those that have the word in their
//! names. The program is the real one, with its defaults; upstreams are simulated; the clients use `OpenAI`'s package for
//! Python, which is installed below `target/`. Failures are drawn by generators with seeds. The exit code is 1 if a bound
//! is missed.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that goes wrong should stop"
)]

mod clients;
#[path = "../../tests/gateway/sdk/install.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod install;
mod list;
mod play;
mod program;
mod situation;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;

use self::clients::Clients;
use self::install::{PYTHON, install_python};
use self::situation::{Seen, Situation};

/// So many situations are played at a time: most of them wait.
const LANES: usize = 8;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let mut situations = list::all();
    situations.retain(|situation| {
        words.is_empty() || words.iter().any(|word| situation.name.contains(word))
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let situations = Arc::new(situations);
    let seen = runtime.block_on(play_all(&situations));
    println!("{}", table::HEAD);
    let mut are_kept = true;
    for (situation, seen) in situations.iter().zip(&seen) {
        println!("{}", table::row(situation, seen));
        are_kept &= situation.is_answered(seen) && situation.is_cheap(seen);
    }
    if are_kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What was seen in each situation.
async fn play_all(situations: &Arc<Vec<Situation>>) -> Vec<Seen> {
    let python = install_python(PYTHON).await;
    let seeds = |(index, situation): (usize, &Situation)| {
        (1..=situation.seeds).map(move |seed| (index, seed))
    };
    // The last ones take longest, and begin first.
    let queue: Vec<(usize, u64)> = situations.iter().enumerate().flat_map(seeds).collect();
    let queue = Arc::new(Mutex::new(queue));
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        lanes.spawn(lane(
            python.clone(),
            Arc::clone(situations),
            Arc::clone(&queue),
        ));
    }
    let mut all: Vec<Seen> = situations.iter().map(|_| Seen::default()).collect();
    while let Some(ended) = lanes.join_next().await {
        for (index, seen) in ended.unwrap() {
            all[index].add(seen);
        }
    }
    all
}

/// Plays situations with their seeds, one after the other, until none is left.
async fn lane(
    python: PathBuf,
    situations: Arc<Vec<Situation>>,
    queue: Arc<Mutex<Vec<(usize, u64)>>>,
) -> Vec<(usize, Seen)> {
    let mut clients = Clients::start(&python).await;
    let mut all = Vec::new();
    loop {
        let next = queue.lock().unwrap().pop();
        let Some((index, seed)) = next else {
            return all;
        };
        let seen = play::play(&situations[index], seed, &mut clients).await;
        all.push((index, seen));
    }
}
