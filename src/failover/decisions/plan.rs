//! The plan of one request: its candidates in order, and what has become of each.
//!
//! An outcome that is about the key leads to the next key of the same candidate; every other failure leads to the next
//! candidate. What may have passed a moment later leaves the candidate in the plan, to be asked again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::decide::{Choice, Door, Tried, pause};
use super::entry::{Entry, Force};
use super::order::Order;
use super::routing_request::RoutingRequest;
use super::skip::{SkipReason, Skipped};
use super::target::Target;
use crate::config::UpstreamId;
use crate::dialect::{Asking, UpstreamRequest};
use crate::event::ScopeId;
use crate::failover::translation::{fault, translated_within};
use crate::health::{ModelHealth, Permit, Shape};
use crate::outcome::{Blame, Outcome};
use crate::wire::json::Fault;
use crate::wire::memory::Memory;
use crate::wire::offload;

/// The plan of one request, and how far it has got.
#[derive(Debug)]
pub(in crate::failover) struct AttemptPlan<'a> {
    request: RoutingRequest<'a>,
    memory: &'a Memory,
    /// Where further candidates come from.
    order: Order<'a>,
    /// Those that somebody wanted to know of, in order.
    entries: Vec<Entry<'a>>,
    skipped: Vec<Skipped>,
    /// How often somebody has been asked again.
    repeats: u32,
    /// The upstreams that rejected the request itself.
    rejecting: Vec<UpstreamId>,
    /// Why the request could not be translated, and where.
    fault: Option<Fault>,
}

impl<'a> AttemptPlan<'a> {
    /// Goes through the candidates of an order, as far as is needed.
    pub(in crate::failover) fn new(order: Order<'a>, memory: &'a Memory) -> Self {
        Self {
            request: order.request,
            memory,
            order,
            entries: Vec::with_capacity(1),
            skipped: Vec::new(),
            repeats: 0,
            rejecting: Vec::new(),
            fault: None,
        }
    }

    /// Finds so many candidates and one more; false if there are not that many. For a client's retry it finds all of them:
    /// their ranks depend on how many there are.
    pub(in crate::failover) fn has(&mut self, choice: usize) -> bool {
        if choice < self.entries.len() {
            return true;
        }
        let size = self.request.needs.body.len();
        let is_retry = self.request.retries > 0;
        offload::scan_at_once(size, || {
            while (is_retry || choice >= self.entries.len())
                && let Some(fit) = self.order.next()
            {
                self.entries.push(Entry::new(fit, self.request.model));
            }
        });
        choice < self.entries.len()
    }

    /// Finds all candidates.
    pub(in crate::failover) fn complete(&mut self) {
        self.has(usize::MAX);
    }

    /// Whether there are no candidates.
    pub(in crate::failover) fn is_empty(&mut self) -> bool {
        !self.has(0)
    }

    /// Counts the request as demand at every candidate.
    pub(in crate::failover) fn demand(&self, now: Instant) {
        self.order.demand(now);
    }

