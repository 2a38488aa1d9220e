//! Tests of the whole of health, on virtual time, with attempts whose outcomes the test chooses.

mod contrast;
mod cooldowns;
mod evidence;
mod hearsay;
mod invariants;
mod odds;
mod operators;
mod patterns;
mod pooled;
mod probes;
mod refutations;
mod scenarios;
mod shown;
mod standing;
mod waits;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::{Just, Strategy, prop_oneof};
use tokio::time::Instant;

use super::{Health, ModelHealth, Permit, Phase, Shape};
use crate::config::UpstreamId;
use crate::event::HealthChange;
use crate::outcome::{Outcome, Stage, Unreachable};

const SHAPE: Shape = Shape {
    is_streamed: true,
    size: 100,
};
const LIMIT: Duration = Duration::from_secs(30);
const FAILURE: Outcome = Outcome::ServerError { status: 500 };
const REFUSED: Outcome = Outcome::Unreachable(Unreachable::Refused);
const TIMEOUT: Outcome = Outcome::TimedOut(Stage::FirstToken);
const LIMITED: Outcome = Outcome::RateLimited {
    status: 429,
    retry_after: None,
    is_daily: false,
};

struct Bench {
    health: Health,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            health: Health::new(now),
            now,
        }
    }

    fn model(&self, upstream: &str, model: &str) -> Arc<ModelHealth> {
        self.health
            .model(&UpstreamId::from(upstream), &Arc::from(model), 1)
    }

    fn pass(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
    }

    /// Makes one attempt, if it is admitted. Returns what changed.
    fn attempt(&self, model: &Arc<ModelHealth>, outcome: &Outcome) -> Option<Vec<HealthChange>> {
        model.demanded(self.now);
        let permit = model.admit(0, self.now).ok()?;
        Some(self.end(permit, outcome))
    }

    /// Ends an attempt. One that succeeds gets its first content before.
    fn end(&self, mut permit: Permit, outcome: &Outcome) -> Vec<HealthChange> {
        let mut changes = Vec::new();
        if *outcome == Outcome::Success {
            changes.extend(permit.answered(SHAPE, LIMIT, self.now));
        }
        changes.extend(permit.finish(outcome, self.now));
        changes
    }

    /// Lets so many requests per second succeed.
    fn warm(&mut self, model: &Arc<ModelHealth>, rate: f64, requests: usize) {
        for _ in 0..requests {
            assert!(self.attempt(model, &Outcome::Success).is_some());
            self.pass(1.0 / rate);
        }
    }

    fn trip(&mut self, model: &Arc<ModelHealth>, outcome: &Outcome) {
        let mut attempts = 0;
        while self.attempt(model, outcome).is_some() {
            attempts += 1;
            assert!(attempts < 100, "it does not trip");
            self.pass(0.1);
        }
    }

    /// Waits until a half-open probe is admitted.
    fn probe(&mut self, model: &Arc<ModelHealth>) -> Permit {
        let mut waited = 0;
        loop {
            if let Ok(permit) = model.admit(0, self.now) {
                assert!(permit.is_probe(), "{model:?}");
                return permit;
            }
            self.pass(1.0);
            waited += 1;
            assert!(waited < 400, "no probe is admitted");
        }
    }

    /// Lets everything succeed until all traffic is back.
    fn heal(&mut self, model: &Arc<ModelHealth>) {
        let mut waited = 0;
        while [model.scope(), &model.upstream.scope]
            .iter()
            .any(|scope| scope.core().phase != Phase::Closed)
        {
            self.pass(0.1);
            self.attempt(model, &Outcome::Success);
            waited += 1;
            assert!(waited < 4000, "it does not come back");
        }
    }

    fn phase(&self, model: &ModelHealth) -> Phase {
        model.scope().core().phase
    }

    fn score(&self, model: &ModelHealth) -> f32 {
        model.scope().score(model.epoch.tick(self.now))
    }

    /// How long it stays open, in seconds.
    fn pause(&self, model: &ModelHealth) -> f32 {
        let now = model.epoch.tick(self.now);
        now.seconds_until(model.scope().core().until)
    }
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Success),
        failures(),
        Just(Outcome::RejectedRequest { status: 400 }),
        Just(Outcome::ClientGone),
        Just(LIMITED),
    ]
}

fn failures() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(FAILURE), Just(REFUSED), Just(TIMEOUT)]
}
