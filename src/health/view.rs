//! What is believed, for people and machines to read.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::cooldown::Cooldown;
use super::counters::Counts;
use super::model_health::{ModelHealth, UpstreamHealth};
use super::packed::Phase;
use super::scope::Scope;
use super::time::Tick;
use super::{CooldownReason, Health};
use crate::event::ScopeId;

/// One scope as it is now.
#[derive(Clone, Debug)]
pub struct ScopeView {
    /// Which one.
    pub id: ScopeId,
    /// Its state.
    pub phase: Phase,
    /// What it was taken out of rotation for, last.
    pub cause: &'static str,
    /// How long it has been in this state; `None`: from the beginning.
    pub since: Option<Duration>,
    /// How long until it is tried again, while it is open.
    pub retry_in: Option<Duration>,
    /// The evidence against it.
    pub score: f32,
    /// The evidence that takes it out of rotation.
    pub threshold: f32,
    /// The fraction of its traffic that it gets.
    pub fraction: f32,
    /// Requests of the last minute.
    pub last_minute: Counts,
    /// Requests of the last five minutes.
    pub last_five_minutes: Counts,
    /// Attempts under way; counted for the upstream as a whole.
    pub in_flight: u32,
    /// What keeps requests away for a while, besides.
    pub cooldowns: Vec<CooldownView>,
}

/// A closed gate.
#[derive(Clone, Copy, Debug)]
pub struct CooldownView {
    /// The position of the key among the upstream's keys, from 1.
    pub key: usize,
    /// Why.
    pub reason: CooldownReason,
    /// How much longer.
    pub opens_in: Duration,
}

impl Phase {
    /// A short constant name for labels and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::SlowStart => "slow_start",
        }
    }
}

impl Health {
    /// All scopes, upstream by upstream, each before its models.
    pub fn view(&self, now: Instant) -> Vec<ScopeView> {
        let now = self.epoch.tick(now);
        let upstreams = super::locked(&self.upstreams);
        let mut views: Vec<ScopeView> = upstreams
            .values()
            .flat_map(|upstream| {
                let models = upstream.all_models();
                let mut views = vec![of_upstream(upstream, &models, now)];
                views.extend(models.iter().map(|model| of_model(model, now)));
                views
            })
            .collect();
        views.sort_by(|a, b| a.id.cmp(&b.id));
        views
    }
}

fn of_upstream(
    upstream: &UpstreamHealth,
    models: &[std::sync::Arc<ModelHealth>],
    now: Tick,
) -> ScopeView {
    let sum = |minutes| {
        models.iter().fold(Counts::default(), |sum, model| {
            let counts = model.counters.last_minutes(minutes, now);
            Counts {
                good: sum.good + counts.good,
                bad: sum.bad + counts.bad,
            }
        })
    };
    ScopeView {
        last_minute: sum(1),
        last_five_minutes: sum(5),
        in_flight: upstream.in_flight.load(Ordering::Relaxed),
        cooldowns: of_cooldowns(&upstream.keys, now),
        ..of_scope(upstream.scope_id(), &upstream.scope, now)
    }
}

fn of_model(model: &ModelHealth, now: Tick) -> ScopeView {
    ScopeView {
        last_minute: model.counters.last_minutes(1, now),
        last_five_minutes: model.counters.last_minutes(5, now),
        cooldowns: of_cooldowns(&model.cooldowns, now),
        ..of_scope(model.id.clone(), &model.scope, now)
    }
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
        retry_in: (core.phase == Phase::Open).then(|| seconds(now.seconds_until(core.until))),
        score: scope.score(now),
        threshold: scope.threshold(),
        fraction: scope.fraction(),
        last_minute: Counts::default(),
        last_five_minutes: Counts::default(),
        in_flight: 0,
        cooldowns: Vec::new(),
    }
}

fn of_cooldowns(cooldowns: &[Cooldown], now: Tick) -> Vec<CooldownView> {
    let closed = cooldowns
        .iter()
        .enumerate()
        .filter_map(|(index, cooldown)| {
            let (reason, until) = cooldown.active(now)?;
            Some(CooldownView {
                key: index + 1,
                reason,
                opens_in: Duration::from_secs_f32(now.seconds_until(until)),
            })
        });
    closed.collect()
}
