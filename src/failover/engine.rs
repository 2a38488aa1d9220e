//! What all requests share: budgets and queues, affinity, and the event listeners.

use std::sync::Arc;

use tokio::time::Instant;

use super::asked_again::BrokenStreams;
use super::attempts::in_flight::Common;
use super::decisions::budget::Budget;
use super::decisions::queue::{Queue, RouteWaiting};
use crate::affinity::Affinity;
use crate::config::UpstreamId;
use crate::event::Events;
use crate::health::Shape;
use crate::request::{Endpoint, ModelRequest};
use crate::wire::memory::Memory;
use crate::wire::mix::OwnNames;
use crate::wire::offload;

/// Runs requests against the candidates of a rule.
#[derive(Clone, Debug)]
pub struct Failover {
    /// By route name.
    pub(super) routes: Arc<OwnNames<Arc<str>, Shared>>,
    pub(super) affinity: Affinity,
    pub(super) memory: Memory,
    pub(super) events: Events,
    /// The requests whose streams have broken off lately.
    pub(super) broken: BrokenStreams,
}

/// What the requests of one route share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) budget: Budget,
    pub(super) queue: Queue,
}

impl Failover {
    /// An engine with this affinity, this memory for bodies, and these event listeners. Each of the routes gets a retry
    /// budget, and a queue for so many waiting requests.
    pub fn new(
        (routes, most_waiting): (impl Iterator<Item = Arc<str>>, usize),
        affinity: Affinity,
        memory: Memory,
        events: Events,
    ) -> Self {
        let now = Instant::now();
        let shared = |route| {
            let shared = Shared {
                budget: Budget::new(now),
                queue: Queue::new(most_waiting, now),
            };
            (route, shared)
        };
        Self {
            routes: Arc::new(routes.map(shared).collect()),
            affinity,
            memory,
            events,
            broken: BrokenStreams::default(),
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

    /// Who waits in a route until somebody can answer again; `None` if nobody does.
    pub fn waiting(&self, route: &str, now: Instant) -> Option<RouteWaiting> {
        self.routes.get(route)?.queue.waiting(now)
    }

    pub(super) fn common(&self, request: &ModelRequest) -> Common {
        Common {
            events: self.events.clone(),
            request: request.id.clone(),
            is_traced: request.trace.is_some_and(|trace| trace.is_drawn),
            progress: request.progress.clone(),
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
