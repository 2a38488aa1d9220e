//! The names that the configuration gives: series with these labels are there before anything happens.

use std::sync::Arc;

use crate::config::UpstreamId;
use crate::event::ClientLimit;

/// The names in one configuration.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The places of the webhooks: `notify[0]`.
    pub webhooks: Vec<Arc<str>>,
    /// The clients that have keys.
    pub clients: Vec<KnownClient>,
    /// The routes.
    pub routes: Vec<KnownRoute>,
    /// The upstreams.
    pub upstreams: Vec<KnownUpstream>,
}

/// A client that has a key.
#[derive(Clone, Debug)]
pub struct KnownClient {
    /// Its name.
    pub name: Arc<str>,
    /// The rules by which its requests may be refused.
    pub limits: Vec<ClientLimit>,
    /// When its key expires, in seconds since 1970.
    pub expires: Option<i64>,
}

/// A route.
#[derive(Clone, Debug)]
pub struct KnownRoute {
    /// Its name: its first pattern.
    pub name: Arc<str>,
    /// Its candidates' upstreams with their tiers, in the order of the file.
    pub candidates: Vec<(UpstreamId, u32)>,
}

/// An upstream.
#[derive(Clone, Debug)]
pub struct KnownUpstream {
    /// Its name.
    pub id: UpstreamId,
    /// How many keys it has; one without a key counts as one.
    pub keys: usize,
    /// Its models as [`ScopeId`](crate::event::ScopeId) has them.
    pub models: Vec<Arc<str>>,
}

impl KnownRoute {
    /// Who may be asked after whom, also the same upstream again: `(from, to)`.
    pub(super) fn turns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.candidates.iter().flat_map(move |(from, _)| {
            let all = self.candidates.iter();
            all.map(move |(to, _)| (from.as_ref(), to.as_ref()))
        })
    }

    /// Who may answer in place of whom: `(from, to)`, where `to` is preferred no more than `from`.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.candidates.iter().flat_map(move |(from, tier)| {
            let others = self.candidates.iter();
            let others = others.filter(move |(to, other)| to != from && other >= tier);
            others.map(move |(to, _)| (from.as_ref(), to.as_ref()))
        })
    }
}
