//! A situation: what upstreams do, what clients ask, and what must come of it.

use std::time::Duration;

use backstop::simulator::Script;

use crate::clients::{Burst, Ended};

/// What a client saw that heard nothing for as long as it waits.
const GAVE_UP: &str = "gave up";

/// One row of the table.
pub(crate) struct Situation {
    pub(crate) name: String,
    /// In the order of the route.
    pub(crate) upstreams: Vec<Upstream>,
    /// Requests that are made before, while all upstreams are well.
    pub(crate) before: usize,
    /// What an upstream does that is well, and every one before the clients begin.
    pub(crate) healthy: Script,
    pub(crate) burst: Burst,
    /// How often it is played, with other draws each time.
    pub(crate) seeds: u64,
    pub(crate) bound: Bound,
    /// The most calls a request, as upstreams count them.
    pub(crate) most_calls: f64,
}

/// Which requests must be answered.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    All,
    /// This share of them, from 0 to 1.
    Share(f64),
    /// Those that begin after the first so many.
    AllAfter(usize),
    /// None can be answered; each client must be told before it gives up.
    Told,
}

/// What an upstream does.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) keys: Vec<&'static str>,
    /// What it does from when on, after the clients have begun.
    pub(crate) acts: Vec<(Duration, Script)>,
}

/// What was seen in all runs of a situation.
#[derive(Default)]
pub(crate) struct Seen {
    /// In each run, how requests ended, in the order in which they began.
    pub(crate) runs: Vec<Vec<Ended>>,
    /// Calls of a model that arrived at upstreams.
    pub(crate) calls: usize,
    /// Attempts by backstop's metrics: refused connections count, too.
    pub(crate) attempts: usize,
}

impl Situation {
    /// Forty requests, four at a time, which must all be answered, with at most 2.1 calls each.
    pub(crate) fn new(name: impl Into<String>, upstreams: Vec<Upstream>) -> Self {
        Self {
            name: name.into(),
            upstreams,
            before: 0,
            healthy: Script::healthy(),
            burst: Burst::FOUR_AT_A_TIME,
            seeds: 1,
            bound: Bound::All,
            most_calls: 2.1,
        }
    }

    pub(crate) fn requests(mut self, requests: usize) -> Self {
        self.burst.requests = requests;
        self
    }

    pub(crate) fn at_a_time(mut self, at_a_time: usize) -> Self {
        self.burst.at_a_time = at_a_time;
        self
    }

    pub(crate) fn streamed(mut self, stream: bool) -> Self {
        self.burst.stream = stream;
        self
    }

    pub(crate) fn with_retries(mut self, retries: u32) -> Self {
        self.burst.retries = retries;
        self
    }

    /// Clients wait so many seconds, and tell so or not.
    pub(crate) fn patient_for(mut self, seconds: u32, tells: bool) -> Self {
        self.burst.patience = Some(seconds);
        self.burst.tells = tells;
        self
    }

    pub(crate) fn after_healthy(mut self, requests: usize) -> Self {
        self.before = requests;
        self
    }

    /// Upstreams that are well take so long until their first token.
    pub(crate) fn thinking_for(mut self, time: Duration) -> Self {
        self.healthy = self.healthy.with_first_token_delay(time);
        self
    }

    pub(crate) fn drawn(mut self, seeds: u64) -> Self {
        self.seeds = seeds;
        self
    }

    pub(crate) fn bound(mut self, bound: Bound, most_calls: f64) -> Self {
        self.bound = bound;
        self.most_calls = most_calls;
        self
    }

    /// Whether those requests were answered that must be.
    pub(crate) fn is_answered(&self, seen: &Seen) -> bool {
        match self.bound {
            Bound::All => seen.answered() == seen.asked(),
            Bound::Share(share) => seen.answered() as f64 >= share * seen.asked() as f64,
            Bound::AllAfter(first) => {
                let mut later = seen.runs.iter().flat_map(|run| run.iter().skip(first));
                later.all(Ended::is_answered)
            }
            Bound::Told => seen.all().all(|ended| ended.ended != GAVE_UP),
        }
    }

    /// Whether that took no more calls than it may.
    pub(crate) fn is_cheap(&self, seen: &Seen) -> bool {
        seen.calls_a_request() <= self.most_calls
    }
}

impl Upstream {
    /// It is well all the time.
    pub(crate) fn well() -> Self {
        Self {
            keys: vec!["key"],
            acts: Vec::new(),
        }
    }

    /// It does the same all the time.
    pub(crate) fn always(script: Script) -> Self {
        Self::well().then(Duration::ZERO, script)
    }

    /// It does this from then on when the clients have begun so long ago.
    pub(crate) fn then(mut self, after: Duration, script: Script) -> Self {
        self.acts.push((after, script));
        self
    }

    pub(crate) fn with_keys(mut self, keys: &[&'static str]) -> Self {
        self.keys = keys.to_vec();
        self
    }
}

impl Seen {
    pub(crate) fn add(&mut self, other: Self) {
        self.runs.extend(other.runs);
        self.calls += other.calls;
        self.attempts += other.attempts;
    }

    pub(crate) fn asked(&self) -> usize {
        self.all().count()
    }

    pub(crate) fn answered(&self) -> usize {
        self.all().filter(|ended| ended.is_answered()).count()
    }

    pub(crate) fn calls_a_request(&self) -> f64 {
        self.calls as f64 / self.asked() as f64
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Ended> {
        self.runs.iter().flatten()
    }
}

impl Ended {
    pub(crate) fn is_answered(&self) -> bool {
        self.ended == "ok"
    }
}
