//! One candidate of a plan: which of its keys are left, what health says about them, and what its failures lead to.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::decide::{Door, Tried};
use super::order::Fit;
use super::routing_request::RoutingRequest;
use super::skip::SkipReason;
use super::target::{Keys, Target, keys_in_turn};
use crate::catalogue::Facts;
use crate::dialect::{Asking, UpstreamRequest};
use crate::failover::translation::asking;
use crate::health::{AdmissionPreview, CooldownReason, ModelHealth, Permit};
use crate::outcome::{Outcome, Retry};
use crate::routing::Candidate;

/// After health has refused a request, it is not asked again sooner.
const SOON: Duration = Duration::from_millis(10);

/// Whether an attempt is made though the circuit breaker does not admit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::failover) enum Force {
    /// It is not.
    Never,
    /// It is, because the queue has given the request a turn; in a fleet by one replica at a time.
    InTurn,
    /// It is, because nothing better is left.
    LastResort,
}

/// One candidate of the plan.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) candidate: &'a Candidate,
    facts: Option<Facts>,
    /// The health of the model that the client asks for.
    pub(super) health: &'a Arc<ModelHealth>,
    pub(super) tried: Tried,
    /// How often it has been asked.
    pub(super) calls: u32,
    /// The keys that have not been tried, in turn; `None` before the first attempt.
    pub(super) keys: Option<Keys>,
    /// The key that was asked last.
    key: usize,
    /// The keys that were asked, and may be again: they were rate limited.
    limited: Keys,
    /// Whether it is known that it can serve the request: to find out, the whole body must be read.
    pub(super) is_known: bool,
    /// How it is asked, once somebody wants to know.
    asking: Option<Asking<'a>>,
    /// The request in its API, until that is sent; `None`: it speaks the client's.
    pub(super) translated: Option<Box<UpstreamRequest>>,
    /// Until when health does not admit the request, though it admits others.
    refused_until: Option<Instant>,
    /// Why health kept it from being asked when another one was that is less preferred.
    pub(super) skipped_for: Option<SkipReason>,
}

impl<'a> Entry<'a> {
    pub(super) fn new(fit: Fit<'a>, model: &str) -> Self {
        let Fit { candidate, facts } = fit;
        Self {
            candidate,
            facts,
            health: candidate.health_of(model),
            tried: Tried::Not,
            calls: 0,
            keys: None,
            key: 0,
            limited: Keys::new(),
            is_known: false,
            asking: None,
            translated: None,
            refused_until: None,
            skipped_for: None,
        }
    }

    /// What is known of its model, for a client that names this one.
    pub(super) fn facts(&mut self, model: &str) -> Facts {
        *self
            .facts
            .get_or_insert_with(|| self.candidate.facts(model))
    }

