//! What is told, in words that somebody understands who is woken up by them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::{NotifyOn, UpstreamId};
use crate::event::ScopeId;
use crate::outcome::Attention;

/// What can be well or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// An upstream, or a model at it.
    Scope(ScopeId),
    /// Our own network.
    Network,
    /// The clients of a route.
    Clients(Arc<str>),
    /// What somebody has to see to at an upstream.
    AccountKey(AccountKey),
}

/// A key of an upstream, and the model, if the trouble is about one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct AccountKey {
    pub(super) upstream: UpstreamId,
    /// From 0.
    pub(super) key: usize,
    pub(super) model: Option<Arc<str>>,
}

/// What has happened to a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is not well.
    Began,
    /// It is not well again, soon after it was: nothing more is told until it has been well for a while.
    Again,
    /// It is well, after this time.
    Over(Duration),
    /// It is well, and has been for a while.
    Steady,
}

/// One thing that is told.
#[derive(Clone, Debug)]
pub(super) struct News {
    pub(super) subject: Subject,
    pub(super) change: Change,
    /// What is wrong, in the words of labels: `overloaded`; for clients, the upstreams that failed.
    pub(super) cause: String,
    /// What somebody has to see to.
    pub(super) attention: Option<Attention>,
    /// When it is told.
    pub(super) at: Timestamp,
    /// When it began, at first.
    pub(super) since: Timestamp,
    /// How long it lasted, if it is over.
    pub(super) lasted: Option<Duration>,
    /// How often it has happened since.
    pub(super) times: u32,
    /// How many requests of clients have failed.
    pub(super) requests: u64,
}

impl Subject {
    /// Who wants to hear of it.
    pub(super) fn is_about(&self) -> NotifyOn {
        match self {
            Self::Scope(_) | Self::Network => NotifyOn::Upstreams,
            Self::Clients(_) => NotifyOn::Clients,
            Self::AccountKey(_) => NotifyOn::Accounts,
        }
    }
}

impl News {
    /// Whether it is good news.
    pub(super) fn is_good(&self) -> bool {
        match self.change {
            Change::Began | Change::Again => false,
            Change::Over(_) | Change::Steady => true,
        }
    }

    /// `outage_began` and the like: for programs.
    pub(super) fn kind(&self) -> &'static str {
        let is_good = self.is_good();
        match self.subject.is_about() {
            NotifyOn::Upstreams if is_good => "outage_over",
            NotifyOn::Upstreams => "outage_began",
            NotifyOn::Clients if is_good => "client_errors_over",
            NotifyOn::Clients => "client_errors_began",
            NotifyOn::Accounts if is_good => "account_trouble_over",
            NotifyOn::Accounts => "account_trouble_began",
        }
    }

    /// A sentence or two.
    pub(super) fn text(&self) -> String {
        let (bad, good) = self.words();
        // It may have come and gone for days.
        let since = self.since.strftime("%Y-%m-%d %H:%M UTC");
        let times = self.times;
        match self.change {
            Change::Began => format!("{bad}."),
            Change::Again => format!(
                "{bad} again, for the {} time since {since}. The next message comes when this has been over for 10 minutes.",
                ordinal(times)
            ),
            Change::Over(lasted) => format!("{good}, after {}.", spoken(lasted)),
            Change::Steady => format!(
                "{good}, and has been so for 10 minutes. There were {times} such outages since {since}."
            ),
        }
    }

    /// What is said when it is not well, and when it is.
    fn words(&self) -> (String, String) {
        let Self {
            cause, requests, ..
        } = self;
        match &self.subject {
            Subject::Scope(scope) => {
                let name = name(scope);
                (
                    format!("{name} is out of rotation ({cause})"),
                    format!("{name} is back"),
                )
            }
            Subject::Network => (
                "our own network seems to be lost: no upstream can be reached".to_owned(),
                "our own network is back".to_owned(),
            ),
            Subject::Clients(route) => (
                format!(
                    "clients get errors: {requests} requests of route {route} failed within a minute ({cause})"
                ),
                format!("clients of route {route} get answers again; {requests} requests failed"),
            ),
            Subject::AccountKey(account) => self.account_words(account),
        }
    }

    fn account_words(&self, account: &AccountKey) -> (String, String) {
        let upstream = &account.upstream;
        let key = account.key + 1;
        let model = account.model.as_deref().map(named);
        let about = model
            .as_ref()
            .map_or_else(String::new, |model| format!(" for {model}"));
        let bad = match self.attention {
            Some(Attention::Quota) => {
                format!("{upstream} has no money or quota left (key {key}): top up the account")
            }
            Some(Attention::Model) => {
                let model = model.unwrap_or_default();
                format!("{upstream} does not have the model {model}: name another one")
            }
            Some(Attention::Key) | None => {
                format!("{upstream} refuses key {key}{about}: replace it, or allow it to be used")
            }
        };
        (
            bad,
            format!("{upstream} answers with key {key}{about} again"),
        )
    }
}

/// An upstream, or a model at it.
fn name(scope: &ScopeId) -> String {
    let upstream = &scope.upstream;
    match scope.model.as_deref() {
        None => upstream.to_string(),
        Some(model) => format!("{} at {upstream}", named(model)),
    }
}

/// A model. Behind a pattern it is some model: how clients call it is not repeated.
fn named(model: &str) -> String {
    match model {
        "*" => "a model".to_owned(),
        pattern if pattern.ends_with('*') => format!("a model ({pattern})"),
        model => model.to_owned(),
    }
}

/// A time as one would say it.
fn spoken(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..90 => format!("{seconds} s"),
        seconds @ 90..5400 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}
