//! What is believed about one model at an upstream, and which of the two trips when evidence adds up.
//!
//! An attempt is evidence on both scopes. The contrast between models decides which one trips: the upstream, if no
//! connection came about or another of its models is suspicious, too; else the model alone.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::both::Both;
use super::cooldown::{Cooldown, CooldownReason};
use super::counters::Counters;
use super::evidence::{Evidence, Finding};
use super::hearsay::Hearsay;
use super::names::Names;
use super::network::Network;
use super::odds::Odds;
use super::packed::{Core, Phase};
use super::rate_limit::RateLimit;
use super::rejections::Rejections;
use super::scope::Scope;
use super::siblings::{ModelScope, SiblingState};
use super::slow::{Baselines, Shape};
use super::time::{Epoch, Tick};
use super::transition::{healed, opened};
use super::upstream_health::UpstreamHealth;
use crate::event::{HealthChange, ScopeId};

/// A model at an upstream.
#[derive(Debug)]
pub struct ModelHealth {
    pub(super) upstream: Arc<UpstreamHealth>,
    pub(super) own: Arc<ModelScope>,
    /// Cooldowns that hold for this model, one for each key.
    pub(super) cooldowns: Vec<Cooldown>,
    /// What its rate limits allow, one for each key.
    pub(super) rate_limits: Vec<RateLimit>,
    pub(super) baselines: Baselines,
    pub(super) counters: Counters,
    pub(super) odds: Odds,
    pub(super) rejections: Rejections,
    /// The models behind it, if its name is a pattern.
    pub(super) names: Option<Names<Arc<Self>>>,
    pub(super) epoch: Epoch,
    pub(super) network: Arc<Network>,
}

impl ModelHealth {
    pub(super) fn new(
        upstream: Arc<UpstreamHealth>,
        own: Arc<ModelScope>,
        keys: usize,
        epoch: Epoch,
        network: Arc<Network>,
    ) -> Self {
        let is_pattern = own.id.model.as_deref().is_some_and(|id| id.ends_with('*'));
        Self {
            upstream,
            own,
            cooldowns: (0..keys).map(|_| Cooldown::default()).collect(),
            rate_limits: (0..keys).map(|_| RateLimit::default()).collect(),
            baselines: Baselines::default(),
            counters: Counters::default(),
            odds: Odds::default(),
            rejections: Rejections::default(),
            names: is_pattern.then(Names::new),
            epoch,
            network,
        }
    }

    /// The upstream and the model.
    pub fn id(&self) -> &ScopeId {
        &self.own.id
    }

    /// The health of the model that was asked for: one of the many, if this stands for all models of a pattern, else
    /// this. What is known of a name behind a pattern is observed under the pattern's name. From about a thousand
    /// names on, further ones share this.
    pub fn of_name(self: &Arc<Self>, name: &str) -> &Arc<Self> {
        let names = self.names.as_ref();
        let named = names.and_then(|names| names.get(name, || Arc::new(self.one_of_many())));
        named.unwrap_or(self)
    }

    fn one_of_many(&self) -> Self {
        let upstream = Arc::clone(&self.upstream);
        let own = upstream.models.add(self.id().clone());
        let network = Arc::clone(&self.network);
        Self {
            names: None,
            ..Self::new(upstream, own, self.cooldowns.len(), self.epoch, network)
        }
    }

    /// This, and all models behind it.
    pub(super) fn family(&self) -> impl Iterator<Item = &Self> {
        let many = self.names.iter().flat_map(Names::all);
        iter::once(self).chain(many.map(Arc::as_ref))
    }

    /// The names of the models behind a pattern that are out of rotation.
    pub fn names_out(&self) -> impl Iterator<Item = &str> {
        let named = self.names.iter().flat_map(Names::each);
        let out = named.filter(|(_, model)| model.scope().core().phase.is_out());
        out.map(|(name, _)| name)
    }

    /// The chance that a call succeeds now, between 0 and 1, as the calls of the last minutes suggest. Rate limits,
    /// refused keys, rejected requests and clients that go away do not count. While our own network is lost, none succeeds.
    pub fn odds(&self, now: Instant) -> f32 {
        if self.cut_off_for(now).is_some() {
            return 0.0;
        }
        let now = self.epoch.tick(now);
        let mut odds = self.odds.now(now);
        if self.scope().core().phase.is_out() {
            // And so have other replicas.
            odds = self.own.hearsay.odds(odds, now);
        }
        if self.upstream.scope.core().phase.is_out() {
            // Its other models have shown what to expect.
            odds = odds.min(self.upstream.odds.now(now));
            odds = self.upstream.hearsay.odds(odds, now);
        }
        odds
    }

    /// A call has ended.
    pub(super) fn learn_odds(&self, is_success: bool, now: Tick) {
        self.odds.learn(is_success, now);
        self.upstream.odds.learn(is_success, now);
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.own.scope
    }

