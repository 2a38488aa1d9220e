//! The plan of one request: its candidates in order, and what has become of each.
//!
//! An outcome that is about the key leads to the next key of the same candidate; every other failure leads to the next
//! candidate. What may have passed a moment later leaves the candidate in the plan, to be asked again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::decide::{Choice, Door, Tried, pause};
use super::order::{Order, RoutingRequest};
use super::skip::{SkipReason, Skipped};
use super::translation::{fault, obstacle};
use crate::config::UpstreamId;
use crate::health::{AdmissionPreview, CooldownReason, ModelHealth, Permit, Shape};
use crate::outcome::{Blame, Outcome, Retry};
use crate::routing::Candidate;
use crate::wire::json::Fault;
use crate::wire::memory::Memory;

/// After health has refused a request, it is not asked again sooner.
const SOON: Duration = Duration::from_millis(10);

/// A candidate with one of its keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) candidate: &'a Candidate,
    /// The health of the model that the client asks for.
    pub(super) health: &'a Arc<ModelHealth>,
    pub(super) key: usize,
}

impl Target<'_> {
    pub(super) fn blocked_until(&self, now: Instant) -> Option<Instant> {
        self.health.blocked_until(self.key, now)
    }

    /// When it may be asked again.
    pub(super) fn back_at(&self, now: Instant) -> Instant {
        self.blocked_until(now).unwrap_or(now)
    }
}

/// The plan of one request, and how far it has got.
#[derive(Debug)]
pub(super) struct AttemptPlan<'a> {
    request: RoutingRequest<'a>,
    memory: &'a Memory,
    entries: Vec<Entry<'a>>,
    skipped: Vec<Skipped>,
    /// How often somebody has been asked again.
    repeats: u32,
    /// The upstreams that rejected the request itself.
    rejecting: Vec<UpstreamId>,
    /// Why the request could not be translated, and where.
    fault: Option<Fault>,
}

/// One candidate of the plan.
#[derive(Debug)]
struct Entry<'a> {
    candidate: &'a Candidate,
    /// The health of the model that the client asks for.
    health: &'a Arc<ModelHealth>,
    tried: Tried,
    /// How often it has been asked.
    calls: u32,
    /// The keys that have not been tried, in turn; `None` before the first attempt.
    keys: Option<VecDeque<usize>>,
    /// The key that was asked last.
    key: usize,
    /// The keys that were asked, and may be again: they were rate limited.
    limited: VecDeque<usize>,
    /// Whether it is known that it can serve the request: to find out, the whole body must be read.
    is_known: bool,
    /// Until when health does not admit the request, though it admits others.
    refused_until: Option<Instant>,
}

impl<'a> AttemptPlan<'a> {
    /// Goes through the candidates of an order.
    pub(super) fn new(order: Order<'a>, memory: &'a Memory) -> Self {
        let candidates = order.candidates.into_iter();
        let model = order.request.model;
        Self {
            request: order.request,
            memory,
            entries: candidates
                .map(|candidate| Entry::new(candidate, model))
                .collect(),
            skipped: order.skipped,
            repeats: 0,
            rejecting: Vec::new(),
            fault: None,
        }
    }

