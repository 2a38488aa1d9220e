//! The plan of one request: its candidates in order, each when health admits it.
//!
//! Each candidate is tried once, with the key whose turn it is. Only an outcome that is about the key leads to
//! another key of the same upstream. When health admits nobody that is left, the one that may be admitted soonest
//! gets one attempt as a last resort, unless it is in a cooldown.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::order::{Order, RoutingRequest};
use super::skip::{SkipReason, Skipped};
use super::translation::{fault, obstacle};
use crate::config::UpstreamId;
use crate::health::{CooldownReason, ModelHealth, NotAdmitted, Permit};
use crate::outcome::{Blame, Outcome, Retry};
use crate::routing::Candidate;
use crate::wire::json::Fault;
use crate::wire::memory::Memory;

/// A candidate with one of its keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) candidate: &'a Candidate,
    /// The health of the model that the client asks for.
    pub(super) health: &'a Arc<ModelHealth>,
    pub(super) key: usize,
}

impl<'a> Target<'a> {
    pub(super) fn blocked_until(&self, now: Instant) -> Option<Instant> {
        self.health.blocked_until(self.key, now)
    }

    /// When it may be asked again.
    pub(super) fn back_at(&self, now: Instant) -> Instant {
        self.blocked_until(now).unwrap_or(now)
    }
}

/// Which candidates are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remaining {
    /// One that health may admit.
    Trusted,
    /// Only one that health did not admit.
    LastResort,
    Nobody,
}

/// The plan of one request, and how far it has got.
#[derive(Debug)]
pub(super) struct AttemptPlan<'a> {
    request: RoutingRequest<'a>,
    memory: &'a Memory,
    waiting: VecDeque<&'a Candidate>,
    /// Whether the first of them is known to support the request: to find out, the whole body must be read.
    is_first_known: bool,
    /// The keys of the last candidate that have not been tried.
    other_keys: VecDeque<Target<'a>>,
    not_admitted: Vec<(Target<'a>, NotAdmitted)>,
    skipped: Vec<Skipped>,
    has_tried_last_resort: bool,
    tried: Vec<Target<'a>>,
    /// The upstreams that rejected the request itself.
    rejecting: Vec<UpstreamId>,
    /// Why the request could not be translated, and where.
    fault: Option<Fault>,
}

impl<'a> AttemptPlan<'a> {
    /// Goes through the candidates of an order.
    pub(super) fn new(order: Order<'a>, memory: &'a Memory) -> Self {
        Self {
            request: order.request,
            memory,
            waiting: order.candidates.into(),
            is_first_known: false,
            other_keys: VecDeque::new(),
            not_admitted: Vec::new(),
            skipped: order.skipped,
            has_tried_last_resort: false,
            tried: Vec::new(),
            rejecting: Vec::new(),
            fault: None,
        }
    }

    /// Counts the request as demand at every candidate.
    pub(super) fn demand(&self, now: Instant) {
        for candidate in &self.waiting {
            candidate.health_of(self.request.model).demanded(now);
        }
    }