    /// Counts a request that has this model as a candidate.
    pub fn demanded(&self, now: Instant) {
        self.demanded_at(self.tick(now));
    }

    /// The same at a time as [`Self::tick`] gives it, which holds for all models of one [`Health`](super::Health).
    pub fn demanded_at(&self, now: Tick) {
        self.scope().demanded(now);
        self.upstream.scope.demanded(now);
    }

    /// A time as health has it.
    pub fn tick(&self, now: Instant) -> Tick {
        self.epoch.tick(now)
    }

    /// When an attempt through a key may be admitted again; `None`: now.
    pub fn blocked_until(&self, key: usize, now: Instant) -> Option<Instant> {
        let tick = self.epoch.tick(now);
        let cooldown = self.cooldown(key, tick).map(|(_, until)| until);
        let open = self.scopes().into_iter().filter_map(|scope| {
            let core = scope.core();
            (core.phase == Phase::Open && core.until > tick).then_some(core.until)
        });
        cooldown
            .into_iter()
            .chain(open)
            .max()
            .map(|until| self.epoch.instant(until))
    }

    /// How long a request may wait for its first token before that is evidence of slowness.
    pub fn slow_after(&self, shape: Shape, limit: Duration) -> Option<Duration> {
        self.baselines.slow_after(shape, limit)
    }

    /// The 95th percentile of the time to the first token, if it is known.
    pub fn late_after(&self, shape: Shape) -> Option<Duration> {
        self.baselines.late_after(shape)
    }

    /// The expected wait of one more request for its first token: the usual time, once for each attempt in flight.
    pub fn load(&self) -> f32 {
        let in_flight = self.upstream.in_flight.load(Ordering::Relaxed) + 1;
        self.baselines.usual() * in_flight as f32
    }

    /// Whether it, or its upstream, is out of rotation: then requests that wait here had better be hedged.
    pub fn is_out(&self) -> bool {
        self.scopes()
            .iter()
            .any(|scope| scope.core().phase.is_out())
    }

    /// Whether it, or its upstream, is out of rotation for a while, and another replica finds out whether it is back.
    pub fn is_tried_elsewhere(&self, now: Instant) -> bool {
        let now = self.epoch.tick(now);
        let pausing = self.pausing(now);
        pausing.is_some_and(|(_, hearsay)| hearsay.fleet_probe.is_theirs(now))
    }

    /// Its upstream, or else itself, whichever is out of rotation, if its pause is not over.
    pub(super) fn pausing(&self, now: Tick) -> Option<(&Scope, &Hearsay)> {
        let scopes = [
            (&self.upstream.scope, &self.upstream.hearsay),
            (self.scope(), &self.own.hearsay),
        ];
        let mut scopes = scopes.into_iter();
        let (scope, hearsay) = scopes.find(|(scope, _)| scope.core().phase.is_out())?;
        let core = scope.core();
        (core.phase == Phase::Open && now < core.until).then_some((scope, hearsay))
    }

    /// Whether it, or its upstream, is out of rotation for a cause that others in its failure domain may share.
    pub fn has_failed(&self) -> bool {
        self.scopes().iter().any(|scope| {
            let core = scope.core();
            core.phase.is_out() && core.cause.is_contagious()
        })
    }

    /// For how long it, or its upstream, has been out of rotation; `None`: it is not.
    pub fn out_for(&self, now: Instant) -> Option<Duration> {
        let now = self.epoch.tick(now);
        let out = [
            (self.scope(), &self.own.hearsay),
            (&self.upstream.scope, &self.upstream.hearsay),
        ];
        let out = out
            .into_iter()
            .filter(|(scope, _)| scope.core().phase.is_out());
        let out = out.map(|(scope, hearsay)| {
            let since = hearsay.out_since(scope.closed_until(), now);
            since.seconds_until(now)
        });
        out.max_by(f32::total_cmp).map(Duration::from_secs_f32)
    }

    /// Whether our own network is believed to be lost.
    pub fn is_network_lost(&self) -> bool {
        self.network.lost_since().is_some()
    }

    /// For how long our own network has been lost, if that is why its upstream cannot be connected to.
    pub fn cut_off_for(&self, now: Instant) -> Option<Duration> {
        let since = self.network.lost_to(&self.upstream)?;
        let seconds = since.seconds_until(self.epoch.tick(now));
        Some(Duration::from_secs_f32(seconds))
    }

    /// Whether it answers as it should, so that its answers show what is usual.
    pub(super) fn is_well(&self, now: Tick) -> bool {
        let scope = self.scope();
        scope.core().phase == Phase::Closed && scope.score(now) < 0.5 * scope.threshold()
    }

    /// Whether so many requests are rejected as wrong that the model may be the cause, and not its clients. Then it is
    /// worth the while to ask another candidate with the same bytes.
    pub fn rejects_unusually(&self, now: Instant) -> bool {
        self.rejections.are_unusual(self.epoch.tick(now))
    }