    /// How it is asked.
    pub(super) fn asking(&mut self, request: RoutingRequest<'a>) -> Asking<'a> {
        *self
            .asking
            .get_or_insert_with(|| asking(self.candidate, request))
    }

    fn all_keys(&self) -> std::ops::Range<usize> {
        0..self.candidate.upstream.key_count().max(1)
    }

    /// What health says about it: about the best one of its keys that are left.
    pub(super) fn door(&self, wait: Duration, now: Instant) -> Door {
        if self.refused_until.is_some_and(|until| until > now) {
            // In its slow start it lets others through, and soon this one.
            let out_for = self.health.out_for(now);
            let is_fresh = out_for.is_none_or(|out_for| out_for < wait);
            return Door::Out { is_fresh };
        }
        let doors = (self.all_keys().filter(|key| self.has_left(*key)))
            .map(|key| door(self.health.preview(key, now), wait, now));
        let best = doors.min_by_key(|door| match door {
            Door::Open => (0, now),
            Door::Out { .. } => (1, now),
            Door::CoolingDown { until } => (2, *until),
            Door::Shut => (3, now),
        });
        match (best, self.health.cut_off_for(now)) {
            (Some(Door::Open), Some(cut_off_for)) => Door::Out {
                is_fresh: cut_off_for < wait,
            },
            (Some(best), _) => best,
            // A candidate whose keys have all been tried is not asked.
            (None, _) => Door::Out { is_fresh: false },
        }
    }

    /// Whether it has not been asked, and may be.
    pub(super) fn is_left(&self, now: Instant) -> bool {
        self.tried == Tried::Not && self.door(Duration::ZERO, now) == Door::Open
    }

    /// How long all of its keys are cooling down.
    pub(super) fn cooldown(&self, now: Instant) -> Duration {
        let cooldown = |key| match self.health.preview(key, now) {
            AdmissionPreview::CoolingDown { .. } => {
                let until = self.health.blocked_until(key, now);
                until.map(|until| until.saturating_duration_since(now))
            }
            AdmissionPreview::Admitted
            | AdmissionPreview::SlowStart { .. }
            | AdmissionPreview::HalfOpenProbe
            | AdmissionPreview::Out { .. }
            | AdmissionPreview::TakenOut { .. } => None,
        };
        let cooldowns = self.all_keys().map(cooldown);
        cooldowns.min().flatten().unwrap_or_default()
    }

    fn has_left(&self, key: usize) -> bool {
        self.keys.as_ref().is_none_or(|keys| keys.contains(&key))
    }

    pub(super) fn admit(&mut self, force: Force, now: Instant) -> Option<(Target<'a>, Permit)> {
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
                // The preview says so, too.
                Err(refusal) if refusal.forbids_last_resort() => continue,
                Err(refusal) => match forced(health, key, force, now) {
                    Some(permit) => permit,
                    None => {
                        refused_until = refused_until.max(Some(refusal.until));
                        continue;
                    }
                },
            };
            keys.remove(place);
            self.key = key;
            return Some((target, permit));
        }
        self.refused_until = refused_until.map(|until| until.max(now + SOON));
        None
    }

    pub(super) fn failed(&mut self, outcome: &Outcome, not_before: Instant, now: Instant) {
        let again = Tried::Again {
            calls: self.calls,
            not_before,
            is_unread: outcome.is_unread(),
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
            self.limited.push(self.key);
        }
        let health = self.health;
        let keys = self.keys.get_or_insert_default();
        let is_free = |key: &usize| {
            let preview = health.preview(*key, now);
            !matches!(
                preview,
                AdmissionPreview::CoolingDown { .. } | AdmissionPreview::TakenOut { .. }
            )
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

    /// Why it is not asked; `None`: health lets it be asked.
    pub(super) fn why_not(&self, now: Instant) -> Option<SkipReason> {
        let reasons = self.all_keys().map(|key| {
            let reason = match self.health.preview(key, now) {
                AdmissionPreview::Admitted
                | AdmissionPreview::SlowStart { .. }
                | AdmissionPreview::HalfOpenProbe => return None,
                AdmissionPreview::Out { .. } => SkipReason::OutOfRotation,
                AdmissionPreview::CoolingDown { reason, .. } => reason.into(),
                AdmissionPreview::TakenOut { .. } => SkipReason::TakenOut,
            };
            Some(reason)
        });
        // One key that is free is enough.
        let reasons: Option<Vec<SkipReason>> = reasons.collect();
        match reasons {
            Some(reasons) => reasons.first().copied(),
            None if self.refused_until.is_some() => Some(SkipReason::OutOfRotation),
            None => (self.health.cut_off_for(now)).map(|_| SkipReason::NetworkLost),
        }
    }
}

fn forced(health: &Arc<ModelHealth>, key: usize, force: Force, now: Instant) -> Option<Permit> {
    match force {
        Force::Never => None,
        Force::InTurn => health.force_in_turn(key, now),
        Force::LastResort => Some(health.force(key, now)),
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
        AdmissionPreview::TakenOut { .. } => Door::Shut,
    }
}
