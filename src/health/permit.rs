//! The right to make one attempt, and what the attempt tells about health.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::evidence::{self, Sign};
use super::gate;
use super::leaf::{Finding, Leaf};
use super::slow::Shape;
use super::time::Tick;
use super::word::Phase;
use crate::event::HealthChange;
use crate::outcome::Outcome;

/// Dropped without a verdict, it counts for nothing and gives the places of its trials back.
#[derive(Debug)]
pub struct Permit {
    leaf: Arc<Leaf>,
    key: usize,
    /// The epochs of upstream and model when the attempt began.
    epochs: (u32, u32),
    is_trial_of_account: bool,
    is_trial_of_leaf: bool,
    is_last_resort: bool,
    started: Tick,
    has_content: bool,
    was_slow: bool,
    is_under_way: bool,
}

impl Permit {
    pub(super) fn new(leaf: &Arc<Leaf>, key: usize, trials: (bool, bool), now: Tick) -> Self {
        leaf.account.in_flight.fetch_add(1, Ordering::Relaxed);
        Self {
            epochs: (leaf.account.scope.core().epoch, leaf.scope.core().epoch),
            leaf: Arc::clone(leaf),
            key,
            is_trial_of_account: trials.0,
            is_trial_of_leaf: trials.1,
            is_last_resort: false,
            started: now,
            has_content: false,
            was_slow: false,
            is_under_way: true,
        }
    }

