//! Events turned into messages to people: what goes out of rotation, what clients notice, what somebody has to see to.
//!
//! ```text
//! events ─▶ tracker: what is well, what is not ─▶ news, gathered for a second ─▶ one queue for each webhook ─▶ POST
//! ```
//!
//! *Invariant:* nothing here is waited for. What a receiver does not take is tried again a few times, then lost and counted.

mod message;
mod news;
mod target;
mod tracker;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::news::News;
use self::target::Target;
use self::tracker::Tracker;
use crate::config::{Config, NotifyConfig};
use crate::event::{Event, Events, RequestReport, RequestResult, ScopeId, Sink};
use crate::outcome::Outcome;
use crate::wire::tls::TlsError;

/// How often to look for news.
const LOOK: Duration = Duration::from_millis(500);

/// Takes note of what is told to webhooks.
#[derive(Debug)]
pub struct Notifier {
    tracker: Mutex<Tracker>,
    /// Whether there is anybody to tell.
    is_on: AtomicBool,
    /// Whether answers are of interest: they may be the end of something.
    is_anything_wrong: AtomicBool,
    hooks: watch::Sender<Hooks>,
}

/// The webhooks, and what they were made from.
#[derive(Clone, Debug, Default)]
struct Hooks {
    config: Vec<NotifyConfig>,
    targets: Vec<Arc<Target>>,
}

impl Default for Notifier {
    fn default() -> Self {
        Self {
            tracker: Mutex::default(),
            is_on: AtomicBool::new(false),
            is_anything_wrong: AtomicBool::new(false),
            hooks: watch::Sender::new(Hooks::default()),
        }
    }
}

impl Notifier {
    /// Tells those whom this configuration names from now on; what is known of outages stays. Fails if the platform's
    /// certificates cannot be read, and then changes nothing.
    pub fn follow(&self, config: &Config) -> Result<(), TlsError> {
        if self.hooks.borrow().config == config.notify {
            return Ok(());
        }
        let targets = Target::all(config)?;
        self.is_on.store(!targets.is_empty(), Ordering::Relaxed);
        self.hooks.send_replace(Hooks {
            config: config.notify.clone(),
            targets,
        });
        Ok(())
    }

    /// Sends messages for as long as it is polled. How that goes is reported as events.
    pub async fn run(self: Arc<Self>, events: Events) {
        let mut hooks = self.hooks.subscribe();
        let mut sending = JoinSet::new();
        let mut queues = Vec::new();
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        hooks.mark_changed();
        loop {
            tokio::select! {
                changed = hooks.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // Those that are named no more send what they have, and end.
                    let targets = hooks.borrow_and_update().targets.clone();
                    queues = open(targets, &mut sending, &events);
                }
                _ = ticks.tick(), if !queues.is_empty() => {
                    let news = self.due();
                    for (target, queue) in &queues {
                        target.offer(&news, queue, &events);
                    }
                    while sending.try_join_next().is_some() {}
                }
            }
        }
    }

    /// What health believed at a moment: each scope, and whether it is out of rotation. Not every end of an outage is an event:
    /// an upstream that has got another key begins anew.
    pub fn compare(&self, scopes: &HashMap<&ScopeId, bool>, seen_at: Instant) {
        if self.is_anything_wrong.load(Ordering::Relaxed) {
            self.tracker().compare(scopes, seen_at, Instant::now());
        }
    }

    fn due(&self) -> Vec<News> {
        let mut tracker = self.tracker();
        let news = tracker.due(Instant::now());
        self.is_anything_wrong
            .store(tracker.is_anything_wrong(), Ordering::Relaxed);
        news
    }

    fn tracker(&self) -> MutexGuard<'_, Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, take: impl FnOnce(&mut Tracker, Instant)) {
        take(&mut self.tracker(), Instant::now());
        self.is_anything_wrong.store(true, Ordering::Relaxed);
    }

    fn finished(&self, report: &RequestReport) {
        let Some(route) = &report.route else {
            return;
        };
        match report.result {
            RequestResult::Failed | RequestResult::Broken => {
                let (by, kept_by) = (&report.failed_by, report.cause());
                self.note(|tracker, now| tracker.failed(route, by, kept_by, now));
            }
            RequestResult::Answered if self.is_anything_wrong.load(Ordering::Relaxed) => {
                self.tracker().answered(route);
            }
            RequestResult::Answered | RequestResult::Rejected | RequestResult::ClientGone => {}
        }
    }
}

impl Sink for Notifier {
    fn record(&self, event: &Event) {
        if !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        match event {
            Event::HealthChanged(change) => {
                self.note(|tracker, now| tracker.health_changed(change, now));
            }
            Event::AttemptFinished { report, .. } => {
                let may_end = report.outcome == Outcome::Success
                    && self.is_anything_wrong.load(Ordering::Relaxed);
                let is_bad = report.attention().is_some() || report.outcome.hurts_health();
                if may_end || is_bad {
                    self.note(|tracker, now| tracker.attempted(report, now));
                }
            }
            Event::RequestFinished(report) => self.finished(report),
            Event::RequestStarted
            | Event::FailedOver { .. }
            | Event::Continued { .. }
            | Event::HealthChecked { .. }
            | Event::KeyRenewed { .. }
            | Event::ModelsChecked(_)
            | Event::ConfigReloaded { .. }
            | Event::ConfigRejected { .. }
            | Event::Shared(_)
            | Event::Notified { .. }
            | Event::TakenOut { .. }
            | Event::PutBack { .. } => {}
        }
    }
}

/// A queue for each webhook, with somebody who serves it.
fn open(
    targets: Vec<Arc<Target>>,
    sending: &mut JoinSet<()>,
    events: &Events,
) -> Vec<(Arc<Target>, mpsc::Sender<News>)> {
    let one = |target: Arc<Target>| {
        let (queue, waiting) = Target::queue();
        sending.spawn(Arc::clone(&target).serve(waiting, events.clone()));
        (target, queue)
    };
    targets.into_iter().map(one).collect()
}
