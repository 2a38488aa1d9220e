//! The right to make one attempt, and what the attempt tells about health.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::cooldown;
use super::evidence::{self, Evidence};
use super::model_health::{Finding, ModelHealth};
use super::packed::Phase;
use super::slow::Shape;
use super::time::Tick;
use crate::event::HealthChange;
use crate::outcome::Outcome;

/// Dropped without a verdict, it counts for nothing and gives the places of its trials back.
#[derive(Debug)]
pub struct Permit {
    model: Arc<ModelHealth>,
    key: usize,
    /// The epochs of upstream and model when the attempt began.
    epochs: (u32, u32),
    is_probe_of_upstream: bool,
    is_probe_of_model: bool,
    is_last_resort: bool,
    started: Tick,
    has_content: bool,
    was_slow: bool,
    is_under_way: bool,
}

impl Permit {
    pub(super) fn new(
        model: &Arc<ModelHealth>,
        key: usize,
        probes: (bool, bool),
        now: Tick,
    ) -> Self {
        model.upstream.in_flight.fetch_add(1, Ordering::Relaxed);
        Self {
            epochs: (model.upstream.scope.core().epoch, model.scope.core().epoch),
            model: Arc::clone(model),
            key,
            is_probe_of_upstream: probes.0,
            is_probe_of_model: probes.1,
            is_last_resort: false,
            started: now,
            has_content: false,
            was_slow: false,
            is_under_way: true,
        }
    }

    /// Whether it is one of the few attempts that show whether something has healed.
    pub fn is_probe(&self) -> bool {
        self.is_probe_of_upstream || self.is_probe_of_model
    }

    /// For an attempt at an upstream that is out of rotation.
    pub(super) fn marked_last_resort(self) -> Self {
        let mut permit = self;
        permit.is_last_resort = true;
        permit
    }

    /// Whether the upstream is out of rotation, and tried only because nobody better is left.
    pub fn is_last_resort(&self) -> bool {
        self.is_last_resort
    }

    /// The leaf it is for.
    pub fn health(&self) -> &Arc<ModelHealth> {
        &self.model
    }

    /// The first content has come: a success, for the time being.
    pub fn answered(&mut self, shape: Shape, limit: Duration, now: Instant) -> Vec<HealthChange> {
        let now = self.model.epoch.tick(now);
        self.has_content = true;
        let is_network_back = self.model.network.reached(now);
        self.model.counters.count(true, now);
        for cooldown in self
            .model
            .upstream
            .keys
            .get(self.key)
            .into_iter()
            .chain(self.model.cooldowns.get(self.key))
        {
            cooldown.forget(now);
        }
        let is_well = self.model.scope.core().phase == Phase::Closed
            && self.model.scope.score(now) < 0.5 * self.model.scope.threshold();
        if is_well {
            let took = Duration::from_secs_f32(self.started.seconds_until(now));
            self.model.baselines.learn(shape, took, limit);
        }
        let finding = Finding {
            evidence: None,
            log_likelihood: evidence::SUCCESS,
        };
        let mut changes = self.observe(finding, now);
        if is_network_back {
            changes.push(HealthChange::NetworkBack);
        }
        changes
    }

    /// Still no first token, although almost every healthy request would have one by now.
    pub fn slow(&mut self, now: Instant) -> Vec<HealthChange> {
        if std::mem::replace(&mut self.was_slow, true) {
            return Vec::new();
        }
        let now = self.model.epoch.tick(now);
        let finding = Finding {
            evidence: Some(Evidence::Slow),
            log_likelihood: Evidence::Slow.log_likelihood(),
        };
        self.observe(finding, now)
    }

