//! What other replicas say about a scope, and what this one has found out itself, which it may tell others.
//!
//! The word of another is weaker than what our own requests show: it raises the score, so that few failures of our own are
//! enough. What it does to a scope is marked, so that it is not told on as if it were our own finding. What the requests of others
//! hold against a scope that nobody has taken out yet is kept apart from the score, for the same reason.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::cooldown::{Cooldown, CooldownReason};
use super::evidence::Evidence;
use super::fleet_probe::FleetProbes;
use super::hearsay::Hearsay;
use super::model_health::ModelHealth;
use super::names::Names;
use super::odds;
use super::packed::Phase;
use super::rate_limit::RateLimitView;
use super::registry::Health;
use super::scope::Scope;
use super::siblings::SUSPICIOUS;
use super::time::{Epoch, Tick};
use super::transition::{healed, opened};
use super::upstream_health::UpstreamHealth;
use crate::config::UpstreamId;
use crate::event::{HealthChange, ScopeId};
use crate::outcome::{Outcome, Unreachable};

/// For so long, in seconds, it is told that a scope has healed.
const NEWS: f32 = 5.0;
/// What an answer has said within so many seconds is told.
const JUST_NOW: f32 = 2.0;
/// Whoever has not been asked for so many seconds knows nothing of its own.
const STALE: f32 = 10.0;
/// Less than any failure of our own adds to a score, so that the next one is enough.
const LAST_STEP: f32 = 1.4;
/// So much our own requests have to hold against a scope in any case: more than one failure among successes.
const OWN_PART: f32 = 3.3;
/// For so long, in seconds, it counts what others hold against a scope. They say so every second.
const HEARD: f32 = 3.0;

/// A scope as replicas share it.
#[derive(Clone, Debug)]
pub struct SharedScope {
    upstream: Arc<UpstreamHealth>,
    /// `None`: the upstream as a whole.
    model: Option<Arc<ModelHealth>>,
    pub(super) epoch: Epoch,
}

/// What this replica has found out about a scope by its own requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OwnFinding {
    /// Which change of its state this is: another number is another finding.
    pub turn: u32,
    /// How often in a row it has been taken out.
    pub level: u64,
    /// Whether it has just healed; else it is out of rotation.
    pub has_healed: bool,
    /// Whether it is out of rotation, but has answered a trial.
    pub has_answered: bool,
    /// The kind of failures that took it out.
    pub cause: &'static str,
    /// The chance that a call succeeds, between 0 and 1.
    pub odds: f32,
    /// For how long it has been out.
    pub out_for: Duration,
}

/// What the requests of one replica hold against a scope that it has in rotation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suspicion {
    /// How much evidence they have found, in nats.
    pub score: f32,
    /// The chance that a call succeeds, between 0 and 1.
    pub odds: f32,
}

/// What the requests of other replicas hold against a scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Others {
    /// The evidence of each of them that has it in rotation, in nats.
    pub scores: Vec<f32>,
    /// The chance that a call succeeds, as they have found it together.
    pub odds: f32,
    /// How long the first of them has had it out.
    pub out_for: Duration,
}

impl Default for Others {
    fn default() -> Self {
        Self {
            scores: Vec::new(),
            odds: 1.0,
            out_for: Duration::ZERO,
        }
    }
}

impl Others {
    /// One of them has found this chance that a call succeeds.
    pub fn add_odds(&mut self, odds: f32) {
        self.odds = odds::pooled(self.odds, odds);
    }
}

/// How a scope stands here.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// The state of its circuit breaker.
    pub phase: Phase,
    /// The evidence against it.
    pub score: f32,
    /// How long a few requests of our own take to come: within it they show whether another's word is true here.
    pub own_word_within: Duration,
}

/// A cooldown as replicas share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedCooldown {
    /// The position of the key among the upstream's keys, from 0.
    pub key: usize,
    /// Why.
    pub reason: CooldownReason,
    /// How long it has lasted, with those in a row before it.
    pub lasts_for: Duration,
    /// How much longer.
    pub left: Duration,
}

impl Health {
    /// Shows each scope, with the name that a client asked for where it stands behind a pattern.
    pub fn each_shared(&self, show: &mut dyn FnMut(&SharedScope, Option<&str>)) {
        let epoch = self.epoch;
        for upstream in self.upstreams() {
            let model = None;
            show(
                &SharedScope {
                    upstream,
                    model,
                    epoch,
                },
                None,
            );
        }
        for model in self.models() {
            let of = |model: &Arc<ModelHealth>| SharedScope {
                upstream: Arc::clone(&model.upstream),
                model: Some(Arc::clone(model)),
                epoch,
            };
            show(&of(&model), None);
            for (name, named) in model.names.iter().flat_map(Names::each) {
                show(&of(named), Some(name));
            }
        }
    }

    /// Whether trials are agreed upon with other replicas.
    pub fn fleet_probes(&self) -> &Arc<FleetProbes> {
        &self.fleet_probes
    }

