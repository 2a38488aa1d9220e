//! The demo that plays by itself: an outage and its end, as plain lines.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, interval, sleep_until};

use super::asker::{Asker, Count};
use super::cast::{Cast, Mishap};
use crate::cli::print::tell;

/// Five questions a second: enough to see health tracking at work, and slow enough to read along.
const PACE: Duration = Duration::from_millis(200);

/// The steps: from which second on, what happens to the first provider, and the text that is shown.
const STORY: [(u64, Mishap, &str); 3] = [
    (0, Mishap::None, "all providers are well"),
    (
        3,
        Mishap::Errors,
        "openai breaks: it answers 503 to everything",
    ),
    (
        9,
        Mishap::None,
        "openai is well again: half-open probes bring it back",
    ),
];
/// When it is over.
const END: u64 = 15;

/// Plays it once.
pub(super) async fn play(cast: &mut Cast, proxy: SocketAddr) -> anyhow::Result<()> {
    let Some(first) = cast.players.first_mut() else {
        return Ok(());
    };
    let start = Instant::now();
    let mut audience = Audience {
        proxy: Asker::of(proxy)?,
        directly: Asker::of(first.simulator.address())?,
        through: Count::default(),
        without: Count::default(),
    };
    let ends = STORY
        .iter()
        .skip(1)
        .map(|(second, ..)| *second)
        .chain([END]);
    for ((second, mishap, text), end) in STORY.iter().zip(ends) {
        first.meets(*mishap).await;
        tell(format_args!("{second:>3} s  {text}"));
        audience.ask_until(start + Duration::from_secs(end)).await;
    }
    let Audience {
        through, without, ..
    } = audience;
    tell(format_args!(
        "{END:>3} s  that was it\n\nthrough backstop: {through}\nat openai alone:  {without}"
    ));
    Ok(())
}

/// A client that asks the proxy, and the first provider at the same time.
struct Audience {
    proxy: Asker,
    directly: Asker,
    through: Count,
    without: Count,
}

impl Audience {
    async fn ask_until(&mut self, end: Instant) {
        let mut ticks = interval(PACE);
        let mut answers: BTreeMap<String, usize> = BTreeMap::new();
        let mut slowest = Duration::ZERO;
        let failed_before = self.without.failed;
        let ending = sleep_until(end);
        tokio::pin!(ending);
        loop {
            tokio::select! {
                biased;
                () = &mut ending => break,
                _ = ticks.tick() => {}
            }
            let (asked, without) = tokio::join!(self.proxy.ask(), self.directly.ask());
            self.through.note(asked.clone());
            self.without.note(without);
            let who = match asked {
                Ok(answer) => {
                    slowest = slowest.max(answer.took);
                    answer.by.unwrap_or_default()
                }
                Err(reason) => format!("nobody ({reason})"),
            };
            *answers.entry(who).or_default() += 1;
        }
        let answers: Vec<String> = answers
            .iter()
            .map(|(who, count)| format!("{who} {count}"))
            .collect();
        tell(format_args!(
            "       answered by: {}; the slowest took {} ms; at openai alone {} had failed",
            answers.join(", "),
            slowest.as_millis(),
            self.without.failed - failed_before
        ));
    }
}
