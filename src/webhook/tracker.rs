//! What is well and what is not: from events to news, one for each outage and not one for each trial.
//!
//! What happens within a moment is told together. What goes out again soon after it was back is told once more, and then
//! only when it has been back for a while.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::news::{AccountKey, Change, News, Subject};
use crate::config::UpstreamId;
use crate::event::{AttemptReport, HealthChange, ScopeId};
use crate::outcome::{Attention, Outcome};

/// For so long news are gathered, once there are some.
const GATHER: Duration = Duration::from_secs(1);
/// What has been well for so long is over for good.
const STEADY: Duration = Duration::from_secs(600);
/// So many failed requests of a route, in this time, are an outage for its clients. SDKs ask three times.
const FAILURES: usize = 3;
const FAILURES_WITHIN: Duration = Duration::from_secs(60);

/// What is known, and what has not been told yet.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    outages: HashMap<Subject, Outage>,
    failures: HashMap<Arc<str>, Failures>,
    /// How attempts at an upstream failed for the last time: it says more than the kind of failures.
    last_outcomes: HashMap<UpstreamId, (&'static str, Instant)>,
    news: Vec<News>,
    gathered_since: Option<Instant>,
}

/// What is not well, or was not a while ago.
#[derive(Debug)]
struct Outage {
    cause: String,
    attention: Option<Attention>,
    is_out: bool,
    /// When it went out or came back for the last time.
    changed_at: Instant,
    first: Timestamp,
    times: u32,
    /// Whether it goes out and comes back too often to be told each time.
    is_flapping: bool,
    /// Whether its end is told.
    is_told: bool,
}

/// What is wrong, when it begins.
struct Trouble {
    cause: String,
    attention: Option<Attention>,
    is_told: bool,
}

impl Trouble {
    fn new(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            attention: None,
            is_told: true,
        }
    }
}

/// Failed requests of a route.
#[derive(Debug)]
struct Failures {
    recent: VecDeque<Instant>,
    count: u64,
    has_answers_since: bool,
}

impl Tracker {
    pub(super) fn health_changed(&mut self, change: &HealthChange, now: Instant) {
        match change {
            HealthChange::Opened { scope, cause, .. } => {
                let is_told = !self.is_covered(scope);
                let trouble = Trouble {
                    is_told,
                    ..Trouble::new(self.cause(&scope.upstream, cause, now))
                };
                self.begin(Subject::Scope(scope.clone()), trouble, now);
                if scope.model.is_none() {
                    self.cover(&scope.upstream);
                }
            }
            HealthChange::Healed { scope, .. } => self.end(&Subject::Scope(scope.clone()), now),
            HealthChange::NetworkLost => {
                self.begin(Subject::Network, Trouble::new("network_lost"), now);
            }
            HealthChange::NetworkBack => self.end(&Subject::Network, now),
        }
    }

    /// Ends outages that are over, and forgets those of what is not named any more. What is newer than what was seen stays.
    pub(super) fn compare(
        &mut self,
        scopes: &HashMap<&ScopeId, bool>,
        seen_at: Instant,
        now: Instant,
    ) {
        let mut over = Vec::new();
        self.outages.retain(|subject, outage| {
            let Subject::Scope(scope) = subject else {
                return true;
            };
            let is_older = outage.changed_at < seen_at;
            let is_out = scopes.get(scope).copied();
            if is_older && outage.is_out && is_out == Some(false) {
                over.push(subject.clone());
            }
            !is_older || is_out.is_some()
        });
        for subject in over {
            self.end(&subject, now);
        }
    }

    fn cause(&self, upstream: &UpstreamId, cause: &'static str, now: Instant) -> &'static str {
        let last = self.last_outcomes.get(upstream);
        let is_recent = |at: Instant| now.saturating_duration_since(at) < FAILURES_WITHIN;
        match last {
            Some((outcome, at)) if is_recent(*at) => outcome,
            Some(_) | None => cause,
        }
    }

    /// Whether the upstream of a model is out as a whole: then its models are not told of.
    fn is_covered(&self, scope: &ScopeId) -> bool {
        let whole = Subject::Scope(ScopeId {
            upstream: scope.upstream.clone(),
            model: None,
        });
        scope.model.is_some() && self.outages.get(&whole).is_some_and(|outage| outage.is_out)
    }

    /// The upstream as a whole is out: that its models come back is not told.
    fn cover(&mut self, upstream: &UpstreamId) {
        for (subject, outage) in &mut self.outages {
            if let Subject::Scope(scope) = subject
                && scope.upstream == *upstream
                && scope.model.is_some()
            {
                outage.is_told = false;
            }
        }
    }

    /// What an attempt says about an upstream, its keys and its account.
    pub(super) fn attempted(&mut self, report: &AttemptReport, now: Instant) {
        if report.outcome.hurts_health() {
            let last = (report.outcome.label(), now);
            self.last_outcomes.insert(report.upstream.clone(), last);
        }
        let account = |model: Option<&Arc<str>>| {
            Subject::AccountKey(AccountKey {
                upstream: report.upstream.clone(),
                key: report.key,
                model: model.cloned(),
            })
        };
        if report.outcome == Outcome::Success {
            self.end(&account(None), now);
            self.end(&account(report.scope_model.as_ref()), now);
        }
        if let Some((attention, model)) = report.attention() {
            let trouble = Trouble {
                attention: Some(attention),
                ..Trouble::new(report.outcome.label())
            };
            self.begin(account(model), trouble, now);
        }
    }

    /// A request of a client has failed by these upstreams; by none: what kept everybody from being asked, if that is known.
    pub(super) fn failed(
        &mut self,
        route: &Arc<str>,
        by: &[UpstreamId],
        kept_by: Option<&str>,
        now: Instant,
    ) {
        let failures = self.failures.entry(Arc::clone(route)).or_insert(Failures {
            recent: VecDeque::new(),
            count: 0,
            has_answers_since: false,
        });
        failures.count += 1;
        failures.has_answers_since = false;
        failures.recent.push_back(now);
        if failures.recent.len() > FAILURES {
            failures.recent.pop_front();
        }
        let first = failures.recent.front().copied().unwrap_or(now);
        let is_many = failures.recent.len() == FAILURES
            && now.saturating_duration_since(first) < FAILURES_WITHIN;
        if is_many {
            let mut names: Vec<&str> = by.iter().map(AsRef::as_ref).collect();
            names.sort_unstable();
            let cause = match (names.as_slice(), kept_by) {
                ([], None) => "nobody could be asked".to_owned(),
                ([], Some(cause)) => format!("nobody could be asked: {cause}"),
                (names, _) => format!("failed by {}", names.join(", ")),
            };
            self.begin(
                Subject::Clients(Arc::clone(route)),
                Trouble::new(cause),
                now,
            );
        }
    }

    /// A request of a client was answered in full.
    pub(super) fn answered(&mut self, route: &Arc<str>) {
        if let Some(failures) = self.failures.get_mut(route) {
            failures.has_answers_since = true;
        }
    }

    /// Whether answers, successes included, are of interest now.
    pub(super) fn is_anything_wrong(&self) -> bool {
        !self.failures.is_empty() || !self.outages.is_empty()
    }

    /// The news that are due now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<News> {
        self.settle_clients(now);
        self.settle(now);
        let is_due = |since: Instant| now.saturating_duration_since(since) >= GATHER;
        if !self.gathered_since.is_some_and(is_due) {
            return Vec::new();
        }
        self.gathered_since = None;
        mem::take(&mut self.news)
    }