    /// Counts the request as demand at every candidate.
    pub(super) fn demand(&self, now: Instant) {
        for entry in &self.entries {
            entry.health.demanded(now);
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

    /// The candidates as they look now. An outage is fresh as long as it has lasted for less than `wait`.
    pub(super) fn choices(&self, shape: Shape, wait: Duration, now: Instant) -> Vec<Choice> {
        let entries = self.entries.iter();
        let choices = entries.map(|entry| Choice {
            tried: entry.tried,
            door: entry.door(wait, now),
            odds: entry.health.odds(now),
            needs: entry.health.late_after(shape),
        });
        choices.collect()
    }

    /// The health of a candidate's model.
    pub(super) fn health(&self, choice: usize) -> &'a Arc<ModelHealth> {
        self.entries[choice].health
    }

    /// Whether a candidate can serve the request. One that cannot is skipped from now on.
    pub(super) async fn is_able(&mut self, choice: usize) -> bool {
        let entry = &mut self.entries[choice];
        if entry.is_known {
            return true;
        }
        let Some(why) = obstacle(entry.candidate, self.request, self.memory).await else {
            entry.is_known = true;
            return true;
        };
        if why == SkipReason::Unreadable && self.fault.is_none() {
            self.fault = fault(self.request.needs.body).await;
        }
        entry.tried = Tried::No;
        entry.is_known = true;
        self.skipped.push(Skipped::new(entry.candidate, why));
        false
    }

    /// Whether somebody could be asked who has not been asked yet.
    pub(super) async fn has_others(&mut self, now: Instant) -> bool {
        for choice in 0..self.entries.len() {
            let entry = &self.entries[choice];
            let is_next =
                entry.tried == Tried::Not && entry.door(Duration::ZERO, now) == Door::Open;
            if is_next && self.is_able(choice).await {
                return true;
            }
        }
        false
    }

    /// Asks health for a permit for a candidate. `is_forced`: even if its circuit breaker is open.
    pub(super) fn admit(
        &mut self,
        choice: usize,
        is_forced: bool,
        now: Instant,
    ) -> Option<(Target<'a>, Permit)> {
        self.entries[choice].admit(is_forced, now)
    }

    /// A candidate that was admitted is not asked after all.
    pub(super) fn put_back(&mut self, choice: usize) {
        self.entries[choice].keys = None;
    }

    /// An attempt at a candidate starts.
    pub(super) fn started(&mut self, choice: usize) {
        let entry = &mut self.entries[choice];
        self.repeats += u32::from(entry.calls > 0);
        entry.calls += 1;
        entry.tried = Tried::No;
    }

    /// Notes how an attempt at a candidate ended.
    pub(super) fn failed(&mut self, choice: usize, outcome: &Outcome, now: Instant) {
        let upstream = self.entries[choice].candidate.upstream.id();
        if outcome.blame() == Blame::Client {
            self.rejecting.push(upstream.clone());
        }
        let not_before = now + pause(self.repeats, fastrand::f32());
        self.entries[choice].failed(outcome, not_before, now);
        if matches!(outcome, Outcome::TooLong { .. })
            && let Some(window) = self.window_of(choice)
        {
            self.skip_windows_up_to(window);
        }
    }

    fn window_of(&self, choice: usize) -> Option<u32> {
        let candidate = self.entries[choice].candidate;
        candidate.facts(self.request.model).context_window
    }

    /// What was too long for one context window is too long for all that are not larger.
    fn skip_windows_up_to(&mut self, too_small: u32) {
        let model = self.request.model;
        for entry in self.entries.iter_mut().filter(|entry| entry.calls == 0) {
            let window = entry.candidate.facts(model).context_window;
            let is_larger = window.is_none_or(|window| window > too_small);
            if !is_larger && entry.tried != Tried::No {
                entry.tried = Tried::No;
                let skipped = Skipped::new(entry.candidate, SkipReason::TooSmall);
                self.skipped.push(skipped);
            }
        }
    }

    /// Whether a candidate was to be asked before this one, and health did not admit it.
    pub(super) fn has_refused(&self, choice: usize) -> bool {
        self.entries[..choice]
            .iter()
            .any(|entry| entry.calls == 0 && entry.tried != Tried::No)
    }

    /// The candidates that were skipped, and why.
    pub(super) fn skipped(&self, now: Instant) -> Vec<Skipped> {
        let left = self.entries.iter();
        let left = left.filter(|entry| entry.calls == 0 && entry.tried != Tried::No);
        let left = left.map(|entry| Skipped::new(entry.candidate, entry.why_not(now)));
        self.skipped.iter().cloned().chain(left).collect()
    }

    /// Whether the attempts failed because our own network is lost.
    pub(super) fn is_network_lost(&self) -> bool {
        let mut asked = self.entries.iter().filter(|entry| entry.calls > 0);
        asked.any(|entry| entry.health.is_network_lost())
    }

    /// When the first of the candidates may be asked again; without those that rejected the request itself, because
    /// they would reject it again. Only a cooldown counts: whoever is out of rotation is asked if nobody else is left.
    pub(super) fn retry_in(&self, now: Instant) -> Option<Duration> {
        let rejects = |entry: &&Entry<'_>| {
            let upstream = entry.candidate.upstream.id();
            self.rejecting.contains(upstream)
        };
        let is_asked = |entry: &&Entry<'_>| entry.calls > 0 || entry.tried != Tried::No;
        let entries = self.entries.iter().filter(is_asked);
        let entries = entries.filter(|entry| !rejects(entry));
        entries.map(|entry| entry.cooldown(now)).min()
    }
}

impl<'a> Entry<'a> {
    fn new(candidate: &'a Candidate, model: &str) -> Self {
        Self {
            candidate,
            health: candidate.health_of(model),
            tried: Tried::Not,
            calls: 0,
            keys: None,
            key: 0,
            limited: VecDeque::new(),
            is_known: false,
            refused_until: None,
        }
    }

    fn all_keys(&self) -> std::ops::Range<usize> {
        0..self.candidate.upstream.key_count().max(1)
    }

    /// What health says about it: about the best one of its keys that are left.
    fn door(&self, wait: Duration, now: Instant) -> Door {
        if self.refused_until.is_some_and(|until| until > now) {
            // In its slow start it lets others through, and soon this one.
            let out_for = self.health.out_for(now);
            let is_fresh = out_for.is_none_or(|out_for| out_for < wait);
            return Door::Out { is_fresh };
        }
        let doors = (self.all_keys().filter(|key| self.is_left(*key)))
            .map(|key| door(self.health.preview(key, now), wait, now));
        let best = doors.min_by_key(|door| match door {
            Door::Open => (0, now),
            Door::Out { .. } => (1, now),
            Door::CoolingDown { until } => (2, *until),
            Door::Shut => (3, now),
        });
        // A candidate whose keys have all been tried is not asked.
        best.unwrap_or(Door::Out { is_fresh: false })
    }

