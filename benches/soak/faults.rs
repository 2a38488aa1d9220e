//! What goes wrong meanwhile: upstreams change their moods, and operators reload.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::board::Board;
use crate::program::Program;
use crate::upstream::{Mood, Upstream};

/// How long an upstream stays in a mood, in milliseconds.
const MOOD: std::ops::Range<u64> = 400..3000;
const MOODS: [Mood; 8] = [
    Mood::Fails(500),
    Mood::Fails(503),
    Mood::Fails(429),
    Mood::Slow,
    Mood::Hangs,
    Mood::Breaks,
    Mood::Html,
    Mood::Down,
];

/// Changes the mood of an upstream now and then; it is well in between, and at the end.
pub(crate) async fn moods(upstream: Arc<Upstream>, stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let mood = MOODS[fastrand::usize(..MOODS.len())];
        for mood in [mood, Mood::Well] {
            upstream.mood.send_replace(mood);
            sleep(Duration::from_millis(fastrand::u64(MOOD))).await;
        }
    }
    upstream.mood.send_replace(Mood::Well);
}

/// How many reloads were asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reloads {
    pub(crate) good: u64,
    pub(crate) bad: u64,
}

/// Reloads now and then: by signal and by call, with another configuration, the same, and a broken one.
pub(crate) async fn reloads(
    program: Arc<Program>,
    configs: [String; 2],
    board: Arc<Board>,
    stop: watch::Receiver<bool>,
) -> Reloads {
    let mut reloads = Reloads::default();
    let mut turn = 0;
    while !*stop.borrow() {
        sleep(Duration::from_millis(fastrand::u64(1000..4000))).await;
        turn += 1;
        let is_bad = turn % 5 == 0;
        if is_bad {
            program.configure("upstreams: {nonsense");
            reloads.bad += 1;
        } else {
            program.configure(&configs[turn % 2]);
            reloads.good += 1;
        }
        let expected = reloads.good + reloads.bad;
        if turn % 2 == 0 {
            program.hang_up();
        } else if let Some((status, text)) = program.ask("POST", "/api/reload").await {
            if (status == 200) == is_bad {
                board.wrong(format!("a reload was answered with {status}: {text}"));
            }
        } else {
            board.wrong("a reload was not answered".to_owned());
        }
        if !is_counted(&program, expected).await {
            board.wrong(format!("reload {expected} was not counted"));
            return reloads;
        }
    }
    program.configure(&configs[0]);
    reloads
}

/// Waits until so many reloads are counted; signals that come too quickly would be one.
async fn is_counted(program: &Program, expected: u64) -> bool {
    for _ in 0..100 {
        let counted = program.metrics().await.sum("backstop_config_reloads_total");
        if counted >= expected {
            return counted == expected;
        }
        sleep(Duration::from_millis(100)).await;
    }
    false
}
