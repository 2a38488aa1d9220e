//! The incidents that last, and those that ended so recently that they may go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::incident::{Damage, Incident};
use super::streak::Streak;
use crate::config::UpstreamId;
use crate::event::{AttemptReport, HealthChange, RequestReport, RequestResult, ScopeId};
use crate::history::clock::Millis;
use crate::outcome::{Blame, Outcome};

/// A relapse within this time, in milliseconds, is the same incident.
const RELAPSE: Millis = 5 * 60_000;
/// The same after a restart.
const AFTER_RESTART: Millis = 10 * 60_000;
/// Incidents of upstreams that were noticed within this time before our own network was lost were due to it. Health puts
/// those upstreams back.
const NETWORK: Millis = 10_000;
/// What health says may be older than an incident by so much.
const MOMENT: Millis = 1000;
/// The cause of incidents of our own network.
const NETWORK_CAUSE: &str = "network";

/// What is going on.
#[derive(Debug, Default)]
pub(in crate::history) struct Incidents {
    live: Vec<Live>,
    streaks: Vec<Streak>,
    /// Changes that the ledger does not know yet, by id; `None`: it belongs to another one.
    changed: BTreeMap<u64, Option<Incident>>,
    last_id: u64,
}

#[derive(Debug)]
struct Live {
    incident: Incident,
    /// Until when it may go on once it has ended.
    until: Millis,
}

impl Live {
    fn is_open(&self) -> bool {
        self.incident.ended_at.is_none()
    }

    /// Whether it is open, or may go on.
    fn lasts(&self, now: Millis) -> bool {
        self.is_open() || now < self.until
    }
}

impl Incidents {
    /// An attempt has ended.
    pub(in crate::history) fn attempt(&mut self, report: &AttemptReport, now: Millis) {
        let is_quiet = self.streaks.is_empty() && self.live.is_empty();
        match report.outcome.blame() {
            Blame::Upstream => self.failed(report, now),
            Blame::Nobody if !is_quiet && report.outcome == Outcome::Success => {
                self.streaks
                    .retain_mut(|streak| !is_at(&streak.scope, report) || !streak.succeeded());
            }
            Blame::Nobody | Blame::Client => {}
        }
    }

    fn failed(&mut self, report: &AttemptReport, now: Millis) {
        let words = report.detail.as_deref();
        let whole = ScopeId {
            upstream: report.upstream.clone(),
            model: None,
        };
        let model = report.scope_model.clone().map(|model| ScopeId {
            model: Some(model),
            ..whole.clone()
        });
        for scope in std::iter::once(whole).chain(model) {
            if let Some(incident) = self.blamed_for(&scope) {
                incident.damage.failed(words);
                incident.last_sign = now;
                if incident.upstream.is_some() && incident.model.is_none() {
                    return;
                }
                continue;
            }
            let cause = report.outcome.label();
            self.streak(scope, now).failed(cause, words, now);
        }
    }

    /// A request has ended.
    pub(in crate::history) fn request(&mut self, report: &RequestReport, now: Millis) {
        if report.in_place_of.is_none() && report.failed_by.is_empty() {
            return;
        }
        match report.result {
            RequestResult::Answered => {
                if let Some(other) = &report.in_place_of {
                    let at = [(&other.upstream, &None), (&other.upstream, &other.model)];
                    self.hit(&at, |damage| damage.moved += 1, now);
                }
            }
            RequestResult::Failed | RequestResult::Broken => {
                let wholes = report.failed_by.iter().map(|upstream| (upstream, &None));
                let failed_at = report.failed_at.iter();
                let models = failed_at.map(|at| &at.scope).chain(&report.out_at);
                let models = models.map(|scope| (&scope.upstream, &scope.model));
                let at: Vec<_> = wholes.chain(models).collect();
                self.hit(&at, |damage| damage.noticed += 1, now);
            }
            RequestResult::Rejected | RequestResult::ClientGone => {}
        }
    }

    /// A request was hit by what goes on at these places and by what may begin there; if that is nothing, by what has just
    /// ended and still lets few requests through.
    fn hit(
        &mut self,
        places: &[(&UpstreamId, &Option<Arc<str>>)],
        hit: fn(&mut Damage),
        now: Millis,
    ) {
        let is_at = |incident: &Incident| {
            let mut places = places.iter();
            incident.upstream.is_none()
                || places.any(|(upstream, model)| incident.is_at(upstream, model.as_deref()))
        };
        let may_begin = |scope: &ScopeId| places.contains(&(&scope.upstream, &scope.model));
        let open = self.live.iter_mut().filter(|live| live.is_open());
        let open = open.filter(|live| is_at(&live.incident));
        let streaks = self.streaks.iter_mut();
        let streaks = streaks.filter(|streak| may_begin(&streak.scope));
        let open = open.map(|live| &mut live.incident.damage);
        let now_or_soon = open.chain(streaks.map(|streak| &mut streak.damage));
        if now_or_soon.map(hit).count() > 0 {
            return;
        }
        let ended = self.live.iter_mut().filter(|live| live.lasts(now));
        let ended = ended.filter(|live| is_at(&live.incident));
        ended.for_each(|live| hit(&mut live.incident.damage));
    }

