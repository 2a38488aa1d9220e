//! How many candidates of each route would get a request now, and how many requests wait.

use std::sync::Arc;

use tokio::time::Instant;

use super::current::Current;
use crate::metrics::RouteCandidates;

/// For every route; of its patterns, the one with the fewest counts.
pub(super) fn of_routes(current: &Current, now: Instant) -> Vec<RouteCandidates> {
    let mut routes: Vec<RouteCandidates> = Vec::new();
    for rule in current.routes.rules() {
        let candidates = rule.candidates.iter();
        let available = candidates.filter(|candidate| candidate.health.is_available(now));
        let available = available.count();
        match routes.iter_mut().find(|known| known.route == rule.route) {
            Some(known) => known.available = known.available.min(available),
            None => routes.push(RouteCandidates {
                route: Arc::clone(&rule.route),
                candidates: rule.candidates.len(),
                available,
                waiting: waiting(current, &rule.route, now),
            }),
        }
    }
    routes
}

fn waiting(current: &Current, route: &str, now: Instant) -> usize {
    let waiting = current.failover.waiting(route, now);
    waiting.map_or(0, |waiting| waiting.requests)
}
