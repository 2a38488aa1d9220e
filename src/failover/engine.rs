//! What all requests share: patience, budgets, what is remembered, and who listens.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::budget::Budget;
use super::in_flight::Common;
use crate::affinity::Affinity;
use crate::config::{TimeoutsConfig, UpstreamId};
use crate::event::Events;
use crate::health::Shape;
use crate::request::{Endpoint, ModelRequest};

/// Runs requests against the candidates of a rule.
#[derive(Clone, Debug)]
pub struct Failover {
    pub(super) timeouts: Arc<TimeoutsConfig>,
    /// By the name of the route.
    pub(super) budgets: Arc<HashMap<Arc<str>, Budget>>,
    pub(super) affinity: Affinity,
    pub(super) events: Events,
}

impl Failover {
    /// With these limits of patience, a budget for each of these routes, noting who creates what, reporting to these
    /// listeners.
    pub fn new(
        timeouts: TimeoutsConfig,
        routes: impl Iterator<Item = Arc<str>>,
        affinity: Affinity,
        events: Events,
    ) -> Self {
        let now = Instant::now();
        Self {
            timeouts: Arc::new(timeouts),
            budgets: Arc::new(routes.map(|route| (route, Budget::new(now))).collect()),
            affinity,
            events,
        }
    }

    /// Where something that a request refers to lives, if that is known.
    pub fn owner(&self, request: &ModelRequest) -> Option<UpstreamId> {
        self.affinity.owner(request)
    }

    pub(super) fn common(&self, request: &ModelRequest) -> Common {
        Common {
            events: self.events.clone(),
            request: request.id.clone(),
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
