//! The state of upstreams and routes, as gauges of one scrape: what is gone is gone from them, too.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{GaugeVec, Registry};

use super::families::{Made, gauge, gauges};
use super::labels::model_label;
use crate::health::{Phase, ScopeView};

/// What is believed at the time of a scrape.
#[derive(Clone, Debug)]
pub struct Now {
    /// All upstreams and models.
    pub scopes: Vec<ScopeView>,
    /// All routes.
    pub routes: Vec<RouteCandidates>,
    /// Whether our own network is believed to be lost.
    pub is_network_lost: bool,
}

/// Who could serve a route.
#[derive(Clone, Debug)]
pub struct RouteCandidates {
    /// Its name.
    pub route: Arc<str>,
    /// How many candidates it has.
    pub candidates: usize,
    /// How many of them would get a request now.
    pub available: usize,
    /// How many requests wait until one of them can answer again.
    pub waiting: usize,
}

const SCOPE: [&str; 2] = ["upstream", "model"];
const KEY: [&str; 3] = ["upstream", "model", "key"];

/// The time of a scrape and of the start, since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) now: Duration,
    pub(super) started: Duration,
}

/// Registers gauges of how it is now.
pub(super) fn show(registry: &Registry, now: &Now, times: Times) -> Made<()> {
    let lost = gauge(
        registry,
        "backstop_network_lost",
        "1 while our own network is believed to be lost.",
    )?;
    lost.set(i64::from(now.is_network_lost));
    show_routes(registry, &now.routes)?;
    let gauges = ScopeGauges::new(registry)?;
    for view in &now.scopes {
        gauges.show(view, times);
    }
    Ok(())
}

fn show_routes(registry: &Registry, routes: &[RouteCandidates]) -> Made<()> {
    let candidates = gauges(
        registry,
        "backstop_route_candidates",
        "Candidates of a route.",
        &["route"],
    )?;
    let available = gauges(
        registry,
        "backstop_route_candidates_available",
        "Candidates of a route that would get a request now. Where the route has several models, those of the model that has the fewest.",
        &["route"],
    )?;
    let waiting = gauges(
        registry,
        "backstop_route_requests_waiting",
        "Requests that wait until a candidate of the route can answer again.",
        &["route"],
    )?;
    for view in routes {
        let labels = [&*view.route];
        candidates
            .with_label_values(&labels)
            .set(view.candidates as f64);
        available
            .with_label_values(&labels)
            .set(view.available as f64);
        waiting.with_label_values(&labels).set(view.waiting as f64);
    }
    Ok(())
}

/// Gauges over all scopes.
struct ScopeGauges {
    state: GaugeVec,
    since: GaugeVec,
    suspicion: GaugeVec,
    fraction: GaugeVec,
    errors: GaugeVec,
    in_flight: GaugeVec,
    taken_out: GaugeVec,
    keys: KeyGauges,
}

impl ScopeGauges {
    fn new(registry: &Registry) -> Made<Self> {
        Ok(Self {
            state: gauges(
                registry,
                "backstop_upstream_state",
                "0 closed: traffic flows; 1 open: none; 2 half open: a few requests, as probes; 3 slow start: traffic returns step by step. Without a model: the upstream as a whole.",
                &SCOPE,
            )?,
            since: gauges(
                registry,
                "backstop_upstream_state_since_timestamp_seconds",
                "Since when it has been in this state, in seconds since 1970; where that has never changed, since the start.",
                &SCOPE,
            )?,
            suspicion: gauges(
                registry,
                "backstop_upstream_suspicion_ratio",
                "Evidence against it, as a share of what takes it out of rotation.",
                &SCOPE,
            )?,
            fraction: gauges(
                registry,
                "backstop_upstream_admitted_ratio",
                "The share of its traffic that it gets.",
                &SCOPE,
            )?,
            errors: gauges(
                registry,
                "backstop_upstream_error_ratio",
                "The share of failures among its requests of the last minutes.",
                &["upstream", "model", "window"],
            )?,
            in_flight: gauges(
                registry,
                "backstop_upstream_attempts_in_flight",
                "Attempts under way; open WebSockets are not among them.",
                &["upstream"],
            )?,
            keys: KeyGauges::new(registry)?,
            taken_out: gauges(
                registry,
                "backstop_upstream_taken_out",
                "1 while an operator has taken the upstream out by hand.",
                &["upstream"],
            )?,
        })
    }

    fn show(&self, view: &ScopeView, times: Times) {
        let labels = [view.id.upstream.as_ref(), model_label(&view.id)];
        let state = match view.phase {
            Phase::Closed => 0.0,
            Phase::Open => 1.0,
            Phase::HalfOpen => 2.0,
            Phase::SlowStart => 3.0,
        };
        self.state.with_label_values(&labels).set(state);
        let since = view.since.map(|since| times.now.saturating_sub(since));
        self.since
            .with_label_values(&labels)
            .set(since.unwrap_or(times.started).as_secs_f64().round());
        let suspicion = f64::from(view.score / view.threshold);
        self.suspicion.with_label_values(&labels).set(suspicion);
        self.fraction
            .with_label_values(&labels)
            .set(f64::from(view.fraction));
        self.show_numbers(view, labels);
        self.keys.show(view, labels);
    }

    fn show_numbers(&self, view: &ScopeView, [upstream, model]: [&str; 2]) {
        for (window, counts) in [("1m", view.last_minute), ("5m", view.last_five_minutes)] {
            if let Some(ratio) = counts.error_ratio() {
                self.errors
                    .with_label_values(&[upstream, model, window])
                    .set(ratio);
            }
        }
        if view.id.model.is_none() {
            self.in_flight
                .with_label_values(&[upstream])
                .set(f64::from(view.in_flight));
            self.taken_out
                .with_label_values(&[upstream])
                .set(f64::from(u8::from(view.taken_out_for.is_some())));
        }
    }
}

/// Gauges about the keys of all scopes.
struct KeyGauges {
    cooldowns: GaugeVec,
    limit: GaugeVec,
    limit_share: GaugeVec,
}

impl KeyGauges {
    fn new(registry: &Registry) -> Made<Self> {
        Ok(Self {
            cooldowns: gauges(
                registry,
                "backstop_upstream_cooldown_seconds",
                "How much longer a rate limit, a refused key or a missing model keeps requests away.",
                &["upstream", "model", "key", "reason"],
            )?,
            limit: gauges(
                registry,
                "backstop_upstream_rate_limit_remaining_requests",
                "How many more requests like the last one the tightest rate limit of a key lets pass, as its upstream has said within 10 minutes.",
                &KEY,
            )?,
            limit_share: gauges(
                registry,
                "backstop_upstream_rate_limit_remaining_ratio",
                "What is left of the tightest rate limit of a key, as a share of the whole, as its upstream has said within 10 minutes.",
                &KEY,
            )?,
        })
    }

    fn show(&self, view: &ScopeView, [upstream, model]: [&str; 2]) {
        for cooldown in &view.cooldowns {
            let (key, reason) = (cooldown.key.to_string(), cooldown.reason.label());
            self.cooldowns
                .with_label_values(&[upstream, model, &key, reason])
                .set(cooldown.ends_in.as_secs_f64());
        }
        for limit in &view.rate_limits {
            let labels = [upstream, model, &limit.key.to_string()];
            self.limit
                .with_label_values(&labels)
                .set(limit.requests as f64);
            if let Some(share) = limit.share() {
                self.limit_share.with_label_values(&labels).set(share);
            }
        }
    }
}
