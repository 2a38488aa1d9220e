//! Facts that the data path reports, and the sinks that take them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, date};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::config::UpstreamId;
use crate::outcome::Outcome;
use crate::request::{Endpoint, RequestId};

/// Something that happened. Names in it are configured ones, so that sinks may use them as labels.
#[derive(Clone, Debug)]
pub enum Event {
    /// A request was accepted.
    RequestStarted,
    /// An attempt ended; for a stream, when the stream did.
    AttemptFinished {
        /// The request it was for.
        request: RequestId,
        /// What came of it.
        report: AttemptReport,
    },
    /// A failed attempt is followed by one at another target.
    FailedOver {
        /// The request it is for.
        request: RequestId,
        /// The upstream that failed.
        from: UpstreamId,
        /// The upstream that is tried now; the same one if only the key changes.
        to: UpstreamId,
        /// How the first one failed.
        reason: Outcome,
    },
    /// A stream that broke off continues at another upstream.
    Continued {
        /// The request it is for.
        request: RequestId,
        /// The upstream that broke off.
        from: UpstreamId,
        /// The upstream that continues it.
        to: UpstreamId,
    },
    /// The health of an upstream, or of our own network, has changed.
    HealthChanged(HealthChange),
    /// A health check was made of an upstream that could not be connected to.
    HealthChecked {
        /// Which one.
        upstream: UpstreamId,
        /// Whether it answered.
        is_reached: bool,
    },
    /// A key was read again from its file or its command.
    KeyRenewed {
        /// Whose key.
        upstream: UpstreamId,
        /// Why it could not be read; `None`: there is a new key.
        failure: Option<String>,
        /// Whether it is the first failure after it went well.
        is_news: bool,
    },
    /// Upstreams were asked for their models: what there is to say about those that the configuration names.
    ModelsChecked(Vec<ModelFinding>),
    /// Another configuration has taken over.
    ConfigReloaded,
    /// Another configuration could not be used; the old one stays.
    ConfigRejected {
        /// What is wrong with it.
        reason: String,
    },
    /// A request is over: answered in full, in part or not at all.
    RequestFinished(RequestReport),
}

/// What there is to say about a model that the configuration names: it is missing, or it retires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFinding {
    /// At which upstream.
    pub upstream: UpstreamId,
    /// Its name there.
    pub model: String,
    /// Whether the upstream lists models, and not this one.
    pub is_missing: bool,
    /// The model that is asked for instead.
    pub replaced_by: Option<String>,
    /// The first day without it.
    pub retires: Option<Date>,
}

impl ModelFinding {
    /// When it retires, in seconds since 1970.
    pub fn retires_at(&self) -> Option<i64> {
        let since = self.retires?.duration_since(date(1970, 1, 1));
        Some(since.as_secs())
    }
}

impl fmt::Display for ModelFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            upstream, model, ..
        } = self;
        let retires = self.retires.map(|day| format!("retires on {day}"));
        match (self.is_missing, &self.replaced_by, retires) {
            (true, Some(other), _) => write!(
                f,
                "{upstream} does not list {model} any more, and is asked for {other} instead"
            ),
            (true, None, None) => write!(f, "{upstream} does not list {model}"),
            (true, None, Some(retires)) => {
                write!(f, "{upstream} does not list {model}, which {retires}")
            }
            (false, _, Some(retires)) => write!(f, "{model} at {upstream} {retires}"),
            (false, _, None) => write!(f, "{upstream} has {model}"),
        }
    }
}

/// A finished attempt.
#[derive(Clone, Debug)]
pub struct AttemptReport {
    /// 1 for the first attempt of a request.
    pub number: usize,
    /// Who was asked.
    pub upstream: UpstreamId,
    /// With which of its keys, from 0.
    pub key: usize,
    /// The model, if the configuration names it.
    pub model: Option<Arc<str>>,
    /// Why it was made.
    pub phase: Phase,
    /// How it ended.
    pub outcome: Outcome,
    /// What exactly went wrong, in words; never a secret. An upstream's own words about the request may quote from
    /// it.
    pub detail: Option<String>,
    /// The time until the outcome was known; for the winner of a stream, until its first content.
    pub elapsed: Duration,
}

/// As error bodies show it: `{"upstream", "outcome", "status", "detail", "elapsed_ms"}`.
impl Serialize for AttemptReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("AttemptReport", 5)?;
        fields.serialize_field("upstream", self.upstream.as_ref())?;
        fields.serialize_field("outcome", self.outcome.label())?;
        fields.serialize_field("status", &self.outcome.status())?;
        fields.serialize_field("detail", &self.detail)?;
        fields.serialize_field("elapsed_ms", &(self.elapsed.as_millis() as u64))?;
        fields.end()
    }
}

