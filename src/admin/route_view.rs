//! Routes as operators see them: who would be tried now, in what order.

use tokio::time::Instant;

use crate::config::UpstreamId;
use crate::failover::{Explained, RoutingRequest, explain};
use crate::request::Endpoint;
use crate::routing::{RouteTable, Rule};

/// A pattern of a route with its candidates, in the order in which they would be tried now.
#[derive(Debug)]
pub(super) struct RouteView<'a> {
    pub(super) rule: &'a Rule,
    pub(super) candidates: Vec<Explained>,
}

impl RouteView<'_> {
    /// All rules, the most specific first. A pattern is shown as for a model that nobody has asked for yet.
    pub(super) fn of_all(routes: &RouteTable, now: Instant) -> Vec<RouteView<'_>> {
        let rules = routes.rules().iter();
        rules.map(|rule| RouteView::of(rule, now)).collect()
    }

    fn of(rule: &Rule, now: Instant) -> RouteView<'_> {
        let model = rule.pattern.as_str();
        let endpoint = match model.contains("embed") {
            true => Endpoint::Embeddings,
            false => Endpoint::ChatCompletions,
        };
        let request = RoutingRequest {
            has_credential: true,
            ..RoutingRequest::new(endpoint, model, 0)
        };
        RouteView {
            rule,
            candidates: explain(rule, request, now),
        }
    }

    /// Whoever would answer, besides this upstream.
    pub(super) fn first_besides(&self, upstream: &UpstreamId) -> Option<&UpstreamId> {
        let mut open = self.candidates.iter().filter(|it| it.is_open());
        open.find(|it| it.upstream != *upstream)
            .map(|it| &it.upstream)
    }

    /// Whether nobody would answer now, except as a last resort.
    pub(super) fn is_shut(&self) -> bool {
        let mut able = self.candidates.iter().filter(|it| it.skipped.is_none());
        able.clone().next().is_some() && !able.any(Explained::is_open)
    }

    /// Whether this upstream is among those that may answer, with this model if one is given.
    pub(super) fn has(&self, upstream: &UpstreamId, model: Option<&str>) -> bool {
        let mut candidates = self.candidates.iter();
        candidates.any(|it| it.upstream == *upstream && model.is_none_or(|model| it.model == model))
    }
}