    /// A health check has not reached an upstream. If another replica has said that it cannot be connected to, we have found
    /// that out ourselves now, unless our own network is lost.
    pub fn not_reached(&self, id: &UpstreamId, now: Instant) -> Option<HealthChange> {
        let now = self.epoch.tick(now);
        let mut all = self.upstreams().into_iter();
        let upstream = all.find(|upstream| upstream.id == *id)?;
        if !upstream.hearsay.settle() {
            return None;
        }
        let lost = Outcome::Unreachable(Unreachable::Other);
        let was_lost = self.is_network_lost();
        if self.network.lost(&upstream, &lost, now) {
            return (!was_lost).then_some(HealthChange::NetworkLost);
        }
        upstream.trip_now(Evidence::Connection, now)
    }
}

impl SharedScope {
    /// The upstream, and the model as the configuration names it.
    pub fn id(&self) -> ScopeId {
        match &self.model {
            Some(model) => model.id().clone(),
            None => self.upstream.scope_id(),
        }
    }

    pub(super) fn scope(&self) -> &Scope {
        match &self.model {
            Some(model) => model.scope(),
            None => &self.upstream.scope,
        }
    }

    pub(super) fn hearsay(&self) -> &Hearsay {
        match &self.model {
            Some(model) => &model.own.hearsay,
            None => &self.upstream.hearsay,
        }
    }

    fn cooldowns(&self) -> &[Cooldown] {
        match &self.model {
            Some(model) => &model.cooldowns,
            None => &self.upstream.cooldowns,
        }
    }

    /// What our own requests have shown, as far as others have to know it.
    pub fn own_finding(&self, now: Instant) -> Option<OwnFinding> {
        let now = self.epoch.tick(now);
        let (scope, core) = (self.scope(), self.scope().core());
        let has_healed = core.phase == Phase::SlowStart
            && scope.changed_at().0 != 0
            && scope.changed_at().seconds_until(now) < NEWS;
        let is_news = core.phase.is_out() || has_healed;
        (is_news && !self.hearsay().is_told(core.epoch)).then(|| OwnFinding {
            turn: core.epoch,
            level: core.level,
            has_healed,
            has_answered: core.phase == Phase::HalfOpen && core.good > 0,
            cause: core.cause.label(),
            odds: self.odds(now),
            out_for: Duration::from_secs_f32(scope.closed_until().seconds_until(now)),
        })
    }

    /// The cooldowns that our own requests began.
    pub fn own_cooldowns(&self, now: Instant) -> impl Iterator<Item = SharedCooldown> {
        let now = self.epoch.tick(now);
        let all = self.cooldowns().iter().enumerate();
        all.filter_map(move |(key, cooldown)| {
            let (reason, until) = cooldown.own(now)?;
            Some(SharedCooldown {
                key,
                reason,
                lasts_for: Duration::from_secs_f32(cooldown.lasts_for(now)),
                left: Duration::from_secs_f32(now.seconds_until(until)),
            })
        })
    }

    /// Another replica's request began a cooldown of the same key.
    pub fn cool_down(&self, cooldown: SharedCooldown, now: Instant) {
        if let Some(own) = self.cooldowns().get(cooldown.key) {
            let times = (cooldown.lasts_for.as_secs_f32(), cooldown.left);
            own.impose(cooldown.reason, times, self.epoch.tick(now));
        }
    }

    /// What is left of the rate limits of its keys, as answers to this replica have said just now.
    pub fn own_rate_limits(&self, now: Instant) -> impl Iterator<Item = RateLimitView> {
        let now = self.epoch.tick(now);
        let limits = self.model.iter().flat_map(|model| &model.rate_limits);
        let limits = limits.enumerate();
        limits.filter_map(move |(key, limit)| limit.own(key, JUST_NOW, now))
    }

    /// Another replica was told what is left of the rate limit of the same key.
    pub fn allow(&self, rate_limit: RateLimitView, now: Instant) {
        let limits = self.model.iter().flat_map(|model| &model.rate_limits);
        let position = rate_limit.key.saturating_sub(1);
        if let Some(limit) = limits.into_iter().nth(position) {
            limit.note_told(rate_limit.requests, rate_limit.limit, self.epoch.tick(now));
        }
    }

    /// How it stands here.
    pub fn standing(&self, now: Instant) -> Standing {
        let now = self.epoch.tick(now);
        let (scope, core) = (self.scope(), self.scope().core());
        let seconds = match scope.idle_for(now) > STALE {
            true => 0.0,
            false => (3.0 / scope.rate()).clamp(1.0, STALE),
        };
        Standing {
            phase: core.phase,
            score: scope.score(now),
            own_word_within: Duration::from_secs_f32(seconds),
        }
    }

