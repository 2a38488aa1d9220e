//! The order of preference among the candidates of a rule for one request, before health is asked.
//!
//! Tiers come strictly in order. Within a tier, candidates whose failure domain is in trouble come last. The route's
//! strategy orders the others: `weighted` sends a conversation to the same candidate each time, so that prompt caches
//! survive (rendezvous hashing: highest random weight, Thaler and Ravishankar, 1998, in proportion to the weights);
//! `latency` takes the less loaded of two that are drawn by weight (power of two choices, Mitzenmacher, 2001).
//!
//! Candidates are found one by one, as somebody wants to know: usually the first one answers, and nobody looks at the others.

use tokio::time::Instant;

use super::fitness::{lack, obstacle};
use super::routing_request::RoutingRequest;
use super::skip::Skipped;
use crate::catalogue::Facts;
use crate::config::{Strategy, UpstreamId};
use crate::routing::{Candidate, Rule};
use crate::wire::mix::mixed;

/// A candidate that can serve a request, as far as is known.
#[derive(Clone, Copy, Debug)]
pub(in crate::failover) struct Fit<'a> {
    pub(in crate::failover) candidate: &'a Candidate,
    /// What is known of its model, if that was looked up.
    pub(in crate::failover) facts: Option<Facts>,
}

/// The candidates of a rule in order, and those that cannot serve the request at all.
///
/// If the built-in tables leave nobody, they may be wrong. Then only the configuration excludes candidates, and the
/// client gets the upstream's own error.
#[derive(Debug)]
pub(in crate::failover) struct Order<'a> {
    /// The request.
    pub(in crate::failover) request: RoutingRequest<'a>,
    rule: &'a Rule,
    /// Numbers between 0 and 1, drawn at random.
    draw: fn() -> f64,
    /// Those that come before all others, in reverse.
    settled: Vec<Fit<'a>>,
    tier: Tier<'a>,
    /// Whether the built-in tables left nobody.
    is_by_configuration: bool,
    /// Whether a candidate has been found.
    has_found: bool,
    pub(in crate::failover) skipped: Vec<Skipped>,
}

/// The candidates of a tier that are left.
#[derive(Debug, Default)]
struct Tier<'a> {
    /// Its number; `None` before the first one.
    number: Option<u32>,
    /// If there is one alone, its rank is of no interest.
    alone: Option<&'a Candidate>,
    several: Vec<Ranked<'a>>,
}

/// A candidate among several of its tier.
#[derive(Clone, Copy, Debug)]
struct Ranked<'a> {
    candidate: &'a Candidate,
    shares_trouble: bool,
    rank: f64,
}

impl<'a> Order<'a> {
    /// The order for a request. `draw` gives random numbers between 0 and 1.
    pub(in crate::failover) fn new(
        rule: &'a Rule,
        request: RoutingRequest<'a>,
        draw: fn() -> f64,
    ) -> Self {
        let mut order = Self {
            request,
            rule,
            draw,
            settled: Vec::new(),
            tier: Tier::default(),
            is_by_configuration: false,
            has_found: false,
            skipped: Vec::new(),
        };
        if request.retries > 0 {
            order.settle(|candidates| {
                // If the client retries, the candidate that it got before did not help.
                let other = request.retries % candidates.len().max(1);
                candidates.rotate_left(other);
            });
        }
        order
    }

    /// Finds all candidates, and puts them in another order.
    pub(in crate::failover) fn settle(&mut self, change: impl FnOnce(&mut Vec<Fit<'a>>)) {
        let mut all = Vec::with_capacity(self.rule.candidates.len());
        while let Some(fit) = self.next() {
            all.push(fit);
        }
        change(&mut all);
        all.reverse();
        self.settled = all;
    }

    /// Puts the candidates at these upstreams behind all others.
    pub(in crate::failover) fn put_last(&mut self, upstreams: &[UpstreamId]) {
        if !upstreams.is_empty() {
            self.settle(|candidates| {
                candidates.sort_by_key(|fit| upstreams.contains(fit.candidate.upstream.id()));
            });
        }
    }

    /// The next candidate.
    pub(in crate::failover) fn next(&mut self) -> Option<Fit<'a>> {
        if let Some(fit) = self.settled.pop() {
            return Some(fit);
        }
        let is_first = !self.has_found;
        let fit = self.find()?;
        if is_first && self.rule.strategy == Strategy::Latency {
            return Some(self.less_loaded(fit));
        }
        Some(fit.0)
    }

    /// Counts the request as demand at every candidate, but for those that cannot serve it whatever their models can do.
    pub(in crate::failover) fn demand(&self, now: Instant) {
        let request = self.request;
        let all = &self.rule.candidates;
        let Some(first) = all.first() else {
            return;
        };
        let now = first.health.tick(now);
        for candidate in all {
            if obstacle(candidate, request).is_none() {
                candidate.health_of(request.model).demanded_at(now);
            }
        }
    }

