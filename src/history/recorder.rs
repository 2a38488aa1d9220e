//! The minute that runs, in memory: what the data path touches.

use std::sync::Arc;

use super::clients::Clients;
use super::clock::Millis;
use super::counts::Counts;
use super::incidents::Incidents;
use super::subject::Subject;
use crate::config::UpstreamId;
use crate::event::{AttemptReport, HealthChange, RequestReport, RequestResult, ScopeId};
use crate::outcome::{Blame, Outcome};

/// How many counts may wait for the keeper. Where its disk hangs for hours, later ones are noted as of one minute.
const BACKLOG: usize = 20_000;

/// The kind of failure of a request for which nobody could be asked.
const OUT_OF_ROTATION: &str = "out_of_rotation";

/// What is counted since the keeper has last taken it.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    /// The number of the minute that runs.
    minute: u64,
    /// The minute up to which it is noted who was out of rotation.
    passed: u64,
    clients: Counts,
    pub(super) by_client: Clients,
    /// The upstreams of the configuration in its order, then others with open requests.
    pub(super) upstreams: Vec<UpstreamCounts>,
    sealed: Vec<Sealed>,
    pub(super) incidents: Incidents,
}

/// An upstream with its models.
#[derive(Debug)]
pub(super) struct UpstreamCounts {
    pub(super) whole: ScopeCounts,
    pub(super) models: Vec<ScopeCounts>,
}

/// An upstream as a whole, or a model.
#[derive(Debug)]
pub(super) struct ScopeCounts {
    pub(super) id: ScopeId,
    pub(super) subject: Subject,
    is_out: bool,
    counts: Counts,
}

/// The counts of a minute, or of a part of it.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) minute: u64,
    pub(super) subject: Subject,
    pub(super) counts: Counts,
}

impl Recorder {
    /// Another minute may have begun. True if it has: then there is something to keep.
    pub(super) fn advance(&mut self, now: Millis) -> bool {
        let minute = now / 60_000;
        let has_ended = minute != self.minute;
        if has_ended {
            self.seal();
            self.minute = minute;
        }
        has_ended
    }

    /// Time has passed; whoever is out of rotation was so in all of it, unless the clock `has_jumped`.
    pub(super) fn pass(&mut self, now: Millis, has_jumped: bool) {
        self.advance(now);
        let passed = match has_jumped || self.passed == 0 {
            true => self.minute..self.minute,
            false => self.passed + 1..self.minute,
        };
        self.passed = self.minute;
        for minute in passed {
            if self.sealed.len() >= BACKLOG {
                break;
            }
            let out = self.upstreams.iter().flat_map(UpstreamCounts::out);
            self.sealed.extend(out.map(|subject| Sealed {
                minute,
                subject,
                counts: Counts {
                    is_out: true,
                    ..Counts::default()
                },
            }));
        }
        self.mark();
    }

    /// Whoever is out of rotation is so in the minute that runs.
    fn mark(&mut self) {
        for upstream in &mut self.upstreams {
            let is_out = upstream.whole.is_out;
            for scope in upstream.all_mut() {
                scope.counts.is_out |= is_out || scope.is_out;
            }
        }
    }

    /// Whether scopes are out of rotation.
    pub(super) fn set_out(&mut self, is_out: impl Fn(&ScopeId) -> bool) {
        for scope in self.upstreams.iter_mut().flat_map(UpstreamCounts::all_mut) {
            scope.is_out = is_out(&scope.id);
        }
        self.mark();
    }

    pub(super) fn health_changed(&mut self, change: &HealthChange, now: Millis) {
        self.incidents.health_changed(change, now);
        match change {
            HealthChange::Opened { scope, .. } => self.turned(scope, true),
            HealthChange::Healed { scope, .. } => self.turned(scope, false),
            // What health believes of upstreams then shows with the next tick.
            HealthChange::NetworkLost | HealthChange::NetworkBack => {}
        }
    }

    /// A scope goes out of rotation, or comes back.
    fn turned(&mut self, id: &ScopeId, is_out: bool) {
        let upstream = self.upstream(&id.upstream);
        match &id.model {
            None => upstream.whole.is_out = is_out,
            Some(model) => upstream.model(model).is_out = is_out,
        }
        self.mark();
    }

    /// These are the upstreams and models of the configuration from now on.
    pub(super) fn adopt(&mut self, upstreams: &[UpstreamId], models: &[ScopeId]) {
        self.seal();
        let mut before = std::mem::take(&mut self.upstreams);
        for id in upstreams {
            let known = before
                .iter()
                .position(|known| known.whole.id.upstream == *id);
            let mut upstream = match known {
                Some(place) => before.swap_remove(place),
                None => UpstreamCounts::new(id),
            };
            let of_upstream = models.iter().filter(|model| model.upstream == *id);
            let mut known = std::mem::take(&mut upstream.models);
            for model in of_upstream {
                let place = known.iter().position(|known| known.id == *model);
                let is_there = upstream.models.iter().any(|other| other.id == *model);
                match place {
                    Some(place) => upstream.models.push(known.swap_remove(place)),
                    None if is_there => {}
                    None => upstream.models.push(ScopeCounts::new(model.clone())),
                }
            }
            self.upstreams.push(upstream);
        }
    }

    /// These are the clients of the configuration from now on.
    pub(super) fn adopt_clients(&mut self, names: &[Arc<str>]) {
        self.seal();
        self.by_client = Clients::of(names);
    }

    pub(super) fn attempt(&mut self, report: &AttemptReport, now: Millis) {
        self.incidents.attempt(report, now);
        let upstream = self.upstream(&report.upstream);
        upstream.whole.counts.attempt(report);
        if let Some(model) = &report.scope_model {
            upstream.model(model).counts.attempt(report);
        }
    }