    pub(in crate::history) fn health_changed(&mut self, change: &HealthChange, now: Millis) {
        match change {
            HealthChange::Opened { scope, cause, .. } => self.opened(scope, cause, now),
            HealthChange::Healed { scope, .. } => {
                self.end(now, |incident| incident.is_about(scope));
            }
            HealthChange::NetworkLost => self.network_lost(now),
            HealthChange::NetworkBack => self.end(now, |incident| incident.upstream.is_none()),
        }
    }

    /// What health believes now: `out` are the scopes out of rotation with their causes. Not every change of it is an event.
    pub(in crate::history) fn compare(
        &mut self,
        out: &[(ScopeId, &'static str)],
        is_network_lost: bool,
        now: Millis,
    ) {
        for Live { incident, .. } in self.live.extract_if(.., |live| !live.lasts(now)) {
            self.changed.insert(incident.id, Some(incident));
        }
        let is_out = |incident: &Incident| match &incident.upstream {
            None => is_network_lost,
            Some(_) => out.iter().any(|(scope, _)| incident.is_about(scope)),
        };
        for live in self.live.iter_mut().filter(|live| live.is_open()) {
            if is_out(&live.incident) {
                live.incident.last_sign = now;
            }
        }
        self.end(now, |incident| {
            incident.id + MOMENT < now && !is_out(incident)
        });
        for (scope, cause) in out {
            self.opened(scope, cause, now);
        }
    }

    /// Whether it is a model that has not failed since the outage of its upstream ended, and will soon be tried again.
    fn is_left_behind(&self, scope: &ScopeId, now: Millis) -> bool {
        let has_failed = self.streaks.iter().any(|streak| streak.scope == *scope);
        let mut lasting = self.live.iter().filter(|live| live.lasts(now));
        let of_upstream =
            lasting.any(|live| live.incident.covers(scope) && live.incident.model.is_none());
        scope.model.is_some() && !has_failed && of_upstream
    }

    fn opened(&mut self, scope: &ScopeId, cause: &str, now: Millis) {
        let mut open = self.live.iter().filter(|live| live.is_open());
        let is_known = open.any(|live| live.incident.covers(scope));
        if is_known || self.is_left_behind(scope, now) {
            return;
        }
        let place = match self.reopened(now, |incident| incident.is_about(scope)) {
            Some(place) => {
                // What failed before it was known that it goes on.
                let known = self
                    .streaks
                    .iter()
                    .position(|streak| streak.scope == *scope);
                let streak = known.map(|known| self.streaks.swap_remove(known));
                let more = streak.map(|streak| streak.damage).unwrap_or_default();
                self.live[place].incident.damage.add(more);
                place
            }
            None => self.begin(Some(scope), cause, now),
        };
        if scope.model.is_none() {
            self.streaks
                .retain(|streak| streak.scope.upstream != scope.upstream);
            self.absorb(place, |incident, _| {
                incident.model.is_some() && incident.is_of(&scope.upstream)
            });
        }
    }

    fn network_lost(&mut self, now: Millis) {
        let place = self.reopened(now, |incident| incident.upstream.is_none());
        let place = place.unwrap_or_else(|| self.begin(None, NETWORK_CAUSE, now));
        self.absorb(place, |incident, is_open| {
            is_open && incident.id + NETWORK >= now && incident.upstream.is_some()
        });
    }

    /// The incident that goes on.
    fn reopened(&mut self, now: Millis, is_it: impl Fn(&Incident) -> bool) -> Option<usize> {
        let mut live = self.live.iter();
        let place = live.position(|live| is_it(&live.incident) && live.lasts(now))?;
        let incident = &mut self.live[place].incident;
        incident.ended_at = None;
        incident.last_sign = now;
        Some(place)
    }

    fn begin(&mut self, scope: Option<&ScopeId>, cause: &str, now: Millis) -> usize {
        self.last_id = now.max(self.last_id + 1);
        let streak = self
            .streaks
            .iter()
            .position(|streak| Some(&streak.scope) == scope);
        let streak = streak.map(|place| self.streaks.swap_remove(place));
        let started_at = streak.as_ref().map_or(now, |streak| streak.since.min(now));
        // The kind of failure says more than health's word for all kinds.
        let cause = streak.as_ref().and_then(|it| it.cause).unwrap_or(cause);
        let damage = streak.map(|streak| streak.damage).unwrap_or_default();
        let incident = Incident {
            id: self.last_id,
            upstream: scope.map(|scope| scope.upstream.to_string()),
            model: scope.and_then(|scope| scope.model.as_deref().map(str::to_owned)),
            cause: cause.to_owned(),
            started_at,
            ended_at: None,
            last_sign: now,
            damage,
        };
        self.live.push(Live { incident, until: 0 });
        self.live.len() - 1
    }

    /// Others turn out to belong to an incident. What failed there may have been counted here, too.
    fn absorb(&mut self, place: usize, belongs: impl Fn(&Incident, bool) -> bool) {
        let id = self.live[place].incident.id;
        let (absorbed, kept): (Vec<Live>, Vec<Live>) = std::mem::take(&mut self.live)
            .into_iter()
            .partition(|live| live.incident.id != id && belongs(&live.incident, live.is_open()));
        self.live = kept;
        let Some(live) = self.live.iter_mut().find(|live| live.incident.id == id) else {
            return;
        };
        let incident = &mut live.incident;
        let mut sum = Damage::default();
        for Live {
            incident: other, ..
        } in absorbed
        {
            sum.add(other.damage);
            incident.started_at = incident.started_at.min(other.started_at);
            self.changed.insert(other.id, None);
        }
        let damage = &mut incident.damage;
        damage.requests = damage.requests.max(sum.requests);
        damage.moved = damage.moved.max(sum.moved);
        damage.noticed = damage.noticed.max(sum.noticed);
        damage.words = damage.words.take().or(sum.words);
    }

    fn end(&mut self, now: Millis, is_it: impl Fn(&Incident) -> bool) {
        for live in &mut self.live {
            if live.is_open() && is_it(&live.incident) {
                live.incident.end(now);
                live.until = now + RELAPSE;
            }
        }
    }

    /// These upstreams and models are left.
    pub(in crate::history) fn adopt(
        &mut self,
        upstreams: &[UpstreamId],
        models: &[ScopeId],
        now: Millis,
    ) {
        let is_there = |upstream: &str, model: Option<&str>| match model {
            None => upstreams.iter().any(|id| id.as_ref() == upstream),
            Some(_) => models.iter().any(|scope| {
                scope.upstream.as_ref() == upstream && scope.model.as_deref() == model
            }),
        };
        self.streaks.retain(|Streak { scope, .. }| {
            is_there(scope.upstream.as_ref(), scope.model.as_deref())
        });
        self.end(now, |incident| {
            let upstream = incident.upstream.as_deref();
            upstream.is_some_and(|upstream| !is_there(upstream, incident.model.as_deref()))
        });
    }

    /// Those of the process before, besides our own. What had not ended then has ended with its last sign, unless it goes on soon.
    pub(in crate::history) fn resume(&mut self, kept: Vec<Incident>, now: Millis) {
        for mut incident in kept {
            if self.live.iter().any(|ours| ours.incident.id == incident.id) {
                continue;
            }
            self.last_id = self.last_id.max(incident.id);
            let ended_at = incident.ended_at.unwrap_or(incident.last_sign);
            if incident.ended_at.is_none() {
                incident.end(ended_at);
                self.changed.insert(incident.id, Some(incident.clone()));
            } else if ended_at + RELAPSE < now {
                continue;
            }
            let until = now + AFTER_RESTART;
            self.live.push(Live { incident, until });
        }
    }

    /// What has changed since the last time: by id, `None` for what belongs to another one now.
    pub(in crate::history) fn take(&mut self) -> BTreeMap<u64, Option<Incident>> {
        for Live { incident, .. } in &self.live {
            self.changed.insert(incident.id, Some(incident.clone()));
        }
        std::mem::take(&mut self.changed)
    }

    /// The incident to which a failure at a scope belongs. After its end, a failure may be the beginning of another one.
    fn blamed_for(&mut self, scope: &ScopeId) -> Option<&mut Incident> {
        let open = self.live.iter_mut().filter(|live| live.is_open());
        let mut open = open.map(|live| &mut live.incident);
        open.find(|incident| {
            incident.is_about(scope) || incident.upstream.is_none() && scope.model.is_none()
        })
    }

    fn streak(&mut self, scope: ScopeId, now: Millis) -> &mut Streak {
        let known = self.streaks.iter().position(|streak| streak.scope == scope);
        let place = known.unwrap_or_else(|| {
            self.streaks.push(Streak::begin(scope, now));
            self.streaks.len() - 1
        });
        &mut self.streaks[place]
    }
}

fn is_at(scope: &ScopeId, report: &AttemptReport) -> bool {
    scope.upstream == report.upstream
        && (scope.model.is_none() || scope.model == report.scope_model)
}