    /// Another candidate took the same bytes that this model had rejected: the rejection was a failure of the model.
    pub fn refuted(&self, now: Instant) -> Vec<HealthChange> {
        let now = self.epoch.tick(now);
        self.counters.count(false, now);
        self.learn_odds(false, now);
        let core = self.scope().core();
        let change = if core.phase == Phase::HalfOpen {
            self.end_probe(Some(Evidence::Failure), core.epoch, now)
        } else {
            let began_in = Both {
                upstream: self.upstream.scope.core().epoch,
                model: core.epoch,
            };
            self.add_evidence(Finding::against(Evidence::Failure), began_in, now)
        };
        change.into_iter().collect()
    }

    /// The fraction of its traffic that it gets.
    pub fn fraction(&self) -> f32 {
        let [model, upstream] = self.scopes().map(Scope::fraction);
        model.min(upstream)
    }

    fn scopes(&self) -> [&Scope; 2] {
        [self.scope(), &self.upstream.scope]
    }

    /// The cooldown of a key, for all models or for this one.
    pub(super) fn cooldown(&self, key: usize, now: Tick) -> Option<(CooldownReason, Tick)> {
        self.cooldowns_of(key)
            .find_map(|cooldown| cooldown.active(now))
    }

    pub(super) fn cooldowns_of(&self, key: usize) -> impl Iterator<Item = &Cooldown> {
        let of_key = self.upstream.cooldowns.get(key);
        of_key.into_iter().chain(self.cooldowns.get(key))
    }

    /// A probe of this model has ended. It began in `epoch`.
    pub(super) fn end_probe(
        &self,
        evidence: Option<Evidence>,
        epoch: u32,
        now: Tick,
    ) -> Option<HealthChange> {
        let cause = self.scope().core().cause;
        match evidence {
            None => self
                .scope()
                .succeed_probe(epoch, now)
                .then(|| healed(self.id().clone(), cause)),
            Some(evidence) => {
                let has_tripped = self.scope().trip(epoch, evidence, now, fastrand::f32());
                self.after_trip(has_tripped, now)
            }
        }
    }

    fn after_trip(&self, has_tripped: bool, now: Tick) -> Option<HealthChange> {
        has_tripped.then(|| opened(self.id().clone(), self.scope(), now))
    }

    /// Adds what an attempt found to the scores of both scopes, unless the attempt is a probe; decides which scope
    /// trips, if that is enough. A failure of an attempt that began before a scope's last change of state adds nothing
    /// to it.
    pub(super) fn add_evidence(
        &self,
        finding: Finding,
        began_in: Both<u32>,
        now: Tick,
    ) -> Option<HealthChange> {
        let is_enough = self.add_to_scores(finding, began_in, now);
        let evidence = finding.evidence?;
        if !is_enough.upstream && !is_enough.model {
            return None;
        }
        let siblings = self.upstream.models.worst_besides(&self.own, now);
        let is_upstreams = evidence == Evidence::Connection || siblings != SiblingState::Healthy;
        if is_enough.upstream && is_upstreams {
            return self.upstream.trip_now(evidence, now);
        }
        if !is_enough.model {
            return None;
        }
        if siblings == SiblingState::Suspicious && !self.upstream.scope.core().phase.is_out() {
            let change = self.upstream.trip_now(evidence, now);
            for model in self.upstream.models.all() {
                model.scope.calm(now);
            }
            return change;
        }
        let has_tripped = self.scope().trip_now(evidence, now, fastrand::f32());
        if has_tripped {
            // It has failed alone: with all that against it, the first failure of another one would take its upstream out.
            self.upstream.scope.calm(now);
        }
        self.after_trip(has_tripped, now)
    }

    /// Whether the score of each scope is now enough to trip it. What a model that is out fails at says nothing more about its
    /// upstream, except that no connection can be made.
    fn add_to_scores(&self, finding: Finding, began_in: Both<u32>, now: Tick) -> Both<bool> {
        let core = Both {
            upstream: self.upstream.scope.core(),
            model: self.scope().core(),
        };
        let is_fresh = core.upstream.epoch == began_in.upstream;
        let is_fresh_here = is_fresh && core.model.epoch == began_in.model;
        let is_known = core.model.phase.is_out() && finding.evidence != Some(Evidence::Connection);
        let unless_stale = |is_fresh| {
            if is_fresh {
                finding.log_likelihood
            } else {
                finding.log_likelihood.min(0.0)
            }
        };
        let add = |(scope, hearsay): (&Scope, &Hearsay), core: Core, is_fresh| {
            let log_likelihood = unless_stale(is_fresh);
            if !core.phase.is_out() {
                hearsay.add(log_likelihood, core.epoch);
            }
            scope.add_evidence(log_likelihood, hearsay.support(now), now)
        };
        let upstream = (&self.upstream.scope, &self.upstream.hearsay);
        Both {
            upstream: add(upstream, core.upstream, is_fresh && !is_known),
            model: add((self.scope(), &self.own.hearsay), core.model, is_fresh_here),
        }
    }
}
