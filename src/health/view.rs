//! What is believed now, as data for operators: for `/api/upstreams` and the metrics.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::cooldown::{Cooldown, CooldownReason};
use super::counters::Counts;
use super::evidence::Evidence;
use super::model_health::ModelHealth;
use super::packed::Phase;
use super::rate_limit::RateLimitView;
use super::registry::Health;
use super::scope::Scope;
use super::time::Tick;
use super::upstream_health::UpstreamHealth;
use crate::event::ScopeId;

/// One scope as it is now.
#[derive(Clone, Debug)]
pub struct ScopeView {
    /// Which one.
    pub id: ScopeId,
    /// The state of its circuit breaker.
    pub phase: Phase,
    /// The kind of failures that opened it, last.
    pub cause: &'static str,
    /// How long it has been in this state; `None`: since the start.
    pub since: Option<Duration>,
    /// For how long it has been out of rotation, half-open or not; `None`: it is not.
    pub out_for: Option<Duration>,
    /// How long until it becomes half-open, while it is open.
    pub retry_in: Option<Duration>,
    /// The evidence against it.
    pub score: f32,
    /// The evidence that opens it.
    pub threshold: f32,
    /// The fraction of its traffic that it gets.
    pub fraction: f32,
    /// Requests of the last minute.
    pub last_minute: Counts,
    /// Requests of the last five minutes.
    pub last_five_minutes: Counts,
    /// Attempts in flight; counted for the upstream as a whole.
    pub in_flight: u32,
    /// How many keys it has.
    pub keys: usize,
    /// The cooldowns that last now.
    pub cooldowns: Vec<CooldownView>,
    /// What is left of the rate limits of its keys, as far as the upstream has said so lately.
    pub rate_limits: Vec<RateLimitView>,
    /// For how long it has been out by hand; known for the upstream as a whole.
    pub taken_out_for: Option<Duration>,
}

/// A cooldown that lasts now.
#[derive(Clone, Copy, Debug)]
pub struct CooldownView {
    /// The position of the key among the upstream's keys, from 1.
    pub key: usize,
    /// Why.
    pub reason: CooldownReason,
    /// How long it has lasted, with those in a row before it for the same reason.
    pub lasts_for: Duration,
    /// How much longer.
    pub ends_in: Duration,
}

impl Health {
    /// All scopes, upstream by upstream, each before its models.
    pub fn view(&self, now: Instant) -> Vec<ScopeView> {
        let now = self.epoch.tick(now);
        let (upstreams, models) = (self.upstreams(), self.models());
        let of_upstreams = upstreams
            .iter()
            .map(|upstream| of_upstream(upstream, &models, now));
        let of_models = models.iter().map(|model| of_model(model, now));
        let mut views: Vec<ScopeView> = of_upstreams.chain(of_models).collect();
        views.sort_by(|a, b| a.id.cmp(&b.id));
        views
    }
}

fn of_upstream(upstream: &UpstreamHealth, models: &[Arc<ModelHealth>], now: Tick) -> ScopeView {
    let sum = |minutes| {
        models
            .iter()
            .filter(|model| model.id().upstream == upstream.id)
            .map(|model| of_family(model, minutes, now))
            .fold(Counts::default(), Counts::plus)
    };
    ScopeView {
        last_minute: sum(1),
        last_five_minutes: sum(5),
        in_flight: upstream.in_flight.load(Ordering::Relaxed),
        keys: upstream.cooldowns.len(),
        cooldowns: of_cooldowns(&upstream.cooldowns, now),
        taken_out_for: upstream.taken_out_for(now),
        ..of_scope(upstream.scope_id(), &upstream.scope, now)
    }
}

/// A pattern is shown as the worst of its models, with the requests of all.
fn of_model(model: &ModelHealth, now: Tick) -> ScopeView {
    let family = || model.family();
    let badness = |scope: &Scope| (1.0 - scope.fraction(), scope.score(now) / scope.threshold());
    let worst = family()
        .map(ModelHealth::scope)
        .fold(model.scope(), |worst, scope| {
            if badness(scope) > badness(worst) {
                scope
            } else {
                worst
            }
        });
    let mut cooldowns: Vec<CooldownView> = Vec::new();
    for cooldown in family().flat_map(|model| of_cooldowns(&model.cooldowns, now)) {
        match cooldowns.iter_mut().find(|known| known.key == cooldown.key) {
            Some(known) if known.ends_in < cooldown.ends_in => *known = cooldown,
            Some(_) => {}
            None => cooldowns.push(cooldown),
        }
    }
    ScopeView {
        last_minute: of_family(model, 1, now),
        last_five_minutes: of_family(model, 5, now),
        keys: model.cooldowns.len(),
        cooldowns,
        rate_limits: of_rate_limits(model, now),
        ..of_scope(model.id().clone(), worst, now)
    }
}

/// The requests for a model, or for all models of a pattern.
fn of_family(model: &ModelHealth, minutes: u32, now: Tick) -> Counts {
    let counts = model
        .family()
        .map(|one| one.counters.last_minutes(minutes, now));
    counts.fold(Counts::default(), Counts::plus)
}

fn of_scope(id: ScopeId, scope: &Scope, now: Tick) -> ScopeView {
    let core = scope.core();
    let changed_at = scope.changed_at();
    let seconds = |seconds: f32| Duration::from_secs_f32(seconds);
    ScopeView {
        id,
        phase: core.phase,
        cause: core.cause.label(),
        since: (changed_at.0 != 0).then(|| seconds(changed_at.seconds_until(now))),
        out_for: (core.phase.is_out()).then(|| seconds(scope.closed_until().seconds_until(now))),
        retry_in: (core.phase == Phase::Open).then(|| scope.probed_in(now)),
        score: scope.score(now),
        threshold: scope.threshold(),
        fraction: scope.fraction(),
        last_minute: Counts::default(),
        last_five_minutes: Counts::default(),
        in_flight: 0,
        keys: 0,
        cooldowns: Vec::new(),
        rate_limits: Vec::new(),
        taken_out_for: None,
    }
}

/// For each key what was said last, about any model of a pattern.
fn of_rate_limits(model: &ModelHealth, now: Tick) -> Vec<RateLimitView> {
    let latest = |key: usize| {
        let said = model.family().filter_map(|one| one.rate_limits.get(key));
        let said = said.filter_map(|limit| limit.view(key, now));
        said.max_by_key(|(tick, _)| *tick).map(|(_, view)| view)
    };
    (0..model.rate_limits.len()).filter_map(latest).collect()
}

/// All causes for which a scope opens.
pub fn causes() -> [&'static str; 5] {
    Evidence::ALL.map(Evidence::label)
}

fn of_cooldowns(cooldowns: &[Cooldown], now: Tick) -> Vec<CooldownView> {
    let active = cooldowns
        .iter()
        .enumerate()
        .filter_map(|(index, cooldown)| {
            let (reason, until) = cooldown.active(now)?;
            Some(CooldownView {
                key: index + 1,
                reason,
                lasts_for: Duration::from_secs_f32(cooldown.lasts_for(now)),
                ends_in: Duration::from_secs_f32(now.seconds_until(until)),
            })
        });
    active.collect()
}