/// Why an attempt was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It was next: the first attempt, or the one after a failure.
    Normal,
    /// To see whether the upstream has healed.
    HalfOpenProbe,
    /// Because health admits no other candidate.
    LastResort,
    /// Beside one whose upstream has just been taken out of rotation (hedge on ejection).
    EjectionHedge,
    /// Beside one whose first token is late.
    Hedge,
    /// Beside one, because the client will not wait much longer.
    PatienceHedge,
    /// The same upstream again, after a pause.
    Retry,
}

impl Phase {
    /// A short constant name for labels and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::HalfOpenProbe => "half_open_probe",
            Self::LastResort => "last_resort",
            Self::EjectionHedge => "ejection_hedge",
            Self::Hedge => "hedge",
            Self::PatienceHedge => "patience_hedge",
            Self::Retry => "retry",
        }
    }
}

/// What health keeps apart: an upstream as a whole, or a model at it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeId {
    /// The upstream.
    pub upstream: UpstreamId,
    /// The model as the configuration names it: the candidate's `model`, else the pattern of its route. `None`: the
    /// upstream as a whole.
    pub model: Option<Arc<str>>,
}

impl fmt::Display for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.model {
            Some(model) => write!(f, "{model} at {}", self.upstream),
            None => write!(f, "{}", self.upstream),
        }
    }
}

/// A change of health.
#[derive(Clone, Debug)]
pub enum HealthChange {
    /// A scope went out of rotation.
    Opened {
        /// Which one.
        scope: ScopeId,
        /// The kind of failures that took it out.
        cause: &'static str,
        /// How long it gets no requests.
        retry_in: Duration,
    },
    /// A scope has passed its half-open probes, and gets its traffic back step by step.
    Healed {
        /// Which one.
        scope: ScopeId,
        /// The kind of failures that had taken it out.
        cause: &'static str,
    },
    /// Our own network seems to be lost.
    NetworkLost,
    /// It is back.
    NetworkBack,
}

/// A finished request.
#[derive(Clone, Debug)]
pub struct RequestReport {
    /// The request.
    pub id: RequestId,
    /// The configured name of the client, where keys are configured.
    pub client: Option<Arc<str>>,
    /// The name of the route that served it, if one matched.
    pub route: Option<Arc<str>>,
    /// What was asked for.
    pub endpoint: Endpoint,
    /// The HTTP status that was sent, or 499 if the client left before there was one.
    pub status: u16,
    /// How it ended for the client.
    pub result: RequestResult,
    /// How many attempts it took.
    pub attempts: usize,
    /// Who answered.
    pub served_by: Option<UpstreamId>,
    /// Who failed and how, if nobody answered; never a secret, and nothing from a prompt. It names the model that the
    /// client asked for.
    pub failure: Option<String>,
    /// From the request being read to the head of the answer.
    pub first_byte: Option<Duration>,
    /// From the request being read to the end of the answer.
    pub total: Duration,
    /// The part of `first_byte` that was not spent waiting for upstreams.
    pub added: Option<Duration>,
}

/// What the client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestResult {
    /// A complete answer from an upstream.
    Answered,
    /// An error because the request itself was wrong.
    Rejected,
    /// An error because every upstream failed; or the error of the upstream to which the request was forwarded.
    Failed,
    /// An answer that broke off; it ended with an error.
    Broken,
    /// Nothing more: the client left before the end.
    ClientGone,
}

impl RequestResult {
    /// A short constant name for labels and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::ClientGone => "client_gone",
        }
    }
}

/// Takes events. It is called on the data path, so it must be quick and must not block.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn record(&self, event: &Event);
}

impl<S: Sink> Sink for Arc<S> {
    fn record(&self, event: &Event) {
        S::record(self, event);
    }
}

/// Where the data path reports: hands every event to all sinks, in order.
#[derive(Clone)]
pub struct Events(Arc<[Box<dyn Sink>]>);

impl Events {
    /// Reports to these sinks.
    pub fn new(sinks: Vec<Box<dyn Sink>>) -> Self {
        Self(sinks.into())
    }

    /// Reports one event.
    pub fn emit(&self, event: &Event) {
        for sink in self.0.iter() {
            sink.record(event);
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Events({} sinks)", self.0.len())
    }
}
