//! What all requests share: budgets, affinity, and the event listeners.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::budget::Budget;
use super::in_flight::Common;
use crate::affinity::Affinity;
use crate::config::UpstreamId;
use crate::event::Events;
use crate::health::Shape;
use crate::request::{Endpoint, ModelRequest};
use crate::wire::memory::Memory;
use crate::wire::offload;

/// Runs requests against the candidates of a rule.
#[derive(Clone, Debug)]
pub struct Failover {
    /// By route name.
    pub(super) budgets: Arc<HashMap<Arc<str>, Budget>>,
    pub(super) affinity: Affinity,
    pub(super) memory: Memory,
    pub(super) events: Events,
}

impl Failover {
    /// An engine with a retry budget for each of these routes, this affinity, this memory for bodies,
    /// and these event listeners.
    pub fn new(
        routes: impl Iterator<Item = Arc<str>>,
        affinity: Affinity,
        memory: Memory,
        events: Events,
    ) -> Self {
        let now = Instant::now();
        Self {
            budgets: Arc::new(routes.map(|route| (route, Budget::new(now))).collect()),
            affinity,
            memory,
            events,
        }
    }

    /// The memory for the bodies of requests and answers.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The upstream that owns an object which the request refers to, if it is known.
    pub async fn owner(&self, request: &ModelRequest) -> Option<UpstreamId> {
        offload::scan(request.body.len(), || self.affinity.owner(request)).await
    }

    pub(super) fn common(&self, request: &ModelRequest) -> Common {
        Common {
            events: self.events.clone(),
            request: request.id.clone(),
            thinking: request.thinking.clone(),
            shape: match request.endpoint {
                Endpoint::Realtime => Shape::HANDSHAKE,
                _ => Shape {
                    is_streamed: request.streaming,
                    size: request.body.len(),
                },
            },
        }
    }
}
