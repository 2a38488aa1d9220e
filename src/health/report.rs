//! What an attempt reports: first content, slowness, its end. Each is evidence, and may change a scope's state.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::cooldown::{self, CooldownReason, Requested};
use super::evidence::{Evidence, FOREIGN_ERROR, Finding};
use super::permit::Permit;
use super::rate_limit::RateLimit;
use super::rejections;
use super::slow::{Shape, Silence};
use super::time::Tick;
use crate::event::HealthChange;
use crate::outcome::Outcome;

/// From this weight on, in nats, a wait that was cut short counts as a failed call, and a probe has failed.
const CONVINCING: f32 = 1.0;

impl Permit {
    /// The first content has come. That is a success, although the stream may still break.
    pub fn answered(&mut self, shape: Shape, limit: Duration, now: Instant) -> Vec<HealthChange> {
        let model = &self.model;
        let now = model.epoch.tick(now);
        self.has_content = true;
        let is_network_back = model.network.reached(now);
        model.counters.count(true, now);
        model.learn_odds(true, now);
        for cooldown in model.cooldowns_of(self.key) {
            cooldown.forget(now);
        }
        model.rejections.answered(now);
        if model.is_well(now) {
            let took = Duration::from_secs_f32(self.started.seconds_until(now));
            model.baselines.learn(shape, took, limit);
        }
        let mut changes = self.observe(Finding::SUCCESS, now);
        if is_network_back {
            changes.push(HealthChange::NetworkBack);
        }
        changes
    }

    /// There is still no first token, although almost every healthy request would have one by now.
    pub fn slow(&mut self, now: Instant) -> Vec<HealthChange> {
        if std::mem::replace(&mut self.was_slow, true) {
            return Vec::new();
        }
        let now = self.model.epoch.tick(now);
        self.observe(Finding::against(Evidence::Slow), now)
    }

    /// The client went away, or another attempt of its request has answered first. Before the first content, the wait
    /// is evidence, as far as a healthy upstream would have answered by then.
    pub fn given_up(
        mut self,
        shape: Shape,
        limit: Duration,
        silence: Silence,
        now: Instant,
    ) -> Vec<HealthChange> {
        let model = &self.model;
        let now = model.epoch.tick(now);
        if self.has_content || model.network.lost_since().is_some() {
            return Vec::new();
        }
        let mut weight = model.baselines.waited_in_vain(shape, silence, limit);
        if model.is_well(now) {
            model
                .baselines
                .learn_longer_than(shape, silence.waited, fastrand::f32());
        }
        let is_convincing = weight >= CONVINCING;
        if is_convincing {
            model.learn_odds(false, now);
        }
        if self.was_slow {
            // Its slowness was counted already.
            weight -= Evidence::Slow.log_likelihood();
        }
        if weight <= 0.0 || self.is_probe() && !is_convincing {
            return Vec::new();
        }
        let finding = Finding {
            evidence: Some(Evidence::Slow),
            log_likelihood: weight,
        };
        self.observe(finding, now)
    }

    /// The answer is a connection that may last for hours. It no longer counts as in flight, and no probe waits for its
    /// end.
    pub fn settled(&mut self, now: Instant) -> Vec<HealthChange> {
        let now = self.model.epoch.tick(now);
        self.land();
        self.completed(now)
    }

    /// The attempt is over. If its first content was reported, then only a broken stream is evidence.
    pub fn finish(mut self, outcome: &Outcome, now: Instant) -> Vec<HealthChange> {
        let now = self.model.epoch.tick(now);
        if let Some(requested) = cooldown::requested_by(outcome) {
            self.begin_cooldown(requested, now);
        }
        if let (Outcome::RateLimited { .. }, Some(limit)) = (outcome, self.its_rate_limit()) {
            limit.used_up(now);
        }
        if rejections::is_rejection(outcome) {
            self.model.rejections.rejected(now);
        }
        match Evidence::of(outcome, self.has_content) {
            Some(evidence) => self.failed(evidence, outcome, now),
            None if *outcome == Outcome::Success && self.has_content => self.completed(now),
            None => Vec::new(),
        }
    }

