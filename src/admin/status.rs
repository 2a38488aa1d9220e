//! `GET /api/status`: everything that the page shows beside figures, and whether anything is wrong.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::condition::{Condition, Problem, because};
use super::current::Current;
use super::felt::{Clients, Felt};
use super::moment::{in_future, rfc3339, written};
use super::recent::{Failover, Recent};
use super::route_view::RouteView;
use super::upstream_state::UpstreamState;
use super::upstreams::errors;
use super::{explain, moment, replicas};
use crate::failover::Explained;
use crate::health::{Health, ScopeView};
use crate::shared::Sharing;
use crate::wire::offload;

/// What is known of everything now.
#[derive(Clone, Debug)]
pub struct Status {
    /// What is believed about upstreams.
    pub health: Arc<Health>,
    /// What has happened lately.
    pub recent: Arc<Recent>,
    /// What clients felt in the last minutes.
    pub felt: Arc<Felt>,
    /// The configuration that serves now.
    pub current: watch::Receiver<Arc<Current>>,
    /// True as soon as the process is about to stop.
    pub leaving: watch::Receiver<bool>,
    /// What is shared with other replicas, if anything is.
    pub sharing: Option<Arc<Sharing>>,
    /// When the process started.
    pub started: Timestamp,
}

/// An upstream with its models, and its state.
struct Seen<'a> {
    itself: &'a ScopeView,
    models: &'a [ScopeView],
}

impl Status {
    pub(super) async fn json(&self) -> Value {
        let clients = self.felt.now().await;
        offload::aside(|| self.shown(clients))
    }

    fn shown(&self, clients: Option<Clients>) -> Value {
        let now = Instant::now();
        let current = Arc::clone(&self.current.borrow());
        let views = self.health.view(now);
        let routes = RouteView::of_all(&current.routes, now);
        let problems = self.problems(&views, &routes);
        let condition = self.condition(&problems, clients);
        json!({
            "now": moment::now(),
            "version": env!("CARGO_PKG_VERSION"),
            "started_at": written(self.started),
            "draining": *self.leaving.borrow(),
            "condition": condition.name(),
            "clients": clients.map(|clients| clients.json()),
            "problems": problems.iter().map(Problem::json).collect::<Vec<_>>(),
            "network_lost_since": self.health.network_lost_for(now).map(rfc3339),
            "actions": current.token.is_some(),
            "config": self.config(&current),
            "upstreams": seen(&views).map(|one| self.upstream(&one)).collect::<Vec<_>>(),
            "routes": routes.iter().map(|one| route(one, &views)).collect::<Vec<_>>(),
            "waiting": waiting(&current, now),
            "fleet": replicas::json(self.sharing.as_deref()),
            "failovers": self.recent.failovers().iter().map(failover).collect::<Vec<_>>(),
        })
    }

    /// The state of everything, or of one upstream, in one word; `None`: there is no such upstream.
    pub(super) async fn state_name(&self, upstream: Option<&str>) -> Option<&'static str> {
        let (now, clients) = (Instant::now(), self.felt.now().await);
        let views = self.health.view(now);
        if let Some(name) = upstream {
            let mut all = seen(&views);
            let one = all.find(|one| one.itself.id.upstream.as_ref() == name)?;
            return Some(UpstreamState::of(one.itself, one.models).state.name());
        }
        let current = Arc::clone(&self.current.borrow());
        let routes = RouteView::of_all(&current.routes, now);
        let problems = self.problems(&views, &routes);
        Some(self.condition(&problems, clients).name())
    }

    fn problems<'a>(
        &'a self,
        views: &'a [ScopeView],
        routes: &'a [RouteView<'a>],
    ) -> Vec<Problem<'a>> {
        let states = seen(views).map(|one| UpstreamState::of(one.itself, one.models));
        let problems = states.filter_map(|state| Problem::of(state, routes, &self.recent));
        let mut problems: Vec<Problem<'_>> = problems.collect();
        problems.sort_by_key(|problem| problem.of.state);
        problems
    }

    fn condition(&self, problems: &[Problem<'_>], clients: Option<Clients>) -> Condition {
        let is_noticed = clients.is_some_and(|clients| clients.notice());
        if is_noticed || self.health.is_network_lost() || problems.iter().any(Problem::is_felt) {
            Condition::Failing
        } else if problems.is_empty() {
            Condition::Well
        } else {
            Condition::Covered
        }
    }

    fn config(&self, current: &Current) -> Value {
        let reload = self.recent.last_reload().map(|reload| {
            json!({
                "at": written(reload.at),
                "ok": reload.problem.is_none(),
                "problem": reload.problem,
            })
        });
        json!({ "since": written(current.since), "last_reload": reload })
    }

    fn upstream(&self, seen: &Seen<'_>) -> Value {
        let seen_as = UpstreamState::of(seen.itself, seen.models);
        let itself = seen.itself;
        let last = self.recent.last_failure(&itself.id.upstream);
        let mut shown = self.scope(itself);
        let more = json!({
            "name": itself.id.upstream.as_ref(),
            "state": seen_as.state.name(),
            "since": seen_as.lasts_for().map(rfc3339),
            "because": because(&seen_as, &self.recent),
            "because_of_model": seen_as.scope.id.model.as_deref(),
            "taken_out_since": itself.taken_out_for.map(rfc3339),
            "in_flight": itself.in_flight,
            "last_failure": last.map(|last| json!({
                "at": written(last.at),
                "outcome": last.outcome.label(),
                "status": last.outcome.status(),
            })),
            "models": seen.models.iter().map(|model| {
                let mut shown = self.scope(model);
                shown["name"] = model.id.model.as_deref().into();
                let seen_as = UpstreamState::of_model(model, itself);
                shown["state"] = seen_as.state.name().into();
                shown["since"] = seen_as.lasts_for().map(rfc3339).into();
                shown["because"] = because(&seen_as, &self.recent).into();
                shown
            }).collect::<Vec<_>>(),
        });
        if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
            shown.extend(more);
        }
        shown
    }

    /// What an upstream and a model have in common.
    fn scope(&self, view: &ScopeView) -> Value {
        json!({
            "name": null,
            "state": null,
            "since": null,
            "circuit": view.phase.label(),
            "retry_in_seconds": view.retry_in.map(|wait| wait.as_secs_f64().ceil()),
            "evidence": hundredths(view.score),
            "threshold": hundredths(view.threshold),
            "admitted": hundredths(view.fraction),
            "errors_1m": errors(view.last_minute),
            "errors_5m": errors(view.last_five_minutes),
            "cooldowns": view.cooldowns.iter().map(|cooldown| json!({
                "key": cooldown.key,
                "keys": view.keys,
                "reason": cooldown.reason.label(),
                "since": rfc3339(cooldown.lasts_for),
                "ends_at": in_future(cooldown.ends_in),
                "ends_in_seconds": cooldown.ends_in.as_secs_f64().ceil(),
            })).collect::<Vec<_>>(),
        })
    }
}

