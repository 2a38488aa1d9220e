//! In which order the candidates of a rule are tried.
//!
//! Tiers strictly in order; within a tier by chance, in proportion to the weights. Each candidate is tried once, with
//! the key whose turn it is; only a refusal that is about the key brings the next key of the same upstream. When
//! nothing that health admits is left, the one that is due back soonest gets a last chance, unless it asked us to
//! stay away.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::PassedOver;
use crate::config::UpstreamId;
use crate::health::{Permit, Refusal, Scope};
use crate::outcome::Retry;
use crate::request::{Endpoint, ModelRequest};
use crate::routing::{Candidate, Rule};

/// A candidate with one of its keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) candidate: &'a Candidate,
    pub(super) key: usize,
}

impl<'a> Target<'a> {
    /// The first candidate of a rule whose API is spoken.
    pub(super) fn first(rule: &'a Rule) -> Option<Self> {
        let candidate = rule
            .candidates
            .iter()
            .find(|candidate| candidate.upstream.is_spoken())?;
        Some(Self {
            candidate,
            key: candidate.upstream.next_key(),
        })
    }

    fn scope(&self) -> &'a Arc<Scope> {
        &self.candidate.scopes[self.key]
    }
}

/// The order for one request, and how far it has got.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    waiting: VecDeque<&'a Candidate>,
    /// The keys of the candidate tried last that have not been tried.
    other_keys: VecDeque<Target<'a>>,
    refused: Vec<(Target<'a>, Refusal)>,
    passed_over: Vec<(UpstreamId, PassedOver)>,
    has_tried_last_resort: bool,
    tried: Vec<&'a Arc<Scope>>,
}

impl<'a> Plan<'a> {
    /// The order of a rule's candidates for a request. `draw` gives random numbers between 0 and 1.
    pub(super) fn new(rule: &'a Rule, request: &ModelRequest, draw: impl Fn() -> f64) -> Self {
        let mut passed_over = Vec::new();
        let mut fitting: Vec<(&Candidate, f64)> = Vec::with_capacity(rule.candidates.len());
        for candidate in &rule.candidates {
            match unfit(candidate, rule, request) {
                Some(reason) => passed_over.push((candidate.upstream.id().clone(), reason)),
                None => fitting.push((candidate, rank(candidate.weight, draw()))),
            }
        }
        fitting
            .sort_by(|(a, rank_a), (b, rank_b)| a.tier.cmp(&b.tier).then(rank_a.total_cmp(rank_b)));
        Self {
            waiting: fitting
                .into_iter()
                .map(|(candidate, _)| candidate)
                .collect(),
            other_keys: VecDeque::new(),
            refused: Vec::new(),
            passed_over,
            has_tried_last_resort: false,
            tried: Vec::new(),
        }
    }

    /// The next target, with health's permission.
    pub(super) fn next(&mut self, now: Instant) -> Option<(Target<'a>, Permit)> {
        while let Some(target) = self.other_keys.pop_front() {
            if let Some(permit) = self.admit(target, now) {
                return Some((target, permit));
            }
        }
        while let Some(candidate) = self.waiting.pop_front() {
            let mut keys = keys_in_turn(candidate);
            while let Some(target) = keys.pop_front() {
                if let Some(permit) = self.admit(target, now) {
                    self.other_keys = keys;
                    return Some((target, permit));
                }
            }
        }
        self.last_resort(now)
    }

    /// Takes note of how the last attempt ended.
    pub(super) fn failed(&mut self, retry: Retry) {
        if retry != Retry::OtherKey {
            self.other_keys.clear();
        }
    }

    /// Who was not asked, and why.
    pub(super) fn passed_over(&self) -> Vec<(UpstreamId, PassedOver)> {
        let refused = self.refused.iter().map(|(target, refusal)| {
            let reason = if refusal.is_gated {
                PassedOver::AskedToWait
            } else {
                PassedOver::OutOfRotation
            };
            (target.candidate.upstream.id().clone(), reason)
        });
        self.passed_over.iter().cloned().chain(refused).collect()
    }

    /// When the first of those that were tried or refused may be asked again.
    pub(super) fn retry_in(&self, now: Instant) -> Option<Duration> {
        let refused = self.refused.iter().map(|(_, refusal)| refusal.until);
        let tried = self
            .tried
            .iter()
            .filter_map(|scope| scope.blocked_until(now));
        refused
            .chain(tried)
            .min()
            .map(|until| until.saturating_duration_since(now))
    }

    fn admit(&mut self, target: Target<'a>, now: Instant) -> Option<Permit> {
        match target.scope().admit(now) {
            Ok(permit) => {
                self.tried.push(target.scope());
                Some(permit)
            }
            Err(refusal) => {
                self.refused.push((target, refusal));
                None
            }
        }
    }

    fn last_resort(&mut self, now: Instant) -> Option<(Target<'a>, Permit)> {
        if std::mem::replace(&mut self.has_tried_last_resort, true) {
            return None;
        }
        let (index, _) = self
            .refused
            .iter()
            .enumerate()
            .filter(|(_, (_, refusal))| !refusal.is_gated)
            .min_by_key(|(_, (_, refusal))| refusal.until)?;
        let (target, _) = self.refused.remove(index);
        self.tried.push(target.scope());
        Some((target, target.scope().force(now)))
    }
}

/// Why a candidate cannot serve a request at all.
fn unfit(candidate: &Candidate, rule: &Rule, request: &ModelRequest) -> Option<PassedOver> {
    let model_at = |candidate: &'_ Candidate| candidate.model.clone();
    if !candidate.upstream.is_spoken() {
        return Some(PassedOver::NotSpoken);
    }
    let is_other_model = || {
        let first = rule.candidates.first().and_then(model_at);
        let asked = request.model_name();
        model_at(candidate).as_deref().unwrap_or(asked) != first.as_deref().unwrap_or(asked)
    };
    (request.endpoint == Endpoint::Embeddings && is_other_model()).then_some(PassedOver::OtherModel)
}

/// Sorting by `-ln(u)/w` draws without replacement in proportion to the weights (Efraimidis and Spirakis, 2006).
fn rank(weight: u32, draw: f64) -> f64 {
    -draw.max(f64::MIN_POSITIVE).ln() / f64::from(weight)
}

/// All keys of a candidate, beginning with the one whose turn it is.
fn keys_in_turn(candidate: &Candidate) -> VecDeque<Target<'_>> {
    let first = candidate.upstream.next_key();
    let count = candidate.scopes.len();
    (0..count)
        .map(|offset| Target {
            candidate,
            key: (first + offset) % count,
        })
        .collect()
}
