//! One replica of a simulation: its health engine, and what else its requests share.

use std::sync::Arc;

use backstop::config::UpstreamId;
use backstop::failover::Budget;
use backstop::health::{Health, ModelHealth};
use tokio::time::Instant;

use crate::queue::Queue;

/// How many replicas serve, and whether they share what they know. Each request goes to one of them at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replicas {
    pub(crate) count: usize,
    pub(crate) share: bool,
}

impl Replicas {
    /// A single proxy.
    pub(crate) const ONE: Self = Self {
        count: 1,
        share: false,
    };
    /// Three that share what they know.
    pub(crate) const FLEET: Self = Self {
        count: 3,
        share: true,
    };
    /// Three that know nothing of each other.
    pub(crate) const APART: Self = Self {
        count: 3,
        share: false,
    };
}

pub(crate) struct Replica {
    pub(crate) health: Arc<Health>,
    /// The models of each upstream.
    pub(crate) healths: Vec<[Arc<ModelHealth>; 2]>,
    pub(crate) budget: Budget,
    pub(crate) queue: Queue,
    /// How many health checks each upstream has got, while they go on.
    pub(crate) checks: Vec<Option<usize>>,
}

impl Replica {
    pub(crate) fn new(upstreams: &[UpstreamId], now: Instant) -> Self {
        let health = Health::new(now);
        let models: [Arc<str>; 2] = ["m0".into(), "m1".into()];
        let of_upstream =
            |id: &UpstreamId| models.each_ref().map(|model| health.model(id, model, 1));
        let healths = upstreams.iter().map(of_upstream).collect();
        Self {
            health: Arc::new(health),
            healths,
            budget: Budget::new(now),
            queue: Queue::new(now),
            checks: vec![None; upstreams.len()],
        }
    }
}