    /// Whether it is one of the few attempts that show whether something has healed.
    pub fn is_trial(&self) -> bool {
        self.is_trial_of_account || self.is_trial_of_leaf
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
    pub fn leaf(&self) -> &Arc<Leaf> {
        &self.leaf
    }

    /// The first content has come: a success, for the time being.
    pub fn answered(&mut self, shape: Shape, limit: Duration, now: Instant) -> Vec<HealthChange> {
        let now = self.leaf.epoch.tick(now);
        self.has_content = true;
        let is_network_back = self.leaf.network.reached(now);
        self.leaf.tallies.count(true, now);
        for gate in self
            .leaf
            .account
            .keys
            .get(self.key)
            .into_iter()
            .chain(self.leaf.gates.get(self.key))
        {
            gate.forget(now);
        }
        let is_well = self.leaf.scope.core().phase == Phase::Closed
            && self.leaf.scope.score(now) < 0.5 * self.leaf.scope.threshold();
        if is_well {
            let took = Duration::from_secs_f32(self.started.seconds_until(now));
            self.leaf.baselines.learn(shape, took, limit);
        }
        let finding = Finding {
            sign: None,
            weight: evidence::SUCCESS,
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
        let now = self.leaf.epoch.tick(now);
        let finding = Finding {
            sign: Some(Sign::Slow),
            weight: Sign::Slow.weight(),
        };
        self.observe(finding, now)
    }

    /// What was answered is a conversation that may last for hours: it is under way no more, and no trial waits for its
    /// end.
    pub fn settled(&mut self, now: Instant) -> Vec<HealthChange> {
        let now = self.leaf.epoch.tick(now);
        self.leave();
        self.completed(now)
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.is_under_way) {
            self.leaf.account.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The attempt is over. A stream whose first content was reported is judged by how it ended.
    pub fn finish(mut self, outcome: &Outcome, now: Instant) -> Vec<HealthChange> {
        let now = self.leaf.epoch.tick(now);
        if let Some((reason, asked, is_for_key)) = gate::of(outcome) {
            self.close_gate(reason, asked, is_for_key, now);
        }
        match Sign::of(outcome, self.has_content) {
            Some(sign) => self.failed(sign, outcome, now),
            None if *outcome == Outcome::Success && self.has_content => self.completed(now),
            None => Vec::new(),
        }
    }

    fn failed(&mut self, sign: Sign, outcome: &Outcome, now: Tick) -> Vec<HealthChange> {
        self.leaf.tallies.count(false, now);
        if sign == Sign::Connection {
            let was_lost = self.leaf.network.lost_since().is_some();
            if self.leaf.network.lost(&self.leaf.account, outcome, now) {
                // It is our own network: what we believe of upstreams stays as it is.
                return if was_lost {
                    Vec::new()
                } else {
                    vec![HealthChange::NetworkLost]
                };
            }
        }
        // A timeout was announced by slowness, and weighs only what is left.
        let announced = if self.was_slow && sign == Sign::Timeout {
            Sign::Slow.weight()
        } else {
            0.0
        };
        let finding = Finding {
            sign: Some(sign),
            weight: sign.weight() - announced,
        };
        self.observe(finding, now)
    }

    /// A stream ended well. After cuts, only that heals.
    fn completed(&mut self, now: Tick) -> Vec<HealthChange> {
        self.settle_trials();
        let mut changes = Vec::new();
        if self.is_trial_of_account && std::mem::take(&mut self.is_trial_of_account) {
            changes.extend(self.leaf.end_account_trial(None, self.epochs.0, now));
        }
        if self.is_trial_of_leaf && std::mem::take(&mut self.is_trial_of_leaf) {
            changes.extend(self.leaf.end_leaf_trial(None, self.epochs.1, now));
        }
        changes
    }

    /// As many requests are left as are under way: a gate now saves each further one a refusal.
    pub fn allowance(&self, remaining: i64, reset_in: Duration, now: Instant) {
        let under_way = i64::from(self.leaf.account.in_flight.load(Ordering::Relaxed));
        if (0..under_way).contains(&remaining) {
            let now = self.leaf.epoch.tick(now);
            self.close_gate(gate::Reason::RateLimit, Some(reset_in), false, now);
        }
    }

    fn close_gate(
        &self,
        reason: gate::Reason,
        asked: Option<Duration>,
        is_for_key: bool,
        now: Tick,
    ) {
        // Behind a pattern are many models, most of which may be there.
        let model = self.leaf.id.model.as_deref().unwrap_or("*");
        if reason == gate::Reason::Model && model.ends_with('*') {
            return;
        }
        let gates = if is_for_key {
            &self.leaf.account.keys
        } else {
            &self.leaf.gates
        };
        if let Some(gate) = gates.get(self.key) {
            gate.close(reason, asked, now);
        }
    }

    /// Forgets trials of states that are over.
    fn settle_trials(&mut self) {
        let is_on = |scope: &super::scope::Scope, epoch: u32| {
            let core = scope.core();
            core.phase == Phase::HalfOpen && core.epoch == epoch
        };
        self.is_trial_of_account &= is_on(&self.leaf.account.scope, self.epochs.0);
        self.is_trial_of_leaf &= is_on(&self.leaf.scope, self.epochs.1);
    }

    fn observe(&mut self, finding: Finding, now: Tick) -> Vec<HealthChange> {
        self.settle_trials();
        let is_ok = finding.sign.is_none();
        // Where streams were cut, the verdict falls when the stream ends.
        let waits_for_end = |cause: Sign| is_ok && cause == Sign::Cut;
        let mut changes = Vec::new();
        if self.is_trial_of_account {
            if !waits_for_end(self.leaf.account.scope.core().cause) {
                self.is_trial_of_account = false;
                changes = self
                    .leaf
                    .end_account_trial(finding.sign, self.epochs.0, now);
            }
            if !self.is_trial_of_leaf {
                return changes;
            }
            self.settle_trials();
        }
        if self.is_trial_of_leaf {
            if !waits_for_end(self.leaf.scope.core().cause) {
                self.is_trial_of_leaf = false;
                changes.extend(self.leaf.end_leaf_trial(finding.sign, self.epochs.1, now));
            }
            return changes;
        }
        if is_ok {
            self.leaf.account.scope.revive(self.epochs.0, now);
            self.leaf.scope.revive(self.epochs.1, now);
        }
        changes.extend(self.leaf.weigh(finding, self.epochs, now));
        changes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.leave();
        self.settle_trials();
        if self.is_trial_of_account {
            self.leaf.account.scope.end_trial();
        }
        if self.is_trial_of_leaf {
            self.leaf.scope.end_trial();
        }
    }
}
