//! The fleet for operators: who there is, who is gone, and what each has counted.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::{Figures, Sharing};
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

impl Sharing {
    /// The other replicas, by name.
    pub fn replicas(&self) -> Vec<ReplicaView> {
        let now = Instant::now();
        let mut fleet = self.fleet();
        fleet.roster.forget_silent(now);
        let scopes = fleet.scopes();
        let scopes = scopes.iter().map(|(hash, scope)| (*hash, scope.id()));
        let scopes: HashMap<u64, ScopeId> = scopes.collect();
        let views = fleet.roster.all().map(|(node, replica)| ReplicaView {
            name: replica.name.clone(),
            node: *node,
            up: replica.up,
            received: now.saturating_duration_since(replica.received),
            out: replica
                .found
                .iter()
                .filter(|found| !found.healed)
                .filter_map(|found| Some((scopes.get(&found.scope)?.clone(), found.cause.clone())))
                .collect(),
            figures: replica
                .figures
                .as_ref()
                .map(|(at, message)| Figures::read(message, *at, &scopes, now)),
        });
        let mut views: Vec<ReplicaView> = views.collect();
        views.sort_by(|a, b| (&a.name, a.node).cmp(&(&b.name, b.node)));
        views
    }

    /// Who is gone without a word lately, by name, and how long ago it was last heard.
    pub fn missed(&self) -> Vec<(String, Duration)> {
        let now = Instant::now();
        let mut fleet = self.fleet();
        fleet.roster.forget_silent(now);
        let missed = fleet.roster.missed();
        let mut missed: Vec<(String, Duration)> = missed
            .map(|(name, received)| (name.clone(), now.saturating_duration_since(*received)))
            .collect();
        missed.sort();
        missed
    }

    /// What has been counted here, as it was told last; `None`: there is no history.
    pub fn figures(&self) -> Option<Figures> {
        self.fleet().figures.clone()
    }

    /// This has been counted here until now. The others are told.
    pub fn show(&self, figures: Figures) {
        self.fleet().figures = Some(figures);
        self.has_figures.store(true, Ordering::Release);
    }
}
