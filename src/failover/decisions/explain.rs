//! Who would be tried for a request, found out without calling anyone.

use tokio::time::Instant;

use super::order::{Fit, Order};
use super::routing_request::RoutingRequest;
use super::skip::{SkipReason, Skipped};
use crate::config::UpstreamId;
use crate::failover::translation::{asking, translated};
use crate::health::AdmissionPreview;
use crate::routing::{Candidate, Rule};

/// One candidate for a request.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The upstream.
    pub upstream: UpstreamId,
    /// The model that it would be asked for.
    pub model: String,
    /// Its tier; lower ones are tried first.
    pub tier: u32,
    /// What health would answer for each of its keys; none if it cannot serve the request at all.
    pub previews: Vec<AdmissionPreview>,
    /// Why it cannot serve the request at all.
    pub skipped: Option<SkipReason>,
}

/// The candidates for a request in the order in which they would be tried now; those that would not be tried come
/// last.
pub fn explain(rule: &Rule, request: RoutingRequest<'_>, now: Instant) -> Vec<Explained> {
    let mut order = Order::new(rule, request, fastrand::f64);
    let mut explained = Vec::new();
    while let Some(Fit { candidate, .. }) = order.next() {
        // Without a body nothing is known that could not be translated.
        let is_known = !request.needs.body.is_empty();
        let why = is_known
            .then(|| translated(asking(candidate, request), request.needs.body).err())
            .flatten();
        match why {
            None => explained.push(Explained {
                previews: (0..candidate.upstream.key_count().max(1))
                    .map(|key| candidate.health_of(request.model).preview(key, now))
                    .collect(),
                ..Explained::new(candidate, request.model)
            }),
            Some(why) => order.skipped.push(Skipped::new(candidate, why)),
        }
    }
    explained.sort_by_key(|candidate| !candidate.is_open());
    explained.extend(order.skipped.iter().filter_map(|skipped| {
        let mut candidates = rule.candidates.iter();
        let candidate = candidates.find(|candidate| skipped.is(candidate))?;
        Some(Explained {
            skipped: Some(skipped.reason),
            ..Explained::new(candidate, request.model)
        })
    }));
    explained
}

impl Explained {
    /// A candidate for a request for this model, of which nothing more is known yet.
    fn new(candidate: &Candidate, model: &str) -> Self {
        Self {
            upstream: candidate.upstream.id().clone(),
            model: candidate.model_for(model).to_owned(),
            tier: candidate.tier,
            previews: Vec::new(),
            skipped: None,
        }
    }

    /// Whether a request would be sent to it.
    pub fn is_open(&self) -> bool {
        self.previews.iter().any(|preview| {
            matches!(
                preview,
                AdmissionPreview::Admitted
                    | AdmissionPreview::SlowStart { .. }
                    | AdmissionPreview::HalfOpenProbe
            )
        })
    }

    /// Whether it answers requests, and not only a few that try whether it has healed.
    pub fn is_in_rotation(&self) -> bool {
        self.previews.iter().any(|preview| {
            matches!(
                preview,
                AdmissionPreview::Admitted | AdmissionPreview::SlowStart { .. }
            )
        })
    }
}