    /// The owner of what the request refers to: the only upstream that can serve it.
    pub(super) fn pinned_to(&self) -> Option<&'a UpstreamId> {
        self.request.pinned_to
    }

    /// Why the request could not be translated, and where.
    pub(super) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Which candidates are left.
    pub(super) async fn remaining(&mut self) -> Remaining {
        if !self.other_keys.is_empty() || self.next_candidate().await.is_some() {
            Remaining::Trusted
        } else if !self.has_tried_last_resort && self.soonest_back().is_some() {
            Remaining::LastResort
        } else {
            Remaining::Nobody
        }
    }

    /// The next target, with health's permission.
    pub(super) async fn next(&mut self, now: Instant) -> Option<(Target<'a>, Permit)> {
        while let Some(target) = self.other_keys.pop_front() {
            if let Some(permit) = self.admit(target, now) {
                return Some((target, permit));
            }
        }
        while let Some(candidate) = self.next_candidate().await {
            self.waiting.pop_front();
            self.is_first_known = false;
            let mut keys = keys_in_turn(candidate, self.request.model);
            while let Some(target) = keys.pop_front() {
                if let Some(permit) = self.admit(target, now) {
                    // One other key may be tried; after that, another upstream is more likely to succeed.
                    keys.truncate(1);
                    self.other_keys = keys;
                    return Some((target, permit));
                }
            }
        }
        self.last_resort(now)
    }

    /// Notes how an attempt at an upstream ended.
    pub(super) fn failed(&mut self, upstream: &UpstreamId, outcome: &Outcome) {
        if outcome.retry() != Retry::OtherKey {
            self.other_keys.clear();
        }
        if outcome.blame() == Blame::Client {
            self.rejecting.push(upstream.clone());
        }
        if matches!(outcome, Outcome::TooLong { .. })
            && let Some(window) = self.window_of(upstream)
        {
            self.skip_windows_up_to(window);
        }
    }

    /// The candidate that is next. Candidates that cannot serve the request are skipped.
    async fn next_candidate(&mut self) -> Option<&'a Candidate> {
        loop {
            let candidate = *self.waiting.front()?;
            if self.is_first_known {
                return Some(candidate);
            }
            let Some(why) = obstacle(candidate, self.request, self.memory).await else {
                self.is_first_known = true;
                return Some(candidate);
            };
            if why == SkipReason::Unreadable && self.fault.is_none() {
                self.fault = fault(self.request.needs.body).await;
            }
            self.waiting.pop_front();
            self.skipped.push(Skipped::new(candidate, why));
        }
    }

    fn window_of(&self, upstream: &UpstreamId) -> Option<u32> {
        let mut tried = self.tried.iter().rev();
        let target = tried.find(|target| target.candidate.upstream.id() == upstream)?;
        let model = self.request.model;
        target.candidate.capabilities(model).context_window
    }

    /// What was too long for one context window is too long for all that are not larger.
    fn skip_windows_up_to(&mut self, too_small: u32) {
        let model = self.request.model;
        let skipped = &mut self.skipped;
        self.is_first_known = false;
        self.waiting.retain(|candidate| {
            let window = candidate.capabilities(model).context_window;
            let is_larger = window.is_none_or(|window| window > too_small);
            if !is_larger {
                skipped.push(Skipped::new(candidate, SkipReason::TooSmall));
            }
            is_larger
        });
    }

    /// Whether health has refused to admit a candidate that was to be asked.
    pub(super) fn has_refused(&self) -> bool {
        !self.not_admitted.is_empty()
    }

    /// The candidates that were skipped, and why.
    pub(super) fn skipped(&self) -> Vec<Skipped> {
        let refused = self
            .not_admitted
            .iter()
            .map(|(target, refusal)| Skipped::new(target.candidate, why_not_admitted(refusal)));
        self.skipped.iter().cloned().chain(refused).collect()
    }

    /// Whether the attempts failed because our own network is lost.
    pub(super) fn is_network_lost(&self) -> bool {
        self.tried
            .iter()
            .any(|target| target.health.is_network_lost())
    }

    /// When the first of the candidates may be asked again; without those that rejected the request itself, because
    /// they would reject it again.
    pub(super) fn retry_in(&self, now: Instant) -> Option<Duration> {
        let refused = self.not_admitted.iter().map(|(_, refusal)| refusal.until);
        let rejects = |target: &&Target<'_>| {
            let upstream = target.candidate.upstream.id();
            self.rejecting.contains(upstream)
        };
        let tried = self.tried.iter().filter(|target| !rejects(target));
        refused
            .chain(tried.map(|target| target.back_at(now)))
            .min()
            .map(|until| until.saturating_duration_since(now))
    }

    fn admit(&mut self, target: Target<'a>, now: Instant) -> Option<Permit> {
        match target.health.admit(target.key, now) {
            Ok(permit) => {
                self.tried.push(target);
                Some(permit)
            }
            Err(refusal) => {
                self.not_admitted.push((target, refusal));
                None
            }
        }
    }

    fn last_resort(&mut self, now: Instant) -> Option<(Target<'a>, Permit)> {
        if std::mem::replace(&mut self.has_tried_last_resort, true) {
            return None;
        }
        let index = self.soonest_back()?;
        let (target, _) = self.not_admitted.remove(index);
        self.tried.push(target);
        Some((target, target.health.force(target.key, now)))
    }

    /// The one that may be admitted soonest, of those that health did not admit and that are not in a cooldown.
    fn soonest_back(&self) -> Option<usize> {
        let refused = self.not_admitted.iter().enumerate();
        let (index, _) = refused
            .filter(|(_, (_, refusal))| refusal.cooldown_reason.is_none())
            .min_by_key(|(_, (_, refusal))| refusal.until)?;
        Some(index)
    }
}

fn why_not_admitted(refusal: &NotAdmitted) -> SkipReason {
    match refusal.cooldown_reason {
        None => SkipReason::OutOfRotation,
        Some(CooldownReason::RateLimit) => SkipReason::RateLimited,
        Some(CooldownReason::Overload) => SkipReason::Busy,
        Some(CooldownReason::Credential) => SkipReason::KeyRefused,
        Some(CooldownReason::Quota) => SkipReason::QuotaExhausted,
        Some(CooldownReason::Model) => SkipReason::ModelMissing,
    }
}

/// All keys of a candidate, beginning with the one whose turn it is.
pub(super) fn keys_in_turn<'a>(candidate: &'a Candidate, model: &str) -> VecDeque<Target<'a>> {
    let health = candidate.health_of(model);
    let first = candidate.upstream.next_key();
    let count = candidate.upstream.key_count().max(1);
    (0..count)
        .map(|offset| Target {
            candidate,
            health,
            key: (first + offset) % count,
        })
        .collect()
}
