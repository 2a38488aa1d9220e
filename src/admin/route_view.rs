//! Routes as operators see them: who would be tried now, in what order.

use std::collections::BTreeSet;
use std::iter;

use tokio::time::Instant;

use crate::config::UpstreamId;
use crate::failover::{Explained, RoutingRequest, explain};
use crate::health::AdmissionPreview;
use crate::request::Endpoint;
use crate::routing::{RouteTable, Rule};

/// A pattern of a route with its candidates, in the order in which they would be tried now.
#[derive(Debug)]
pub(super) struct RouteView<'a> {
    pub(super) rule: &'a Rule,
    pub(super) candidates: Vec<Explained>,
    /// The same for each model behind the pattern that is out of rotation at one of them.
    for_models_out: Vec<Vec<Explained>>,
}

impl RouteView<'_> {
    /// All rules, the most specific first. A pattern is shown as for a model that nobody has asked for yet.
    pub(super) fn of_all(routes: &RouteTable, now: Instant) -> Vec<RouteView<'_>> {
        let rules = routes.rules().iter();
        rules.map(|rule| RouteView::of(rule, now)).collect()
    }

    fn of(rule: &Rule, now: Instant) -> RouteView<'_> {
        let candidates = rule.candidates.iter();
        let models_out: BTreeSet<&str> = candidates.flat_map(|it| it.health.names_out()).collect();
        let for_models_out = models_out.into_iter();
        RouteView {
            rule,
            candidates: tried(rule, rule.pattern.as_str(), now),
            for_models_out: for_models_out
                .map(|model| tried(rule, model, now))
                .collect(),
        }
    }

    /// What may be asked for: any model of the route, then each that is out of rotation somewhere.
    pub(super) fn asked(&self) -> impl Iterator<Item = Asked<'_>> {
        let out = self.for_models_out.iter();
        let out = out.map(|candidates| Asked {
            what: format!("a model of {}", self.rule.pattern.as_str()),
            candidates,
        });
        let any = Asked {
            what: self.rule.pattern.as_str().to_string(),
            candidates: &self.candidates,
        };
        iter::once(any).chain(out)
    }

    /// Whether nobody would answer now, except as a last resort.
    pub(super) fn is_shut(&self) -> bool {
        is_shut(&self.candidates)
    }

    /// Whether this upstream is among those that may answer, with this model if one is given.
    pub(super) fn has(&self, upstream: &UpstreamId, model: Option<&str>) -> bool {
        let mut candidates = self.candidates.iter();
        candidates.any(|it| it.upstream == *upstream && model.is_none_or(|model| it.model == model))
    }
}

/// What may be asked for, with those who may answer.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// A pattern, or a model behind it.
    pub(super) what: String,
    candidates: &'a [Explained],
}

impl Asked<'_> {
    /// Whether this upstream answers all of it.
    pub(super) fn is_well_at(&self, upstream: &UpstreamId) -> bool {
        let mut its = self.candidates.iter().filter(|it| it.upstream == *upstream);
        its.any(|it| it.previews.contains(&AdmissionPreview::Admitted))
    }

    /// Whoever answers, besides this upstream.
    pub(super) fn first_besides(&self, upstream: &UpstreamId) -> Option<&UpstreamId> {
        let mut others = self.candidates.iter().filter(|it| it.upstream != *upstream);
        others.find(|it| it.is_in_rotation()).map(|it| &it.upstream)
    }

    /// Whether nobody would answer now, except as a last resort.
    pub(super) fn is_shut(&self) -> bool {
        is_shut(self.candidates)
    }
}

fn is_shut(candidates: &[Explained]) -> bool {
    let mut able = candidates.iter().filter(|it| it.skipped.is_none());
    able.clone().next().is_some() && !able.any(Explained::is_open)
}

/// Who would be tried for a model.
fn tried(rule: &Rule, model: &str, now: Instant) -> Vec<Explained> {
    let endpoint = match model.contains("embed") {
        true => Endpoint::Embeddings,
        false => Endpoint::ChatCompletions,
    };
    let request = RoutingRequest {
        has_credential: true,
        ..RoutingRequest::new(endpoint, model, 0)
    };
    explain(rule, request, now)
}
