//! One request of a simulation: what it knows of each upstream, as the plan of a real request does.

use std::time::Duration;

use backstop::failover::decide::{Choice, Door, Tried, pause};
use backstop::health::{AdmissionPreview, ModelHealth, Shape};
use backstop::outcome::Outcome;
use tokio::time::Instant;

/// The shape of all requests.
pub(crate) const SHAPE: Shape = Shape {
    is_streamed: true,
    size: 1000,
};
/// How long a request waits when nobody can answer, as by default.
pub(crate) const WAIT: Duration = Duration::from_secs(10);
/// After health has refused a request, it is not asked again sooner.
const SOON: Duration = Duration::from_millis(10);

/// What became of one request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) at: f64,
    /// Which replica it comes to.
    pub(crate) replica: usize,
    pub(crate) model: usize,
    /// The upstream that it was sent to first, if health admitted it there.
    pub(crate) first: Option<usize>,
    pub(crate) served_by: Option<usize>,
    pub(crate) took: f64,
    pub(crate) is_bad: bool,
    /// Whether the client has given up.
    pub(crate) is_given_up: bool,
    pub(crate) calls: usize,
    pub(crate) is_done: bool,
    /// The attempts that are still in flight.
    pub(crate) in_flight: Vec<usize>,
    pub(crate) last_start: Instant,
    pub(crate) last_took: Duration,
    pub(crate) line: Line,
    pub(crate) has_turn: bool,
    /// Whether it waits for the end of a cooldown, or behind those who do.
    pub(crate) waits_at_door: bool,
    /// Whether it has its turn in place of a request that came later.
    pub(crate) is_let_through: bool,
    /// Until when it may wait, since it waits.
    pub(crate) waits_until: Option<f64>,
    entries: Vec<Entry>,
    repeats: u32,
}

/// Where a request stands in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It does not wait.
    Out,
    /// It waits for the first upstream to open, or for its turn.
    In,
}

#[derive(Clone, Debug)]
struct Entry {
    tried: Tried,
    calls: u32,
    refused_until: Option<Instant>,
}

impl Request {
    pub(crate) fn new(
        (at, replica): (f64, usize),
        model: usize,
        upstreams: usize,
        now: Instant,
    ) -> Self {
        let entry = Entry {
            tried: Tried::Not,
            calls: 0,
            refused_until: None,
        };
        Self {
            at,
            replica,
            model,
            first: None,
            served_by: None,
            took: 0.0,
            is_bad: false,
            is_given_up: false,
            calls: 0,
            is_done: false,
            in_flight: Vec::new(),
            last_start: now,
            last_took: Duration::ZERO,
            line: Line::Out,
            has_turn: false,
            waits_at_door: false,
            is_let_through: false,
            waits_until: None,
            entries: vec![entry; upstreams],
            repeats: 0,
        }
    }

    /// The upstreams as they look to it now.
    pub(crate) fn choices<'a>(
        &self,
        healths: impl Iterator<Item = &'a ModelHealth>,
        now: Instant,
    ) -> Vec<Choice> {
        let choices = self.entries.iter().zip(healths);
        let choices = choices.map(|(entry, health)| Choice {
            tried: entry.tried,
            door: entry.door(health, now),
            odds: health.odds(now),
            needs: health.late_after(SHAPE),
            is_tried_elsewhere: health.is_tried_elsewhere(now),
        });
        choices.collect()
    }

    /// Health does not admit it.
    pub(crate) fn refused(&mut self, choice: usize, until: Instant, now: Instant) {
        self.entries[choice].refused_until = Some(until.max(now + SOON));
    }

    /// An attempt starts.
    pub(crate) fn started(
        &mut self,
        choice: usize,
        attempt: usize,
        is_admitted: bool,
        now: Instant,
    ) {
        if self.calls == 0 && is_admitted {
            self.first = Some(choice);
        }
        let entry = &mut self.entries[choice];
        self.repeats += u32::from(entry.calls > 0);
        entry.calls += 1;
        entry.tried = Tried::No;
        entry.refused_until = None;
        self.calls += 1;
        self.has_turn = false;
        self.last_start = now;
        self.in_flight.push(attempt);
    }

    /// An attempt has failed.
    pub(crate) fn failed(&mut self, choice: usize, outcome: &Outcome, now: Instant) {
        let entry = &mut self.entries[choice];
        entry.tried = if outcome.may_pass() {
            Tried::Again {
                calls: entry.calls,
                not_before: now + pause(self.repeats, fastrand::f32()),
                is_unread: outcome.is_unread(),
            }
        } else {
            Tried::No
        };
    }
}

impl Entry {
    fn door(&self, health: &ModelHealth, now: Instant) -> Door {
        if self.refused_until.is_some_and(|until| until > now) {
            let out_for = health.out_for(now);
            let is_fresh = out_for.is_none_or(|out_for| out_for < WAIT);
            return Door::Out { is_fresh };
        }
        match health.preview(0, now) {
            AdmissionPreview::Admitted
            | AdmissionPreview::SlowStart { .. }
            | AdmissionPreview::HalfOpenProbe => Door::Open,
            AdmissionPreview::Out { out_for, .. } => Door::Out {
                is_fresh: out_for < WAIT,
            },
            AdmissionPreview::CoolingDown { ends_in, .. } => Door::CoolingDown {
                until: now + ends_in,
            },
            AdmissionPreview::TakenOut { .. } => Door::Shut,
        }
    }
}
