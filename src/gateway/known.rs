//! The names in a configuration that metrics have series for.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::{ClientConfig, Config, UpstreamId};
use crate::event::ClientLimit;
use crate::metrics::{Known, KnownClient, KnownRoute, KnownUpstream};
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
        clients: clients.map(known_client).collect(),
        routes: known_routes(routes),
        upstreams: known_upstreams(routes, upstreams),
    }
}

fn known_client(client: &ClientConfig) -> KnownClient {
    let limits = client.limits;
    let rules = [
        (ClientLimit::Requests, limits.requests_per_minute.is_some()),
        (ClientLimit::Tokens, limits.tokens_per_minute.is_some()),
        (ClientLimit::Concurrent, limits.concurrent.is_some()),
        (ClientLimit::Models, !client.models.is_empty()),
        (ClientLimit::Expiry, client.expires.is_some()),
    ];
    let set = rules.into_iter().filter(|(_, is_set)| *is_set);
    KnownClient {
        name: client.name.as_str().into(),
        limits: set.map(|(limit, _)| limit).collect(),
        expires: client.expires.map(Timestamp::as_second),
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