    pub(super) fn request(&mut self, report: &RequestReport, now: Millis) {
        self.incidents.request(report, now);
        self.clients.request(report);
        self.by_client.request(report);
        let Some(in_place_of) = &report.in_place_of else {
            return;
        };
        if in_place_of.is_passed_over && report.result == RequestResult::Answered {
            let upstream = self.upstream(&in_place_of.upstream);
            upstream.whole.counts.skipped += 1;
            if let Some(model) = &in_place_of.model {
                upstream.model(model).counts.skipped += 1;
            }
        }
    }

    /// What has been counted since the last time.
    pub(super) fn take(&mut self) -> Vec<Sealed> {
        self.seal();
        std::mem::take(&mut self.sealed)
    }

    fn seal(&mut self) {
        if self.sealed.len() >= BACKLOG {
            return;
        }
        let minute = self.minute;
        let all = self.upstreams.iter_mut().flat_map(UpstreamCounts::all_mut);
        let scopes = all.map(|scope| (scope.subject, &mut scope.counts));
        let clients = [(Subject::CLIENTS, &mut self.clients)].into_iter();
        let clients = clients.chain(self.by_client.counts());
        for (subject, counts) in scopes.chain(clients) {
            if counts.is_empty() {
                continue;
            }
            let counts = std::mem::take(counts);
            self.sealed.push(Sealed {
                minute,
                subject,
                counts,
            });
        }
    }

    /// There are few, so looking is quicker than hashing.
    fn upstream(&mut self, id: &UpstreamId) -> &mut UpstreamCounts {
        let known = self
            .upstreams
            .iter()
            .position(|known| known.whole.id.upstream == *id);
        let place = known.unwrap_or_else(|| {
            self.upstreams.push(UpstreamCounts::new(id));
            self.upstreams.len() - 1
        });
        &mut self.upstreams[place]
    }
}

impl UpstreamCounts {
    fn new(id: &UpstreamId) -> Self {
        Self {
            whole: ScopeCounts::new(ScopeId {
                upstream: id.clone(),
                model: None,
            }),
            models: Vec::new(),
        }
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut ScopeCounts> {
        std::iter::once(&mut self.whole).chain(&mut self.models)
    }

    fn out(&self) -> impl Iterator<Item = Subject> {
        let all = std::iter::once(&self.whole).chain(&self.models);
        let out = all.filter(|scope| self.whole.is_out || scope.is_out);
        out.map(|scope| scope.subject)
    }

    fn model(&mut self, model: &Arc<str>) -> &mut ScopeCounts {
        let known = self
            .models
            .iter()
            .position(|known| known.id.model.as_deref() == Some(model));
        let place = known.unwrap_or_else(|| {
            let id = ScopeId {
                model: Some(Arc::clone(model)),
                ..self.whole.id.clone()
            };
            self.models.push(ScopeCounts::new(id));
            self.models.len() - 1
        });
        &mut self.models[place]
    }
}

impl ScopeCounts {
    fn new(id: ScopeId) -> Self {
        Self {
            subject: Subject::of(&id),
            id,
            is_out: false,
            counts: Counts::default(),
        }
    }
}

impl Counts {
    fn attempt(&mut self, report: &AttemptReport) {
        let outcome = &report.outcome;
        if let Some(tokens) = report.tokens {
            self.tokens += tokens;
        }
        match outcome.blame() {
            Blame::Upstream => {
                self.requests += 1;
                self.failed += 1;
                self.failures.note(outcome.label(), 1);
            }
            Blame::Client if *outcome != Outcome::ClientGone => self.requests += 1,
            Blame::Nobody if *outcome == Outcome::Success => {
                self.requests += 1;
                self.total.note(report.elapsed);
                if let Some(first_token) = report.first_token {
                    self.first_token.note(first_token);
                }
            }
            // Another attempt was quicker, the client left, or we lacked something: it shows nothing.
            Blame::Nobody | Blame::Client => self.gone += 1,
        }
    }

    fn request(&mut self, report: &RequestReport) {
        self.asked(report);
        match report.result {
            RequestResult::Answered if report.served_by.is_some() => {
                self.total.note(report.total);
                if let Some(first_token) = report.first_token {
                    self.first_token.note(first_token);
                }
            }
            RequestResult::Failed | RequestResult::Broken => self.failures.note(kind(report), 1),
            RequestResult::Answered | RequestResult::Rejected | RequestResult::ClientGone => {}
        }
    }

    /// Counts a request, without how long it took and how it failed.
    pub(super) fn asked(&mut self, report: &RequestReport) {
        if let Some(tokens) = report.tokens {
            self.tokens += tokens;
        }
        self.limited += u64::from(report.limit.is_some());
        match report.result {
            // We have answered ourselves.
            RequestResult::Answered if report.served_by.is_none() => {}
            RequestResult::Answered => {
                self.requests += 1;
                let in_place_of = report.in_place_of.as_ref();
                let is_skipped = in_place_of.is_some_and(|other| other.is_passed_over);
                self.skipped += u64::from(is_skipped);
                self.saved += u64::from(is_skipped || !report.failed_at.is_empty());
            }
            RequestResult::Failed | RequestResult::Broken => {
                self.requests += 1;
                self.failed += 1;
            }
            RequestResult::Rejected => self.rejected += 1,
            RequestResult::ClientGone => self.gone += 1,
        }
    }
}

/// How a request failed: as its last attempt did, or why there was none.
fn kind(report: &RequestReport) -> &'static str {
    if report.result == RequestResult::Broken {
        return Outcome::StreamBroken.label();
    }
    match report.failed_at.last() {
        Some(last) => last.outcome,
        None => report.cause().unwrap_or(OUT_OF_ROTATION),
    }
}