    /// What our own requests hold against it while it is in rotation, if that is suspicious.
    pub fn own_suspicion(&self, now: Instant) -> Option<Suspicion> {
        let core = self.scope().core();
        let score = self.hearsay().own(core.epoch);
        let is_suspicious =
            !core.phase.is_out() && score > 0.0 && score >= SUSPICIOUS * self.scope().threshold();
        let odds = self.odds(self.epoch.tick(now));
        is_suspicious.then_some(Suspicion { score, odds })
    }

    /// The chance that a call succeeds, as our own requests have found it.
    fn odds(&self, now: Tick) -> f32 {
        match &self.model {
            Some(model) => model.odds.now(now),
            None => self.upstream.odds.now(now),
        }
    }

    /// The requests of other replicas hold this against it. It counts beside what our own find: that of one for at most half of
    /// what takes it out, that of several for all but what our own have to find. Their odds, and for how
    /// long it has been out there, count while it is out here.
    pub fn support(&self, others: &Others, now: Instant) {
        let now = self.epoch.tick(now);
        let threshold = self.scope().threshold();
        let half = 0.5 * threshold;
        let each = others.scores.iter().map(|score| score.clamp(0.0, half));
        let most = half.max(threshold - OWN_PART);
        let support = each.sum::<f32>().min(most);
        let out_since = now.minus(others.out_for.as_secs_f32());
        let evidence = (support, others.odds);
        self.hearsay().hear(evidence, out_since, now.plus(HEARD));
    }

    /// So many replicas have taken it out: half of the evidence that this takes, or more if they are several, beside what our own
    /// requests have found; or nearly all, if these say nothing lately. Returns the score.
    pub fn doubt(&self, cause: &'static str, votes: usize, now: Instant) -> f32 {
        let now = self.epoch.tick(now);
        let scope = self.scope();
        let (threshold, is_idle) = (scope.threshold(), scope.idle_for(now) > STALE);
        let nearly_all = scope.next_threshold(now) - LAST_STEP;
        let own = self.hearsay().own(scope.core().epoch);
        let raised = match votes {
            _ if is_idle => nearly_all,
            0..=1 => own + 0.5 * threshold,
            _ => own + (threshold - OWN_PART).max(0.5 * threshold),
        };
        let score = scope.score(now).max(raised.min(nearly_all));
        scope.set_score(score, now);
        if cause == Evidence::Connection.label() && self.model.is_none() {
            self.hearsay().doubt();
        }
        score
    }

    /// Enough others have taken it out, and nothing here speaks against it.
    pub fn open_as_told(&self, cause: &'static str, now: Instant) -> Option<HealthChange> {
        let (now, evidence) = (self.epoch.tick(now), Evidence::from_label(cause)?);
        let epoch = self.scope().core().epoch;
        let change = match &self.model {
            None => self.upstream.trip(epoch, evidence, now),
            Some(_) => self
                .scope()
                .trip(epoch, evidence, now, fastrand::f32())
                .then(|| opened(self.id(), self.scope(), now)),
        };
        if change.is_some() {
            self.hearsay().mark(self.scope());
            self.hearsay().fleet_probe.end();
        }
        change
    }

    /// Whether it gets its traffic back only because another replica has said that it has healed.
    pub fn has_healed_as_told(&self) -> bool {
        let core = self.scope().core();
        core.phase == Phase::SlowStart && self.hearsay().is_told(core.epoch)
    }

    /// Another replica has tried it in vain, and has come to this level. Then it is not tried here so soon.
    pub fn put_off(&self, level: u64, now: Instant) -> Option<HealthChange> {
        let now = self.epoch.tick(now);
        let (scope, hearsay) = (self.scope(), self.hearsay());
        let was_told = hearsay.is_told(scope.core().epoch);
        if hearsay.fleet_probe.is_ours(now) || !scope.put_off(level, now, later()) {
            return None;
        }
        if was_told {
            hearsay.mark(scope);
        }
        hearsay.fleet_probe.end();
        Some(opened(self.id(), scope, now))
    }

    /// It has answered a trial of another replica. If it is out, its pause is over, so that requests that wait for it here may try it
    /// in their turns.
    pub fn end_pause(&self, now: Instant) {
        self.scope().end_pause(self.epoch.tick(now));
    }

    /// Another replica has tried it, and it has healed. Its traffic comes back here from some moment within a second on.
    pub fn heal_as_told(&self, now: Instant) -> Vec<HealthChange> {
        let now = self.epoch.tick(now);
        let cause = self.scope().core().cause;
        if !self.scope().heal(now, fastrand::f32()) {
            return Vec::new();
        }
        self.hearsay().mark(self.scope());
        self.hearsay().fleet_probe.end();
        match &self.model {
            None => self.upstream.release_models(cause, now),
            Some(_) => vec![healed(self.id(), cause)],
        }
    }
}

/// The jitter of a pause that follows another replica's trial: of its upper half. Else the pause of a fleet would be the shortest of
/// many, and so shorter than that of one proxy.
fn later() -> f32 {
    0.5 + 0.5 * fastrand::f32()
}
