//! What the history says: figures of spans that end now, and of the steps of a longer span.

use std::collections::HashMap;
use std::sync::Arc;

use super::clock::Millis;
use super::counts::Counts;
use super::ledger::Ledger;
use super::recorder::Recorder;
use super::rows::Tier;
use super::subject::Subject;
use crate::config::UpstreamId;

/// The spans for which there are figures, by name, with their lengths in minutes. A span holds so many minutes, and the one
/// that runs; from a week on it begins with a full hour.
pub const WINDOWS: [(&str, u64); 7] = [
    ("1m", 1),
    ("5m", 5),
    ("1h", 60),
    ("24h", 1440),
    ("7d", 7 * 1440),
    ("30d", 30 * 1440),
    ("90d", 90 * 1440),
];

/// The counts of one subject in each of [`WINDOWS`].
pub type Windows = Vec<Counts>;

/// The figures of everybody.
#[derive(Debug)]
pub struct Availability {
    /// When it was asked for, in milliseconds since 1970.
    pub now: u64,
    /// Since when there is a history, in milliseconds since 1970.
    pub since: u64,
    /// Why it is in memory only; `None`: it is in the file.
    pub trouble: Option<String>,
    /// What clients had.
    pub clients: Windows,
    /// The same for each client that has a key, in the order of the configuration; where there are very many, for those that
    /// come after the first hundred together.
    pub by_client: Vec<(Arc<str>, Windows)>,
    /// The upstreams, in the order of the configuration.
    pub upstreams: Vec<OfUpstream<Windows>>,
}

/// What there is about an upstream and its models.
#[derive(Debug)]
pub struct OfUpstream<T> {
    /// Its name.
    pub name: UpstreamId,
    /// About the upstream as a whole.
    pub whole: T,
    /// About its models, by their names.
    pub models: Vec<(Arc<str>, T)>,
}

/// The length of the steps of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// An hour, in minutes.
    Hour,
    /// A day, in hours.
    Day,
    /// 90 days, in days.
    Quarter,
}

impl Span {
    /// The span of this name: `1h`, `24h` or `90d`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "1h" => Self::Hour,
            "24h" => Self::Day,
            "90d" => Self::Quarter,
            _ => return None,
        })
    }

    /// The name of its step.
    pub fn step(self) -> &'static str {
        match self {
            Self::Hour => "1m",
            Self::Day => "1h",
            Self::Quarter => "1d",
        }
    }

    fn tier(self) -> (Tier, u64) {
        match self {
            Self::Hour => (Tier::Minute, 60),
            Self::Day => (Tier::Hour, 24),
            Self::Quarter => (Tier::Day, 90),
        }
    }
}

/// The steps of a span, oldest first: when each begins, in milliseconds since 1970, and its counts.
pub type Points = Vec<(u64, Counts)>;

/// The steps of everybody.
#[derive(Debug)]
pub struct Series {
    /// What clients had.
    pub clients: Points,
    /// The upstreams, in the order of the configuration.
    pub upstreams: Vec<OfUpstream<Points>>,
}

/// Who is asked about.
pub(super) type Listed = Vec<OfUpstream<Subject>>;

impl Recorder {
    /// The upstreams and models that there are.
    pub(super) fn listed(&self) -> Listed {
        let upstreams = self.upstreams.iter().map(|upstream| OfUpstream {
            name: upstream.whole.id.upstream.clone(),
            whole: upstream.whole.subject,
            models: upstream
                .models
                .iter()
                .filter_map(|model| Some((model.id.model.clone()?, model.subject)))
                .collect(),
        });
        upstreams.collect()
    }
}

impl<T> OfUpstream<T> {
    fn map<U>(&self, map: impl Fn(&T) -> U) -> OfUpstream<U> {
        let models = self.models.iter();
        OfUpstream {
            name: self.name.clone(),
            whole: map(&self.whole),
            models: models
                .map(|(name, about)| (Arc::clone(name), map(about)))
                .collect(),
        }
    }
}

impl Ledger {
    pub(super) fn availability(
        &mut self,
        now: Millis,
        listed: &Listed,
        clients: &[(Arc<str>, Subject)],
    ) -> Availability {
        let minute = now / 60_000;
        let sums: Vec<HashMap<Subject, Counts>> = WINDOWS
            .iter()
            .map(|(_, length)| self.sums(first_of(minute, *length), minute))
            .collect();
        let windows = |subject: &Subject| -> Windows {
            let sums = sums.iter();
            sums.map(|sums| sums.get(subject).cloned().unwrap_or_default())
                .collect()
        };
        Availability {
            now,
            since: self.first_minute(minute).unwrap_or(minute) * 60_000,
            trouble: self.trouble().map(str::to_owned),
            clients: windows(&Subject::CLIENTS),
            by_client: clients
                .iter()
                .map(|(name, subject)| (Arc::clone(name), windows(subject)))
                .collect(),
            upstreams: listed.iter().map(|listed| listed.map(windows)).collect(),
        }
    }

    pub(super) fn series(&mut self, span: Span, now: Millis, listed: &Listed) -> Series {
        let (tier, length) = span.tier();
        let last = tier.of(now / 60_000);
        let spans = (last + 1).saturating_sub(length)..=last;
        let steps = self.steps(tier, spans.clone());
        let points = |subject: &Subject| -> Points {
            let spans = spans.clone();
            spans
                .map(|at| {
                    let counts = steps.get(&(at, *subject));
                    let begin = at * tier.minutes() * 60_000;
                    (begin, counts.cloned().unwrap_or_default())
                })
                .collect()
        };
        Series {
            clients: points(&Subject::CLIENTS),
            upstreams: listed.iter().map(|listed| listed.map(points)).collect(),
        }
    }
}

/// The first minute of a window.
fn first_of(minute: u64, length: u64) -> u64 {
    let first = minute.saturating_sub(length);
    match length {
        ..=1440 => first,
        _ => first - first % 60,
    }
}
