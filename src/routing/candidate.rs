//! A candidate: an upstream that may serve a request, and the name by which it knows the model.

use std::sync::Arc;

use crate::health::Leaf;
use crate::upstream::Upstream;

/// One upstream in a route.
#[derive(Debug)]
pub struct Candidate {
    /// Whom to ask.
    pub upstream: Arc<Upstream>,
    /// The model to ask for; `None` leaves the client's.
    pub model: Option<Arc<str>>,
    /// Lower tiers are tried first.
    pub tier: u32,
    /// The share among candidates of the same tier.
    pub weight: u32,
    /// What it shares with other upstreams: a cloud, a CDN.
    pub domain: Option<Arc<str>>,
    /// What is believed about it.
    pub leaf: Arc<Leaf>,
}