    /// The upstream allows so many more requests, out of so many, until its rate limit resets. If that is less than what is in
    /// flight, then a cooldown saves the next requests a refusal.
    pub fn rate_limit(&self, remaining: i64, limit: Option<i64>, reset_in: Duration, now: Instant) {
        if let (Ok(left), Some(noted)) = (u64::try_from(remaining), self.its_rate_limit()) {
            let limit = limit.and_then(|limit| u64::try_from(limit).ok());
            noted.note(left, limit, self.model.epoch.tick(now));
        }
        let in_flight = i64::from(self.model.upstream.in_flight.load(Ordering::Relaxed));
        if (0..in_flight).contains(&remaining) {
            let requested = Requested {
                reason: CooldownReason::RateLimit,
                length: Some(reset_in),
                is_for_key: false,
            };
            self.begin_cooldown(requested, self.model.epoch.tick(now));
        }
    }

    fn its_rate_limit(&self) -> Option<&RateLimit> {
        self.model.rate_limits.get(self.key)
    }

    fn begin_cooldown(&self, requested: Requested, now: Tick) {
        let Requested {
            reason,
            length,
            is_for_key,
        } = requested;
        // A pattern stands for many models, and the upstream may have the others.
        if reason == CooldownReason::Model && self.model.names.is_some() {
            return;
        }
        let cooldowns = if is_for_key {
            &self.model.upstream.cooldowns
        } else {
            &self.model.cooldowns
        };
        for (key, cooldown) in cooldowns.iter().enumerate() {
            // Whoever is overloaded is so for all keys. What is known of another one may last for longer.
            let is_shared = reason == CooldownReason::Overload && cooldown.active(now).is_none();
            if key == self.key || is_shared {
                cooldown.begin(reason, length, self.started, now);
            }
        }
    }

    fn failed(&mut self, evidence: Evidence, outcome: &Outcome, now: Tick) -> Vec<HealthChange> {
        let model = &self.model;
        model.counters.count(false, now);
        if evidence == Evidence::Connection {
            let was_lost = model.network.lost_since().is_some();
            if model.network.lost(&model.upstream, outcome, now) {
                // The cause is our own network, so this is no evidence against the upstream.
                return if was_lost {
                    Vec::new()
                } else {
                    vec![HealthChange::NetworkLost]
                };
            }
        }
        model.learn_odds(false, now);
        let mut finding = Finding::against(evidence);
        if matches!(outcome, Outcome::ForeignError { .. }) {
            // A firewall may dislike one prompt, so an upstream that works shows this now and then.
            finding.log_likelihood = FOREIGN_ERROR;
        }
        if self.was_slow && evidence == Evidence::Timeout {
            // Its slowness was counted already.
            finding.log_likelihood -= Evidence::Slow.log_likelihood();
        }
        self.observe(finding, now)
    }

    /// The answer ended well. If broken streams had opened a scope, only this is a successful probe.
    fn completed(&mut self, now: Tick) -> Vec<HealthChange> {
        self.forget_stale_probes();
        let mut changes = Vec::new();
        if self.is_probe.upstream {
            changes = self.end_upstream_probe(None, now);
        }
        if self.is_probe.model {
            changes.extend(self.end_model_probe(None, now));
        }
        changes
    }

    fn observe(&mut self, finding: Finding, now: Tick) -> Vec<HealthChange> {
        self.forget_stale_probes();
        let is_success = finding.evidence.is_none();
        // Where streams broke, a probe has succeeded when its stream has ended.
        let waits_for_end = |cause: Evidence| is_success && cause == Evidence::BrokenStream;
        let mut changes = Vec::new();
        if self.is_probe.upstream {
            if !waits_for_end(self.model.upstream.scope.core().cause) {
                changes = self.end_upstream_probe(finding.evidence, now);
            }
            if !self.is_probe.model {
                return changes;
            }
            self.forget_stale_probes();
        }
        if self.is_probe.model {
            if !waits_for_end(self.model.scope().core().cause) {
                changes.extend(self.end_model_probe(finding.evidence, now));
            }
            return changes;
        }
        if is_success {
            let began_in = self.began_in;
            self.model.upstream.scope.revive(began_in.upstream, now);
            self.model.scope().revive(began_in.model, now);
        }
        changes.extend(self.model.add_evidence(finding, self.began_in, now));
        changes
    }

    fn end_upstream_probe(&mut self, evidence: Option<Evidence>, now: Tick) -> Vec<HealthChange> {
        self.is_probe.upstream = false;
        let (model, epoch) = (&self.model, self.began_in.upstream);
        model.upstream.end_probe(&model.own, evidence, epoch, now)
    }

    fn end_model_probe(&mut self, evidence: Option<Evidence>, now: Tick) -> Option<HealthChange> {
        self.is_probe.model = false;
        self.model.end_probe(evidence, self.began_in.model, now)
    }
}