    /// The owner of what the request refers to: the only upstream that can serve it.
    pub(in crate::failover) fn pinned_to(&self) -> Option<&'a UpstreamId> {
        self.request.pinned_to
    }

    /// Whether only an upstream has the conversation so far.
    pub(in crate::failover) fn is_in_thread(&self) -> bool {
        self.request.is_in_thread
    }

    /// Why the request could not be translated, and where.
    pub(in crate::failover) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// The first candidate that has not been asked, and may be.
    pub(in crate::failover) fn untried(&mut self, now: Instant) -> Option<usize> {
        self.untried_from(0, now)
    }

    /// The same from this one on.
    pub(in crate::failover) fn untried_from(
        &mut self,
        mut choice: usize,
        now: Instant,
    ) -> Option<usize> {
        while self.has(choice) {
            if self.entries[choice].is_left(now) {
                return Some(choice);
            }
            choice += 1;
        }
        None
    }

    /// All candidates as they look now. An outage is fresh as long as it has lasted for less than `wait`.
    pub(in crate::failover) fn choices(
        &mut self,
        shape: Shape,
        wait: Duration,
        now: Instant,
    ) -> Vec<Choice> {
        self.complete();
        let entries = self.entries.iter();
        let choices = entries.map(|entry| Choice {
            tried: entry.tried,
            door: entry.door(wait, now),
            odds: entry.health.odds(now),
            needs: entry.health.late_after(shape),
            is_tried_elsewhere: entry.health.is_tried_elsewhere(now),
        });
        choices.collect()
    }

    /// The health of all who may be asked when their cooldown is over.
    pub(in crate::failover) fn cooling_down(&mut self, now: Instant) -> Vec<Arc<ModelHealth>> {
        self.complete();
        let entries = self.entries.iter();
        let left = entries.filter(|entry| {
            let door = entry.door(Duration::ZERO, now);
            entry.tried != Tried::No && matches!(door, Door::CoolingDown { .. })
        });
        left.map(|entry| entry.health.clone()).collect()
    }

    /// The health of a candidate's model.
    pub(in crate::failover) fn health(&self, choice: usize) -> &'a Arc<ModelHealth> {
        self.entries[choice].health
    }

    /// Whether a candidate can serve the request. One that cannot is skipped from now on.
    pub(in crate::failover) async fn is_able(&mut self, choice: usize) -> bool {
        if self.speaks_its_api(choice) {
            return true;
        }
        let entry = &mut self.entries[choice];
        let asking = entry.asking(self.request);
        let translated = translated_within(asking, self.request.needs.body, self.memory).await;
        let why = match translated {
            Ok(translated) => {
                entry.is_known = true;
                entry.translated = translated.map(Box::new);
                return true;
            }
            Err(why) => why,
        };
        if why == SkipReason::Unreadable && self.fault.is_none() {
            self.fault = fault(self.request.needs.body).await;
        }
        entry.tried = Tried::No;
        entry.is_known = true;
        self.skipped.push(Skipped::new(entry.candidate, why));
        false
    }

    /// Whether a request need not be translated for a candidate, or has been; then it is able.
    fn speaks_its_api(&mut self, choice: usize) -> bool {
        let entry = &mut self.entries[choice];
        entry.is_known = entry.is_known || !entry.asking(self.request).translates();
        entry.is_known
    }

    /// Whether the model of a candidate is known to think.
    pub(in crate::failover) fn thinks(&mut self, choice: usize) -> bool {
        self.entries[choice].facts(self.request.model).thinks
    }

    /// How a candidate is asked.
    pub(in crate::failover) fn asking(&mut self, choice: usize) -> Asking<'a> {
        self.entries[choice].asking(self.request)
    }

    /// The request in the API of a candidate, if it has been put so and not been sent yet.
    pub(in crate::failover) fn take_translated(
        &mut self,
        choice: usize,
    ) -> Option<Box<UpstreamRequest>> {
        self.entries[choice].translated.take()
    }

    /// Whether somebody could be asked who has not been asked yet.
    pub(in crate::failover) async fn has_others(&mut self, now: Instant) -> bool {
        let mut choice = 0;
        while self.has(choice) {
            if self.entries[choice].is_left(now) && self.is_able(choice).await {
                return true;
            }
            choice += 1;
        }
        false
    }

    /// Asks health for a permit for a candidate. `is_forced`: even if its circuit breaker is open.
    pub(in crate::failover) fn admit(
        &mut self,
        choice: usize,
        force: Force,
        now: Instant,
    ) -> Option<(Target<'a>, Permit)> {
        self.entries[choice].admit(force, now)
    }

    /// A candidate that was admitted is not asked after all.
    pub(in crate::failover) fn put_back(&mut self, choice: usize) {
        self.entries[choice].keys = None;
    }

    /// An attempt at a candidate starts.
    pub(in crate::failover) fn started(&mut self, choice: usize, now: Instant) {
        self.skip_preferred(choice, now);
        let entry = &mut self.entries[choice];
        self.repeats += u32::from(entry.calls > 0);
        entry.calls += 1;
        entry.tried = Tried::No;
    }

    /// Notes how an attempt at a candidate ended.
    pub(in crate::failover) fn failed(&mut self, choice: usize, outcome: &Outcome, now: Instant) {
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

    fn window_of(&mut self, choice: usize) -> Option<u32> {
        let model = self.request.model;
        self.entries[choice].facts(model).context_window
    }

    /// What was too long for one context window is too long for all that are not larger.
    fn skip_windows_up_to(&mut self, too_small: u32) {
        self.complete();
        let model = self.request.model;
        for entry in self.entries.iter_mut().filter(|entry| entry.calls == 0) {
            let window = entry.facts(model).context_window;
            let is_larger = window.is_none_or(|window| window > too_small);
            if !is_larger && entry.tried != Tried::No {
                entry.tried = Tried::No;
                let skipped = Skipped::new(entry.candidate, SkipReason::TooSmall);
                self.skipped.push(skipped);
            }
        }
    }

    /// Notes why health keeps those from being asked that are preferred to this candidate: later it may not.
    fn skip_preferred(&mut self, choice: usize, now: Instant) {
        for other in 0..self.entries.len() {
            let is_preferred = self.rank(other) < self.rank(choice);
            let entry = &mut self.entries[other];
            if is_preferred && entry.calls == 0 && entry.skipped_for.is_none() {
                entry.skipped_for = entry.why_not(now);
            }
        }
    }

    /// The candidates that are preferred to this one, with their places in the order of preference.
    fn preferred(&self, choice: usize) -> impl Iterator<Item = (usize, &Entry<'a>)> {
        let entries = self.entries.iter().enumerate();
        let ranked = entries.map(|(choice, entry)| (self.rank(choice), entry));
        let own = self.rank(choice);
        ranked.filter(move |(rank, _)| *rank < own)
    }

    /// The place of a candidate in the order of preference. A client's retry begins with another one.
    fn rank(&self, choice: usize) -> usize {
        match self.request.retries {
            0 => choice,
            retries => {
                let count = self.entries.len();
                (choice + retries % count) % count
            }
        }
    }

    /// Whether no candidate that is preferred to this one can serve the request.
    pub(in crate::failover) fn is_first_choice(&self, choice: usize) -> bool {
        let mut preferred = self.preferred(choice);
        preferred.all(|(_, entry)| entry.calls == 0 && entry.tried == Tried::No)
    }

    /// The candidate that is preferred to this one most, could have served the request, and has not; with the reason why
    /// health kept it from being asked, unless it was asked. Whoever a client's retry does not begin with could be asked.
    pub(in crate::failover) fn preferred_to(
        &self,
        choice: usize,
    ) -> Option<(&'a ScopeId, Option<SkipReason>)> {
        let preferred = self.preferred(choice);
        let able = preferred.filter(|(_, entry)| {
            entry.calls > 0 || entry.tried != Tried::No && entry.skipped_for.is_some()
        });
        let (_, first) = able.min_by_key(|(rank, _)| *rank)?;
        let why = first.skipped_for.filter(|_| first.calls == 0);
        Some((first.candidate.health.id(), why))
    }

    /// The candidates that were skipped, and why. `end`: why those have not been asked whom health would admit.
    pub(in crate::failover) fn skipped(&self, end: SkipReason, now: Instant) -> Vec<Skipped> {
        let left = self.entries.iter();
        let left = left.filter(|entry| entry.calls == 0 && entry.tried != Tried::No);
        let left = left.map(|entry| {
            let why = entry.why_not(now).unwrap_or(end);
            Skipped::new(entry.candidate, why)
        });
        let ineligible = self.order.skipped.iter().chain(&self.skipped);
        ineligible.cloned().chain(left).collect()
    }

    /// Whether the attempts failed because our own network is lost.
    pub(in crate::failover) fn is_network_lost(&self) -> bool {
        let mut asked = self.entries.iter().filter(|entry| entry.calls > 0);
        asked.any(|entry| entry.health.is_network_lost())
    }

    /// When the first of the candidates may be asked again; without those that rejected the request itself, because
    /// they would reject it again. Only a cooldown counts: whoever is out of rotation is asked if nobody else is left.
    pub(in crate::failover) fn retry_in(&self, now: Instant) -> Option<Duration> {
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

#[cfg(test)]
mod tests;
