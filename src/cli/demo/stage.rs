//! The demo that is played by keys: a live table of who answers, and of what a client would have got without the proxy.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::asker::{Asked, Asker, Count};
use super::cast::{Cast, Mishap};
use super::screen::{Picture, Row, frame, lines};
use super::terminal::{Terminal, size};
use crate::cli::ask::{ask, client};
use crate::cli::print::tell;
use crate::cli::stop::Stop;
use crate::upstream::Client;
use crate::wire::upload::Upload;

/// Five questions a second to each: enough to see something, and little work.
const PACE: Duration = Duration::from_millis(200);
/// So many questions to one of them are open at a time.
const MOST_OPEN: usize = 8;

/// Everything that is on show.
pub(super) struct Stage {
    cast: Cast,
    /// The proxy first, then the providers.
    askers: Vec<Asker>,
    counts: Vec<Count>,
    open: Vec<usize>,
    /// How many answers through the proxy came from each provider.
    served: Vec<usize>,
    /// What the proxy says of each provider.
    states: Vec<String>,
    chosen: usize,
    admin: (Client, String),
    /// How many lines the last table had.
    drawn: usize,
}

/// What is waited for beside keys.
enum Done {
    Asked(usize, Asked),
    States(Option<Value>),
}

impl Stage {
    pub(super) fn new(cast: Cast, proxy: SocketAddr, admin: SocketAddr) -> anyhow::Result<Self> {
        let mut askers = vec![Asker::of(proxy)?];
        for player in &cast.players {
            askers.push(Asker::of(player.simulator.address())?);
        }
        let count = askers.len();
        Ok(Self {
            counts: (0..count).map(|_| Count::default()).collect(),
            open: vec![0; count],
            served: vec![0; count - 1],
            states: vec![String::new(); count - 1],
            chosen: 0,
            admin: (client(admin)?, format!("http://{admin}/api/upstreams")),
            drawn: 0,
            cast,
            askers,
        })
    }

    /// Plays until somebody ends it, by a key or a signal.
    pub(super) async fn play(&mut self, stop: &mut Stop) -> anyhow::Result<()> {
        let mut terminal = Terminal::take()?;
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut waiting = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.asked() => return Ok(()),
                key = terminal.key() => match key {
                    // Ctrl-C and Ctrl-D.
                    b'q' | b'Q' | 3 | 4 => return Ok(()),
                    key => self.press(key.to_ascii_lowercase()).await,
                },
                Some(done) = waiting.join_next() => {
                    if let Ok(done) = done {
                        self.note(done);
                    }
                    continue;
                }
                _ = ticks.tick() => self.ask(&mut waiting),
            }
            self.draw();
        }
    }

    async fn press(&mut self, key: u8) {
        let chosen = self
            .cast
            .players
            .iter()
            .position(|player| player.simulator.name().as_bytes().first() == Some(&key));
        if let Some(chosen) = chosen {
            self.chosen = chosen;
        } else if let Some(mishap) = Mishap::of_key(key)
            && let Some(player) = self.cast.players.get_mut(self.chosen)
        {
            player.meets(mishap).await;
        }
    }

    /// Asks everybody at the same time, and the proxy for what it believes.
    fn ask(&mut self, waiting: &mut JoinSet<Done>) {
        for (place, asker) in self.askers.iter().enumerate() {
            if self.open[place] < MOST_OPEN {
                self.open[place] += 1;
                let asker = asker.clone();
                waiting.spawn(async move { Done::Asked(place, asker.ask().await) });
            }
        }
        let (client, url) = self.admin.clone();
        waiting.spawn(async move { Done::States(states(&client, &url).await) });
    }

    fn note(&mut self, done: Done) {
        match done {
            Done::Asked(place, asked) => {
                self.open[place] -= 1;
                let by = asked.as_ref().ok().and_then(|answer| answer.by.as_deref());
                let players = &self.cast.players;
                let by = by.and_then(|by| {
                    players
                        .iter()
                        .position(|player| player.simulator.name() == by)
                });
                if let Some(by) = by {
                    self.served[by] += 1;
                }
                self.counts[place].note(asked);
            }
            Done::States(Some(scopes_json)) => {
                for (state, player) in self.states.iter_mut().zip(&self.cast.players) {
                    *state = in_words(&scopes_json, player.simulator.name());
                }
            }
            Done::States(None) => {}
        }
    }

    fn draw(&mut self) {
        let (width, height) = size();
        let rows = self
            .cast
            .players
            .iter()
            .enumerate()
            .map(|(place, player)| Row {
                name: player.simulator.name(),
                mishap: player.mishap,
                state: self.states[place].clone(),
                served: self.served[place],
                directly: &self.counts[place + 1],
            });
        let picture = Picture {
            rows: rows.collect(),
            chosen: self.chosen,
            through: &self.counts[0],
        };
        let mut lines = lines(&picture, width);
        lines.truncate(height.saturating_sub(1));
        tell(frame(&lines, self.drawn));
        self.drawn = lines.len();
    }
}

async fn states(client: &Client, url: &str) -> Option<Value> {
    let request = Request::get(url).body(Upload::from(Bytes::new())).ok()?;
    let (_, body) = ask(client, request).await.ok()?;
    serde_json::from_slice(&body).ok()
}

/// What the proxy says of an upstream: the worst of its scopes.
fn in_words(scopes_json: &Value, upstream: &str) -> String {
    let scopes = scopes_json["scopes"].as_array().into_iter().flatten();
    let mut words = "in rotation";
    for scope in scopes.filter(|scope| scope["upstream"] == upstream) {
        words = match scope["state"].as_str() {
            Some("open") => return "out of rotation".to_owned(),
            Some("half_open" | "half-open") => "half-open probe",
            Some("slow_start" | "slow-start") => "slow start",
            _ if scope["cooldowns"]
                .as_array()
                .is_some_and(|all| !all.is_empty()) =>
            {
                "cooldown"
            }
            _ => continue,
        };
    }
    words.to_owned()
}
