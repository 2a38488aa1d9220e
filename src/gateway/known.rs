//! The names in a configuration that metrics have series for.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{Config, UpstreamId};
use crate::metrics::{Known, KnownRoute, KnownUpstream};
use crate::routing::RouteTable;
use crate::upstream::Upstream;

type Upstreams = HashMap<UpstreamId, Arc<Upstream>>;

/// All names, as events have them.
pub(super) fn known(config: &Config, routes: &RouteTable, upstreams: &Upstreams) -> Known {
    let clients = config.clients.iter();
    let webhooks = 0..config.notify.len();
    Known {
        webhooks: webhooks
            .map(|index| format!("notify[{index}]").into())
            .collect(),
        clients: clients.map(|client| client.name.as_str().into()).collect(),
        routes: known_routes(routes),
        upstreams: known_upstreams(routes, upstreams),
    }
}

/// The patterns of a route have the same candidates.
fn known_routes(table: &RouteTable) -> Vec<KnownRoute> {
    let mut known: Vec<KnownRoute> = Vec::new();
    for rule in table.rules() {
        if known.iter().all(|route| route.name != rule.route) {
            let candidates = rule.candidates.iter();
            known.push(KnownRoute {
                name: Arc::clone(&rule.route),
                candidates: candidates
                    .map(|candidate| (candidate.upstream.id().clone(), candidate.tier))
                    .collect(),
            });
        }
    }
    known
}

fn known_upstreams(table: &RouteTable, upstreams: &Upstreams) -> Vec<KnownUpstream> {
    let known = upstreams.iter().map(|(id, upstream)| {
        let scopes = table.healths().map(|health| health.id());
        let models = scopes.filter(|scope| scope.upstream == *id);
        KnownUpstream {
            id: id.clone(),
            keys: upstream.key_count(),
            models: models.filter_map(|scope| scope.model.clone()).collect(),
        }
    });
    known.collect()
}