    /// How long all of its keys are cooling down.
    fn cooldown(&self, now: Instant) -> Duration {
        let cooldown = |key| match self.health.preview(key, now) {
            AdmissionPreview::CoolingDown { .. } => {
                let until = self.health.blocked_until(key, now);
                until.map(|until| until.saturating_duration_since(now))
            }
            AdmissionPreview::Admitted
            | AdmissionPreview::SlowStart { .. }
            | AdmissionPreview::HalfOpenProbe
            | AdmissionPreview::Out { .. } => None,
        };
        let cooldowns = self.all_keys().map(cooldown);
        cooldowns.min().flatten().unwrap_or_default()
    }

    fn is_left(&self, key: usize) -> bool {
        self.keys.as_ref().is_none_or(|keys| keys.contains(&key))
    }

    fn admit(&mut self, is_forced: bool, now: Instant) -> Option<(Target<'a>, Permit)> {
        let (candidate, health) = (self.candidate, self.health);
        let keys = self.keys.get_or_insert_with(|| keys_in_turn(candidate));
        let mut refused_until = None;
        for place in 0..keys.len() {
            let key = keys[place];
            let target = Target {
                candidate,
                health,
                key,
            };
            let permit = match health.admit(key, now) {
                Ok(permit) => {
                    self.refused_until = None;
                    permit
                }
                // A cooldown shows anyway.
                Err(refusal) if refusal.cooldown_reason.is_some() => continue,
                Err(_) if is_forced => health.force(key, now),
                Err(refusal) => {
                    refused_until = refused_until.max(Some(refusal.until));
                    continue;
                }
            };
            keys.remove(place);
            self.key = key;
            return Some((target, permit));
        }
        self.refused_until = refused_until.map(|until| until.max(now + SOON));
        None
    }

    fn failed(&mut self, outcome: &Outcome, not_before: Instant, now: Instant) {
        let again = Tried::Again {
            calls: self.calls,
            not_before,
        };
        self.tried = match (outcome.retry(), outcome.may_pass()) {
            (Retry::OtherKey, may_pass) => self.other_key(may_pass, again, now),
            (Retry::Elsewhere | Retry::Never, true) => {
                self.keys = None;
                again
            }
            (Retry::Elsewhere | Retry::Never, false) => Tried::No,
        };
    }

    /// What is left after an outcome that is about the key: keys that are free come first, then those that will be when
    /// their rate limit is over, also if they have been asked.
    fn other_key(&mut self, may_pass: bool, again: Tried, now: Instant) -> Tried {
        if may_pass {
            self.limited.push_back(self.key);
        }
        let health = self.health;
        let keys = self.keys.get_or_insert_default();
        let is_free = |key: &usize| {
            let preview = health.preview(*key, now);
            !matches!(preview, AdmissionPreview::CoolingDown { .. })
        };
        if keys.iter().any(is_free) {
            return Tried::Not;
        }
        let was_limited = !self.limited.is_empty();
        keys.append(&mut self.limited);
        match (was_limited, keys.is_empty()) {
            (true, _) => again,
            (false, false) => Tried::Not,
            (false, true) => Tried::No,
        }
    }

    /// Why it has not been asked.
    fn why_not(&self, now: Instant) -> SkipReason {
        let previews = self.all_keys().map(|key| self.health.preview(key, now));
        let mut reasons = previews.filter_map(|preview| match preview {
            AdmissionPreview::Admitted
            | AdmissionPreview::SlowStart { .. }
            | AdmissionPreview::HalfOpenProbe => None,
            AdmissionPreview::Out { .. } => Some(SkipReason::OutOfRotation),
            AdmissionPreview::CoolingDown { reason, .. } => Some(reason.into()),
        });
        match reasons.next() {
            Some(reason) => reason,
            None if self.refused_until.is_some() => SkipReason::OutOfRotation,
            None => SkipReason::NoTime,
        }
    }
}

fn door(preview: AdmissionPreview, wait: Duration, now: Instant) -> Door {
    match preview {
        AdmissionPreview::Admitted
        | AdmissionPreview::SlowStart { .. }
        | AdmissionPreview::HalfOpenProbe => Door::Open,
        AdmissionPreview::Out { out_for, .. } => Door::Out {
            is_fresh: out_for < wait,
        },
        AdmissionPreview::CoolingDown { reason, ends_in } => match reason {
            CooldownReason::RateLimit | CooldownReason::Overload => Door::CoolingDown {
                until: now + ends_in,
            },
            CooldownReason::Credential | CooldownReason::Quota | CooldownReason::Model => {
                Door::Shut
            }
        },
    }
}

/// All keys of a candidate, beginning with the one whose turn it is.
pub(super) fn keys_in_turn(candidate: &Candidate) -> VecDeque<usize> {
    let first = candidate.upstream.next_key();
    let count = candidate.upstream.key_count().max(1);
    (0..count).map(|offset| (first + offset) % count).collect()
}
