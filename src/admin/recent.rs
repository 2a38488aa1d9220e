//! What has happened lately, kept in memory for the page: failovers, how each upstream failed last, the last reload.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::config::UpstreamId;
use crate::event::{AttemptReport, Event, RequestReport, RequestResult, Sink};
use crate::outcome::{Blame, Outcome};

/// How many failovers are kept.
const MOST: usize = 50;
/// Equal failovers within this time are one line with a count.
const TOGETHER: SignedDuration = SignedDuration::from_secs(60);

/// Remembers what has happened lately.
#[derive(Debug, Default)]
pub struct Recent {
    state: Mutex<State>,
    /// How many requests have ended: a new number means new figures.
    finished: AtomicU64,
    /// Changes when something happened that nobody should wait for.
    news: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    /// The newest first.
    failovers: VecDeque<Failover>,
    last_failures: HashMap<UpstreamId, LastFailure>,
    last_reload: Option<Reload>,
}

/// Requests that somebody else answered, or nobody.
#[derive(Clone, Debug)]
pub(super) struct Failover {
    /// When the first of them ended.
    pub(super) since: Timestamp,
    /// When the last of them ended.
    pub(super) until: Timestamp,
    pub(super) count: u64,
    pub(super) what: What,
}

/// What is equal in failovers that are told together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct What {
    /// Who should have answered.
    pub(super) from: Option<UpstreamId>,
    /// Who did.
    pub(super) to: Option<UpstreamId>,
    /// The label of an outcome, or of why it was not asked.
    pub(super) reason: Option<&'static str>,
    /// Whether `from` was not even asked.
    pub(super) is_skipped: bool,
    pub(super) route: Option<Arc<str>>,
    pub(super) result: RequestResult,
}

/// How an upstream failed last.
#[derive(Clone, Debug)]
pub(super) struct LastFailure {
    pub(super) at: Timestamp,
    pub(super) outcome: Outcome,
}

/// A reload, and what was wrong with the configuration.
#[derive(Clone, Debug)]
pub(super) struct Reload {
    pub(super) at: Timestamp,
    pub(super) problem: Option<String>,
}

impl Recent {
    /// The failovers, the newest first.
    pub(super) fn failovers(&self) -> Vec<Failover> {
        self.state().failovers.iter().cloned().collect()
    }

    pub(super) fn last_failure(&self, upstream: &UpstreamId) -> Option<LastFailure> {
        self.state().last_failures.get(upstream).cloned()
    }

    pub(super) fn last_reload(&self) -> Option<Reload> {
        self.state().last_reload.clone()
    }

    /// How many requests have ended.
    pub(super) fn finished(&self) -> u64 {
        self.finished.load(Ordering::Relaxed)
    }

    /// Changes when something happened that nobody should wait for.
    pub(super) fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attempt_finished(&self, report: &AttemptReport) {
        if report.outcome.blame() != Blame::Upstream {
            return;
        }
        let failure = LastFailure {
            at: Timestamp::now(),
            outcome: report.outcome.clone(),
        };
        let mut state = self.state();
        match state.last_failures.get_mut(&report.upstream) {
            Some(last) => *last = failure,
            None => {
                state.last_failures.insert(report.upstream.clone(), failure);
            }
        }
    }

    fn request_finished(&self, report: &RequestReport) {
        self.finished.fetch_add(1, Ordering::Relaxed);
        let has_failed = matches!(report.result, RequestResult::Failed | RequestResult::Broken);
        if report.in_place_of.is_none() && !has_failed {
            return;
        }
        let instead = report.in_place_of.as_ref();
        let failed = report.failed_by.first();
        self.note(What {
            from: instead.map(|it| &it.upstream).or(failed).cloned(),
            to: report.served_by.clone(),
            reason: instead.map(|it| it.reason),
            is_skipped: instead.is_some_and(|it| it.is_passed_over),
            route: report.route.clone(),
            result: report.result,
        });
    }

    fn note(&self, what: What) {
        let now = Timestamp::now();
        let mut state = self.state();
        let is_same = |known: &Failover| known.what == what && known.until + TOGETHER > now;
        let place = state.failovers.iter().position(is_same);
        if let Some(mut same) = place.and_then(|place| state.failovers.remove(place)) {
            same.until = now;
            same.count += 1;
            state.failovers.push_front(same);
            return;
        }
        state.failovers.truncate(MOST - 1);
        state.failovers.push_front(Failover {
            since: now,
            until: now,
            count: 1,
            what,
        });
    }

    fn reloaded(&self, problem: Option<String>) {
        self.state().last_reload = Some(Reload {
            at: Timestamp::now(),
            problem,
        });
    }
}

impl Sink for Recent {
    fn record(&self, event: &Event) {
        match event {
            Event::AttemptFinished { report, .. } => return self.attempt_finished(report),
            Event::RequestFinished(report) => return self.request_finished(report),
            Event::RequestStarted
            | Event::FailedOver { .. }
            | Event::Continued { .. }
            | Event::HealthChecked { .. }
            | Event::KeyRenewed { .. }
            | Event::ModelsChecked(_)
            | Event::Shared(_)
            | Event::Notified { .. } => return,
            Event::ConfigReloaded { .. } => self.reloaded(None),
            Event::ConfigRejected { reason } => self.reloaded(Some(reason.clone())),
            Event::HealthChanged(_) | Event::TakenOut { .. } | Event::PutBack { .. } => {}
        }
        self.news.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use super::{Recent, RequestResult, What};

    #[test]
    fn what_has_happened_last_comes_first_though_it_began_earlier() {
        let recent = Recent::default();
        let failover = |from: &str| What {
            from: Some(from.into()),
            to: None,
            reason: None,
            is_skipped: false,
            route: None,
            result: RequestResult::Failed,
        };
        for from in ["a", "b", "a"] {
            recent.note(failover(from));
        }
        let failovers = recent.failovers();
        let shown = failovers.iter().map(|it| (it.what.from.clone(), it.count));
        let expected = [(Some("a".into()), 2), (Some("b".into()), 1)];
        assert_eq!(shown.collect::<Vec<_>>(), expected);
    }
}