    /// The next candidate that can serve the request, and whether its failure domain is in trouble.
    fn find(&mut self) -> Option<(Fit<'a>, bool)> {
        loop {
            if let Some(ranked) = self.tier.pop() {
                match self.fit(ranked.candidate) {
                    Ok(fit) => {
                        self.has_found = true;
                        return Some((fit, ranked.shares_trouble));
                    }
                    Err(skipped) => self.skipped.push(skipped),
                }
            } else if !self.begin_tier() {
                if self.has_found || self.is_by_configuration {
                    return None;
                }
                self.is_by_configuration = true;
                self.tier = Tier::default();
                self.skipped.clear();
            }
        }
    }

    fn fit(&self, candidate: &'a Candidate) -> Result<Fit<'a>, Skipped> {
        let request = self.request;
        let skipped = |why| Skipped::new(candidate, why);
        if let Some(why) = obstacle(candidate, request) {
            return Err(skipped(why));
        }
        let (facts, known) = match self.is_by_configuration {
            false => {
                let facts = candidate.facts(request.model);
                (Some(facts), facts)
            }
            true => {
                let model = candidate.model_for(request.model);
                (None, candidate.knowledge.configured(model))
            }
        };
        match lack(candidate, known, self.rule, request) {
            None => Ok(Fit { candidate, facts }),
            Some(why) => Err(skipped(why)),
        }
    }

    /// Goes on to the next tier; false if there is none.
    fn begin_tier(&mut self) -> bool {
        let before = self.tier.number;
        let all = &self.rule.candidates;
        let tiers = all.iter().map(|candidate| candidate.tier);
        let Some(number) = tiers
            .filter(|tier| before.is_none_or(|before| *tier > before))
            .min()
        else {
            return false;
        };
        let mut members = all.iter().filter(|candidate| candidate.tier == number);
        let first = members.next();
        self.tier = Tier {
            number: Some(number),
            alone: first,
            several: Vec::new(),
        };
        if let Some(second) = members.next() {
            let session = match self.rule.strategy {
                Strategy::Weighted => self.request.session.number(),
                Strategy::Latency => 0,
            };
            let members = first.into_iter().chain([second]).chain(members);
            self.tier.several = members
                .map(|candidate| self.ranked(candidate, session))
                .collect();
            self.tier.alone = None;
        }
        true
    }

    fn ranked(&self, candidate: &'a Candidate, session: u64) -> Ranked<'a> {
        let draw = match self.rule.strategy {
            Strategy::Weighted => affinity(session, candidate),
            Strategy::Latency => (self.draw)(),
        };
        Ranked {
            candidate,
            shares_trouble: shares_trouble(candidate, self.rule, self.request.model),
            rank: rank(candidate.weight, draw),
        }
    }

    /// The less loaded one of the two that come first; the other one is the next.
    fn less_loaded(&mut self, (first, is_in_trouble): (Fit<'a>, bool)) -> Fit<'a> {
        if self.tier.several.is_empty() {
            return first;
        }
        let tier = self.tier.number;
        let Some((second, shares_trouble)) = self.find() else {
            return first;
        };
        let model = self.request.model;
        let load =
            |fit: &Fit<'_>| fit.candidate.health_of(model).load() / fit.candidate.weight as f32;
        let is_equal = (self.tier.number, shares_trouble) == (tier, is_in_trouble);
        let (less, more) = match is_equal && load(&second) < load(&first) {
            true => (second, first),
            false => (first, second),
        };
        self.settled.push(more);
        less
    }
}

impl<'a> Tier<'a> {
    /// Takes the one that is preferred among those that are left.
    fn pop(&mut self) -> Option<Ranked<'a>> {
        if let Some(candidate) = self.alone.take() {
            return Some(Ranked {
                candidate,
                shares_trouble: false,
                rank: 0.0,
            });
        }
        let left = self.several.iter().enumerate();
        let first = left.min_by(|(_, a), (_, b)| {
            let by_trouble = a.shares_trouble.cmp(&b.shares_trouble);
            by_trouble.then(a.rank.total_cmp(&b.rank))
        });
        let (place, _) = first?;
        Some(self.several.remove(place))
    }
}

/// Whether another upstream in the same failure domain is out of rotation for failures that may affect the whole
/// domain.
fn shares_trouble(candidate: &Candidate, rule: &Rule, model: &str) -> bool {
    let Some(domain) = &candidate.domain else {
        return false;
    };
    rule.candidates.iter().any(|other| {
        other.upstream.id() != candidate.upstream.id()
            && other.domain.as_ref() == Some(domain)
            && other.health_of(model).has_failed()
    })
}

/// Sorting by `-ln(u)/w` draws without replacement in proportion to the weights (Efraimidis and Spirakis, 2006).
fn rank(weight: u32, draw: f64) -> f64 {
    -draw.max(f64::MIN_POSITIVE).ln() / f64::from(weight)
}

/// A number between 0 and 1 that is always the same for a conversation and a candidate.
fn affinity(session: u64, candidate: &Candidate) -> f64 {
    let number = mixed(session ^ candidate.number);
    (number >> 11) as f64 / (1u64 << 53) as f64
}
