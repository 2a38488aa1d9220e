//! `GET /api/upstreams`: the state of every upstream and every model at it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::health::{Counts, Health, Phase, ScopeView};

/// The state of all scopes, as JSON.
pub(super) fn json(health: &Health, now: Instant) -> Value {
    json!({
        "network_lost_for_seconds": health.network_lost_for(now).map(seconds),
        "scopes": health.view(now).iter().map(scope).collect::<Vec<_>>(),
    })
}

fn scope(view: &ScopeView) -> Value {
    json!({
        "upstream": view.id.upstream.as_ref(),
        "model": view.id.model.as_deref(),
        "state": view.phase.label(),
        "why": (view.phase != Phase::Closed).then_some(view.cause),
        "for_seconds": view.since.map(seconds),
        "retry_in_seconds": view.retry_in.map(seconds),
        "evidence": rounded(f64::from(view.score)),
        "threshold": rounded(f64::from(view.threshold)),
        "admitted": rounded(f64::from(view.fraction)),
        "errors_1m": errors(view.last_minute),
        "errors_5m": errors(view.last_five_minutes),
        "in_flight": view.id.model.is_none().then_some(view.in_flight),
        "taken_out_for_seconds": view.taken_out_for.map(seconds),
        "cooldowns": view.cooldowns.iter().map(|cooldown| json!({
            "key": cooldown.key,
            "reason": cooldown.reason.label(),
            "for_seconds": seconds(cooldown.lasts_for),
            "ends_in_seconds": seconds(cooldown.ends_in),
        })).collect::<Vec<_>>(),
    })
}

/// The share of failures, with its 95 % confidence interval.
pub(super) fn errors(counts: Counts) -> Value {
    json!({
        "requests": counts.good + counts.bad,
        "failed": counts.bad,
        "ratio": counts.error_ratio().map(rounded),
        "bounds": counts.error_bounds().map(|(low, high)| [rounded(low), rounded(high)]),
    })
}

fn seconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64())
}

/// Three decimals are enough to read.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
