//! Saying who would be tried for a request, without calling anyone.

use tokio::time::Instant;

use super::answer::PassedOver;
use super::order::{Ask, order, unspeakable};
use crate::config::UpstreamId;
use crate::health::Outlook;
use crate::routing::Rule;

/// One candidate for a request.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Whom.
    pub upstream: UpstreamId,
    /// The model that it would be asked for.
    pub model: String,
    /// Its tier; lower ones are tried first.
    pub tier: u32,
    /// What each of its keys would be told by health; none if it cannot serve the request at all.
    pub outlooks: Vec<Outlook>,
    /// Why it cannot serve the request at all.
    pub passed_over: Option<PassedOver>,
}

/// The candidates for a request in the order in which they would be tried now, those that would not be tried last.
pub fn explain(rule: &Rule, ask: Ask<'_>, now: Instant) -> Vec<Explained> {
    let mut order = order(rule, ask, fastrand::f64);
    let passed_over = &mut order.passed_over;
    order.candidates.retain(|candidate| {
        let why = unspeakable(candidate, ask);
        passed_over.extend(why.map(|why| (candidate.upstream.id().clone(), why)));
        why.is_none()
    });
    let mut explained: Vec<Explained> = order
        .candidates
        .iter()
        .map(|candidate| Explained {
            upstream: candidate.upstream.id().clone(),
            model: candidate.model.as_deref().unwrap_or(ask.model).to_owned(),
            tier: candidate.tier,
            outlooks: (0..candidate.upstream.key_count().max(1))
                .map(|key| candidate.leaf.outlook(key, now))
                .collect(),
            passed_over: None,
        })
        .collect();
    explained.sort_by_key(|candidate| !candidate.is_open());
    explained.extend(
        order
            .passed_over
            .into_iter()
            .map(|(upstream, why)| Explained {
                upstream,
                model: ask.model.to_owned(),
                tier: 0,
                outlooks: Vec::new(),
                passed_over: Some(why),
            }),
    );
    explained
}

impl Explained {
    /// Whether a request might come in.
    pub fn is_open(&self) -> bool {
        self.outlooks.iter().any(|outlook| {
            matches!(
                outlook,
                Outlook::Admitted | Outlook::Ramp { .. } | Outlook::Trial
            )
        })
    }
}