/// Each upstream with its models. A view lists an upstream before its models.
fn seen(views: &[ScopeView]) -> impl Iterator<Item = Seen<'_>> {
    let of_upstreams = views.chunk_by(|one, next| one.id.upstream == next.id.upstream);
    of_upstreams.filter_map(|scopes| {
        let (itself, models) = scopes.split_first()?;
        Some(Seen { itself, models })
    })
}

fn route(view: &RouteView<'_>, scopes: &[ScopeView]) -> Value {
    let candidates = view.candidates.iter().enumerate();
    let candidates: Vec<Value> = candidates
        .map(|(index, candidate)| {
            let mut shown = explain::candidate((index, candidate));
            if let Some(cause) = out_behind(view, candidate, scopes) {
                let why = shown["why"].as_str().unwrap_or_default();
                let why =
                    format!("{why}; but a model that was asked for is out of rotation for {cause}");
                shown["why"] = why.into();
            }
            shown
        })
        .collect();
    json!({
        "route": &*view.rule.route,
        "pattern": &**view.rule.pattern.as_str(),
        "is_shut": view.is_shut(),
        "candidates": candidates,
    })
}

/// Why a model behind a pattern is out of rotation: the pattern itself is shown as for a model that nobody has asked for.
fn out_behind(
    view: &RouteView<'_>,
    candidate: &Explained,
    scopes: &[ScopeView],
) -> Option<&'static str> {
    let is_it = |scope: &&ScopeView| {
        scope.id.upstream == candidate.upstream
            && scope.id.model.as_deref() == Some(&*candidate.model)
    };
    let is_pattern = view.rule.pattern.exact().is_none() && candidate.is_open();
    let scope = scopes.iter().find(is_it).filter(|_| is_pattern)?;
    scope.phase.is_out().then_some(scope.cause)
}

/// The routes in which requests wait until somebody can answer again.
fn waiting(current: &Current, now: Instant) -> Vec<Value> {
    let rules = current.routes.rules().iter();
    let routes: BTreeSet<&str> = rules.map(|rule| &*rule.route).collect();
    let waiting = routes.into_iter().filter_map(|route| {
        let waiting = current.failover.waiting(route, now)?;
        Some(json!({
            "route": route,
            "requests": waiting.requests,
            "since": rfc3339(waiting.longest),
            "upstreams": waiting.upstreams.iter().map(AsRef::<str>::as_ref).collect::<Vec<_>>(),
        }))
    });
    waiting.collect()
}

fn failover(failover: &Failover) -> Value {
    let what = &failover.what;
    json!({
        "since": written(failover.since),
        "until": written(failover.until),
        "requests": failover.count,
        "from": what.from.as_ref().map(AsRef::<str>::as_ref),
        "to": what.to.as_ref().map(AsRef::<str>::as_ref),
        "reason": what.reason,
        "is_skipped": what.is_skipped,
        "route": what.route.as_deref(),
        "result": what.result.label(),
    })
}

/// Cut off: what is nearly enough is not shown as enough.
fn hundredths(value: f32) -> f64 {
    (f64::from(value) * 100.0).floor() / 100.0
}
