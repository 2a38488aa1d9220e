//! Whom to ask with a forwarded request, one after the other.

use std::collections::VecDeque;
use std::ptr;

use tokio::time::Instant;

use super::decide::{Choice, Door, Tried};
use super::skip::{SkipReason, Skipped};
use super::target::{Target, keys_in_turn};
use crate::outcome::{Outcome, Retry};
use crate::request::ModelRequest;
use crate::routing::{Candidate, Rule};

/// Paths that store nothing which could be referred to, so that a second call does no harm.
const STATELESS: [&str; 9] = [
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
    "/images/edits",
    "/images/generations",
    "/images/variations",
    "/moderations",
    "/rerank",
    "/responses/input_tokens",
];

/// The targets to ask, one after the other.
pub(in crate::failover) struct Targets<'a> {
    request: &'a ModelRequest,
    /// The other keys of the candidates that have been asked.
    other_keys: VecDeque<Target<'a>>,
    candidates: VecDeque<&'a Candidate>,
    /// The candidates that an operator has taken out.
    taken_out: Vec<Skipped>,
    /// The targets that had no seat. They are asked again, and waited for, when nobody else is left.
    full: VecDeque<Target<'a>>,
    may_queue: bool,
}

impl<'a> Targets<'a> {
    pub(in crate::failover) fn new(rule: &'a Rule, request: &'a ModelRequest) -> Self {
        let is_out =
            |candidate: &&Candidate| candidate.health_of(request.model_name()).is_taken_out();
        let (taken_out, candidates): (Vec<_>, _) =
            candidates(rule, request).into_iter().partition(is_out);
        let skipped = |candidate| Skipped::new(candidate, SkipReason::TakenOut);
        Self {
            request,
            other_keys: VecDeque::new(),
            candidates: candidates.into(),
            taken_out: taken_out.into_iter().map(skipped).collect(),
            full: VecDeque::new(),
            may_queue: false,
        }
    }

    /// The next candidate, with the first of its keys.
    pub(in crate::failover) fn next_candidate(&mut self) -> Option<Target<'a>> {
        let Some(candidate) = self.candidates.pop_front() else {
            self.may_queue = true;
            return self.full.pop_front();
        };
        let is_alone = self.candidates.is_empty() && self.full.is_empty();
        self.may_queue = is_alone || self.request.control.is_once;
        let mut keys = free_keys(candidate, self.request.model_name());
        let first = keys.pop_front();
        self.other_keys.extend(keys);
        first
    }

    /// The candidates that were skipped because an operator has taken them out.
    pub(in crate::failover) fn into_taken_out(self) -> Vec<Skipped> {
        self.taken_out
    }

    /// Whether to wait for a seat at the target that is asked now, as nobody else is left.
    pub(in crate::failover) fn may_queue(&self) -> bool {
        self.may_queue
    }

    /// The candidates that are left, as a decision sees them: nothing is known of how they do at such paths.
    pub(in crate::failover) fn choices(&self) -> Vec<Choice> {
        let left = Choice {
            tried: Tried::Not,
            door: Door::Open,
            odds: 1.0,
            needs: None,
            is_tried_elsewhere: false,
        };
        vec![left; self.candidates.len()]
    }

    /// The target to ask after one had this outcome. `is_elsewhere`: it has done nothing, as what the request is about
    /// is not there.
    pub(in crate::failover) fn after(
        &mut self,
        target: Target<'a>,
        outcome: &Outcome,
        is_elsewhere: bool,
    ) -> Option<Target<'a>> {
        if outcome.retry() == Retry::OtherKey
            && let Some(at) = self.other_key(target)
        {
            return self.other_keys.remove(at);
        }
        if matches!(outcome, Outcome::Full { .. }) && !self.may_queue {
            self.full.push_back(target);
        }
        (is_elsewhere || is_harmless(self.request, outcome))
            .then(|| self.next_candidate())
            .flatten()
    }

    /// Whether somebody else may do better after this outcome, who may have been asked already.
    pub(in crate::failover) fn may_do_better(
        &self,
        target: Target<'a>,
        outcome: &Outcome,
        is_elsewhere: bool,
    ) -> bool {
        is_elsewhere
            || is_harmless(self.request, outcome)
            || outcome.retry() == Retry::OtherKey && self.other_key(target).is_some()
    }

    fn other_key(&self, target: Target<'a>) -> Option<usize> {
        let mut keys = self.other_keys.iter();
        keys.position(|other| ptr::eq(other.candidate, target.candidate))
    }
}

/// The candidates to ask, those in rotation first. If none speaks the client's API, the first one may know the path
/// nevertheless.
fn candidates<'a>(rule: &'a Rule, request: &ModelRequest) -> Vec<&'a Candidate> {
    let all = rule.candidates.iter();
    let is_wanted = |candidate: &&Candidate| {
        let only = request.control.only.as_ref();
        only.is_none_or(|only| candidate.upstream.id() == only)
    };
    if let Some(owner) = &request.pinned_to {
        let lives_there = |candidate: &&Candidate| candidate.upstream.id() == owner;
        let owner = all.filter(lives_there).take(1);
        return owner.filter(is_wanted).collect();
    }
    let mut candidates: Vec<&Candidate> = all
        .filter(|candidate| {
            request
                .client_api
                .is_spoken_by(candidate.upstream.dialect())
        })
        .collect();
    if candidates.is_empty() {
        candidates.extend(rule.candidates.first());
    }
    let has_credential = |candidate: &&Candidate| {
        request.credential.is_some() || !candidate.upstream.takes_clients_credential()
    };
    candidates.retain(|candidate| has_credential(candidate) && is_wanted(candidate));
    candidates.sort_by_cached_key(|candidate| candidate.health_of(request.model_name()).is_out());
    candidates
}

/// The keys that health would admit now, in turn; if there is none, the first key.
fn free_keys<'a>(candidate: &'a Candidate, model: &str) -> VecDeque<Target<'a>> {
    let health = candidate.health_of(model);
    let target = |key| Target {
        candidate,
        health,
        key,
    };
    let mut keys: VecDeque<Target<'_>> = keys_in_turn(candidate).into_iter().map(target).collect();
    let first = keys[0];
    let now = Instant::now();
    keys.retain(|target| target.blocked_until(now).is_none());
    if keys.is_empty() {
        keys.push_back(first);
    }
    keys
}

/// Whether another upstream may be asked after this without doing the same thing twice.
fn is_harmless(request: &ModelRequest, outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Unreachable(_) | Outcome::NoResources | Outcome::Full { .. }
    ) || is_stateless(request) && outcome.retry() != Retry::Never
}

/// Whether a path stores nothing that could be referred to.
pub(in crate::failover) fn is_stateless(request: &ModelRequest) -> bool {
    let path = request.path.split('?').next().unwrap_or_default();
    STATELESS.contains(&path)
}