    /// What was answered is a conversation that may last for hours: it is under way no more, and no trial waits for its
    /// end.
    pub fn settled(&mut self, now: Instant) -> Vec<HealthChange> {
        let now = self.model.epoch.tick(now);
        self.leave();
        self.completed(now)
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.is_under_way) {
            self.model
                .upstream
                .in_flight
                .fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The attempt is over. A stream whose first content was reported is judged by how it ended.
    pub fn finish(mut self, outcome: &Outcome, now: Instant) -> Vec<HealthChange> {
        let now = self.model.epoch.tick(now);
        if let Some((reason, asked, is_for_key)) = cooldown::of(outcome) {
            self.begin_cooldown(reason, asked, is_for_key, now);
        }
        match Evidence::of(outcome, self.has_content) {
            Some(evidence) => self.failed(evidence, outcome, now),
            None if *outcome == Outcome::Success && self.has_content => self.completed(now),
            None => Vec::new(),
        }
    }

    fn failed(&mut self, evidence: Evidence, outcome: &Outcome, now: Tick) -> Vec<HealthChange> {
        self.model.counters.count(false, now);
        if evidence == Evidence::Connection {
            let was_lost = self.model.network.lost_since().is_some();
            if self.model.network.lost(&self.model.upstream, outcome, now) {
                // It is our own network: what we believe of upstreams stays as it is.
                return if was_lost {
                    Vec::new()
                } else {
                    vec![HealthChange::NetworkLost]
                };
            }
        }
        // A timeout was announced by slowness, and weighs only what is left.
        let announced = if self.was_slow && evidence == Evidence::Timeout {
            Evidence::Slow.log_likelihood()
        } else {
            0.0
        };
        let finding = Finding {
            evidence: Some(evidence),
            log_likelihood: evidence.log_likelihood() - announced,
        };
        self.observe(finding, now)
    }

    /// A stream ended well. After cuts, only that heals.
    fn completed(&mut self, now: Tick) -> Vec<HealthChange> {
        self.settle_probes();
        let mut changes = Vec::new();
        if self.is_probe_of_upstream && std::mem::take(&mut self.is_probe_of_upstream) {
            changes.extend(self.model.end_upstream_probe(None, self.epochs.0, now));
        }
        if self.is_probe_of_model && std::mem::take(&mut self.is_probe_of_model) {
            changes.extend(self.model.end_model_probe(None, self.epochs.1, now));
        }
        changes
    }

    /// As many requests are left as are under way: a gate now saves each further one a refusal.
    pub fn rate_limit(&self, remaining: i64, reset_in: Duration, now: Instant) {
        let under_way = i64::from(self.model.upstream.in_flight.load(Ordering::Relaxed));
        if (0..under_way).contains(&remaining) {
            let now = self.model.epoch.tick(now);
            self.begin_cooldown(
                cooldown::CooldownReason::RateLimit,
                Some(reset_in),
                false,
                now,
            );
        }
    }

    fn begin_cooldown(
        &self,
        reason: cooldown::CooldownReason,
        asked: Option<Duration>,
        is_for_key: bool,
        now: Tick,
    ) {
        // Behind a pattern are many models, most of which may be there.
        let model = self.model.id.model.as_deref().unwrap_or("*");
        if reason == cooldown::CooldownReason::Model && model.ends_with('*') {
            return;
        }
        let cooldowns = if is_for_key {
            &self.model.upstream.keys
        } else {
            &self.model.cooldowns
        };
        if let Some(cooldown) = cooldowns.get(self.key) {
            cooldown.begin(reason, asked, now);
        }
    }

    /// Forgets trials of states that are over.
    fn settle_probes(&mut self) {
        let is_on = |scope: &super::scope::Scope, epoch: u32| {
            let core = scope.core();
            core.phase == Phase::HalfOpen && core.epoch == epoch
        };
        self.is_probe_of_upstream &= is_on(&self.model.upstream.scope, self.epochs.0);
        self.is_probe_of_model &= is_on(&self.model.scope, self.epochs.1);
    }

    fn observe(&mut self, finding: Finding, now: Tick) -> Vec<HealthChange> {
        self.settle_probes();
        let is_ok = finding.evidence.is_none();
        // Where streams were cut, the verdict falls when the stream ends.
        let waits_for_end = |cause: Evidence| is_ok && cause == Evidence::BrokenStream;
        let mut changes = Vec::new();
        if self.is_probe_of_upstream {
            if !waits_for_end(self.model.upstream.scope.core().cause) {
                self.is_probe_of_upstream = false;
                changes = self
                    .model
                    .end_upstream_probe(finding.evidence, self.epochs.0, now);
            }
            if !self.is_probe_of_model {
                return changes;
            }
            self.settle_probes();
        }
        if self.is_probe_of_model {
            if !waits_for_end(self.model.scope.core().cause) {
                self.is_probe_of_model = false;
                changes.extend(
                    self.model
                        .end_model_probe(finding.evidence, self.epochs.1, now),
                );
            }
            return changes;
        }
        if is_ok {
            self.model.upstream.scope.revive(self.epochs.0, now);
            self.model.scope.revive(self.epochs.1, now);
        }
        changes.extend(self.model.add_evidence(finding, self.epochs, now));
        changes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.leave();
        self.settle_probes();
        if self.is_probe_of_upstream {
            self.model.upstream.scope.end_probe();
        }
        if self.is_probe_of_model {
            self.model.scope.end_probe();
        }
    }
}
