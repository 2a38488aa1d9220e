//! The history: what clients had, how each upstream and model did, and when something was out, for 90 days.
//!
//! ```text
//! event ─▶ recorder (the minute that runs) ─▶ ledger ─▶ file, or rows in memory
//!                                             keeper: the thread of the ledger; it answers questions, too
//! ```
//!
//! *Invariant:* what the data path does here is to count under a short lock. Disks are waited for by the keeper alone, and
//! whatever happens to the file, requests are served.

mod clients;
mod clock;
mod counts;
mod durations;
mod file;
mod incidents;
mod keeper;
mod ledger;
mod recorder;
mod rows;
mod subject;
mod varint;
mod windows;

use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;

pub use counts::{Counts, Failures, Time};
pub use durations::{Durations, Quantiles};
pub use incidents::{Damage, Incident};
pub use keeper::Unanswered;
pub use windows::{Availability, OfUpstream, Points, Series, Span, WINDOWS, Windows};

use self::clock::{Clock, Millis};
use self::keeper::{Keeper, Shared};
use self::ledger::Ledger;
use self::recorder::Recorder;
use crate::config::UpstreamId;
use crate::event::{Event, ScopeId, Sink};

/// Keeps the history.
#[derive(Debug)]
pub struct History {
    shared: Arc<Shared>,
    keeper: Keeper,
}

impl History {
    /// Keeps it in a folder, over restarts; or in memory only.
    pub fn start(folder: Option<&Path>) -> Self {
        let shared = Arc::new(Shared::new(Clock::new()));
        let keeper = Keeper::start(folder.map(Path::to_owned), Arc::clone(&shared));
        Self { shared, keeper }
    }

    /// These are the upstreams and models of the configuration from now on, in this order.
    pub fn adopt(&self, upstreams: &[UpstreamId], models: &[ScopeId]) {
        let now = self.now();
        let mut recorder = self.shared.recorder();
        recorder.adopt(upstreams, models);
        recorder.incidents.adopt(upstreams, models, now);
    }

    /// These are the clients of the configuration from now on, in this order.
    pub fn adopt_clients(&self, names: &[Arc<str>]) {
        self.shared.recorder().adopt_clients(names);
    }

    /// Time has passed; `out` are the scopes that are out of rotation now, with their causes. It is to be called every few
    /// seconds.
    pub fn tick(&self, now: Instant, out: &[(ScopeId, &'static str)], is_network_lost: bool) {
        let has_jumped = self.shared.clock.follow();
        let now = self.shared.clock.at(now);
        let mut recorder = self.shared.recorder();
        recorder.pass(now, has_jumped);
        recorder.set_out(|scope| out.iter().any(|(other, _)| other == scope));
        recorder.incidents.compare(out, is_network_lost, now);
        drop(recorder);
        self.keeper.wake();
    }

    /// The figures of everybody.
    ///
    /// # Errors
    /// The file is not read in time, or too many ask for it.
    pub async fn availability(&self) -> Result<Availability, Unanswered> {
        let now = self.now();
        let (listed, clients) = {
            let recorder = self.shared.recorder();
            (recorder.listed(), recorder.by_client.listed())
        };
        let question = move |ledger: &mut Ledger| ledger.availability(now, &listed, &clients);
        self.keeper.ask(question).await
    }

    /// The steps of a span.
    ///
    /// # Errors
    /// The file is not read in time, or too many ask for it.
    pub async fn series(&self, span: Span) -> Result<Series, Unanswered> {
        let (now, listed) = (self.now(), self.shared.recorder().listed());
        let question = move |ledger: &mut Ledger| ledger.series(span, now, &listed);
        self.keeper.ask(question).await
    }

    /// The incidents that lasted at this time or later, the newest first.
    ///
    /// # Errors
    /// The file is not read in time, or too many ask for it.
    pub async fn incidents(&self, since: u64) -> Result<Vec<Incident>, Unanswered> {
        let question = move |ledger: &mut Ledger| ledger.incidents(since);
        self.keeper.ask(question).await
    }

    /// Now, in milliseconds since 1970.
    pub fn now(&self) -> u64 {
        self.shared.clock.at(Instant::now())
    }
}

impl Sink for History {
    fn record(&self, event: &Event) {
        match event {
            Event::AttemptFinished { report, .. } => {
                self.note(|recorder, now| recorder.attempt(report, now));
            }
            Event::RequestFinished(report) => {
                self.note(|recorder, now| recorder.request(report, now));
            }
            Event::HealthChanged(change) => {
                self.note(|recorder, now| recorder.health_changed(change, now));
            }
            Event::RequestStarted
            | Event::FailedOver { .. }
            | Event::Continued { .. }
            | Event::HealthChecked { .. }
            | Event::TakenOut { .. }
            | Event::Shared(_)
            | Event::Notified { .. }
            | Event::PutBack { .. }
            | Event::KeyRenewed { .. }
            | Event::ModelsChecked(_)
            | Event::ConfigReloaded { .. }
            | Event::ConfigRejected { .. } => {}
        }
    }
}

impl History {
    fn note(&self, note: impl FnOnce(&mut Recorder, Millis)) {
        let now = self.now();
        let mut recorder = self.shared.recorder();
        let has_ended = recorder.advance(now);
        note(&mut recorder, now);
        drop(recorder);
        if has_ended {
            self.keeper.wake();
        }
    }
}

#[cfg(test)]
mod tests;
