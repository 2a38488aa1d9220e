//! The fleet for operators: who there is, who is gone, and what each has counted.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::figures::Figures;
use super::fleet::Fleet;
use super::roster::Replica;
use crate::event::ScopeId;

/// Another replica, for operators.
#[derive(Clone, Debug)]
pub struct ReplicaView {
    /// What it is called.
    pub name: String,
    /// The number that it has chosen when it started.
    pub node: u64,
    /// For how long it has been running.
    pub up: Duration,
    /// How long ago it said something.
    pub received: Duration,
    /// What it has taken out of rotation by what it found itself, as far as this replica knows these scopes, each with its
    /// cause.
    pub out: Vec<(ScopeId, String)>,
    /// What it has counted; `None`: it has not said so, or keeps no history.
    pub figures: Option<Figures>,
}

impl Fleet {
    /// The other replicas, by name.
    pub(super) fn replicas(&mut self, now: Instant) -> Vec<ReplicaView> {
        self.roster.forget_silent(now);
        let scopes = self.scopes();
        let scopes = scopes.iter().map(|(hash, scope)| (*hash, scope.id()));
        let scopes: HashMap<u64, ScopeId> = scopes.collect();
        let all = self.roster.all();
        let views = all.map(|(node, replica)| view(*node, replica, &scopes, now));
        let mut views: Vec<ReplicaView> = views.collect();
        views.sort_by(|a, b| (&a.name, a.node).cmp(&(&b.name, b.node)));
        views
    }

    /// Who is gone without a word lately, by name, and how long ago it was last heard.
    pub(super) fn missed(&mut self, now: Instant) -> Vec<(String, Duration)> {
        self.roster.forget_silent(now);
        let missed = self.roster.missed();
        let mut missed: Vec<(String, Duration)> = missed
            .map(|(name, received)| (name.clone(), now.saturating_duration_since(*received)))
            .collect();
        missed.sort();
        missed
    }
}

fn view(node: u64, replica: &Replica, scopes: &HashMap<u64, ScopeId>, now: Instant) -> ReplicaView {
    let found = replica.found.iter().filter(|found| !found.healed);
    let out =
        found.filter_map(|found| Some((scopes.get(&found.scope)?.clone(), found.cause.clone())));
    let figures = replica.figures.as_ref();
    ReplicaView {
        name: replica.name.clone(),
        node,
        up: replica.up,
        received: now.saturating_duration_since(replica.received),
        out: out.collect(),
        figures: figures.map(|(at, message)| Figures::read(message, *at, scopes, now)),
    }
}
