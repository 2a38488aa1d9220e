//! How many candidates of each route would get a request now.

use std::sync::Arc;

use tokio::time::Instant;

use crate::metrics::RouteCandidates;
use crate::routing::RouteTable;

/// For every route; of its patterns, the one with the fewest counts.
pub(super) fn of_routes(table: &RouteTable, now: Instant) -> Vec<RouteCandidates> {
    let mut routes: Vec<RouteCandidates> = Vec::new();
    for rule in table.rules() {
        let candidates = rule.candidates.iter();
        let available = candidates.filter(|candidate| candidate.health.is_available(now));
        let available = available.count();
        match routes.iter_mut().find(|known| known.route == rule.route) {
            Some(known) => known.available = known.available.min(available),
            None => routes.push(RouteCandidates {
                route: Arc::clone(&rule.route),
                candidates: rule.candidates.len(),
                available,
            }),
        }
    }
    routes
}