    fn settle_clients(&mut self, now: Instant) {
        let is_quiet = |failures: &Failures| {
            let last = failures.recent.back().copied().unwrap_or(now);
            now.saturating_duration_since(last) >= FAILURES_WITHIN
        };
        let quiet: Vec<Subject> = self
            .failures
            .iter()
            .filter(|(_, failures)| is_quiet(failures))
            .map(|(route, _)| Subject::Clients(Arc::clone(route)))
            .filter(|subject| match subject {
                Subject::Clients(route) => {
                    let is_out = self
                        .outages
                        .get(subject)
                        .is_some_and(|outage| outage.is_out);
                    let failures = self.failures.get(route);
                    !is_out || failures.is_some_and(|failures| failures.has_answers_since)
                }
                Subject::Scope(_) | Subject::Network | Subject::AccountKey(_) => false,
            })
            .collect();
        for subject in quiet {
            self.end(&subject, now);
            if let Subject::Clients(route) = subject {
                self.failures.remove(&route);
            }
        }
    }

    /// What has been back for a while is over; if it went out and came back too often, that is told now.
    fn settle(&mut self, now: Instant) {
        let steady: Vec<Subject> = self
            .outages
            .iter()
            .filter(|(_, outage)| {
                !outage.is_out && now.saturating_duration_since(outage.changed_at) >= STEADY
            })
            .map(|(subject, _)| subject.clone())
            .collect();
        for subject in steady {
            if let Some(outage) = self.outages.remove(&subject)
                && outage.is_flapping
            {
                self.tell(&subject, &outage, Change::Steady, now);
            }
        }
    }

    fn begin(&mut self, subject: Subject, trouble: Trouble, now: Instant) {
        let Trouble {
            cause,
            attention,
            is_told,
        } = trouble;
        let before = self.outages.remove(&subject);
        let (outage, change) = match before {
            Some(outage) if outage.is_out => (outage, None),
            Some(mut outage) => {
                outage.is_out = true;
                outage.changed_at = now;
                outage.times += 1;
                outage.cause = cause;
                outage.attention = attention;
                let is_new = !mem::replace(&mut outage.is_flapping, outage.is_told);
                (outage, is_new.then_some(Change::Again))
            }
            None => {
                let outage = Outage {
                    cause,
                    attention,
                    is_out: true,
                    changed_at: now,
                    first: Timestamp::now(),
                    times: 1,
                    is_flapping: false,
                    is_told,
                };
                (outage, Some(Change::Began))
            }
        };
        if let Some(change) = change.filter(|_| outage.is_told) {
            self.tell(&subject, &outage, change, now);
        }
        self.outages.insert(subject, outage);
    }

    fn end(&mut self, subject: &Subject, now: Instant) {
        let Some(mut outage) = self.outages.remove(subject) else {
            return;
        };
        if mem::take(&mut outage.is_out) {
            let lasted = now.saturating_duration_since(outage.changed_at);
            outage.changed_at = now;
            if outage.is_told && !outage.is_flapping {
                self.tell(subject, &outage, Change::Over(lasted), now);
            }
        }
        if outage.is_told {
            self.outages.insert(subject.clone(), outage);
        }
    }

    fn tell(&mut self, subject: &Subject, outage: &Outage, change: Change, now: Instant) {
        let lasted = match change {
            Change::Over(lasted) => Some(lasted),
            Change::Began | Change::Again | Change::Steady => None,
        };
        let requests = match subject {
            Subject::Clients(route) => self
                .failures
                .get(route)
                .map_or(0, |failures| failures.count),
            Subject::Scope(_) | Subject::Network | Subject::AccountKey(_) => 0,
        };
        self.gathered_since.get_or_insert(now);
        self.news.push(News {
            subject: subject.clone(),
            change,
            cause: outage.cause.clone(),
            attention: outage.attention,
            at: Timestamp::now(),
            since: outage.first,
            lasted,
            times: outage.times,
            requests,
        });
    }
}

#[cfg(test)]
mod tests;
