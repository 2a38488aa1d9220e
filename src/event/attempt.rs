//! What is reported about one attempt.

use std::sync::Arc;
use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::health_change::ScopeId;
use super::request::FailedAt;
use super::tokens::Tokens;
use crate::config::UpstreamId;
use crate::outcome::{Attention, Blame, Outcome};

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
    /// The model as [`ScopeId`](super::ScopeId) has it: the same, else the pattern of its route.
    pub scope_model: Option<Arc<str>>,
    /// Why it was made.
    pub phase: Phase,
    /// How it ended.
    pub outcome: Outcome,
    /// What exactly went wrong, in words; never a secret. An upstream's own words about the request may quote from
    /// it.
    pub detail: Option<String>,
    /// The time until the outcome was known; while a stream lasts, until its first content.
    pub elapsed: Duration,
    /// The time until the first content; `None`: there was none, or it is not known when it came.
    pub first_token: Option<Duration>,
    /// What the answer costs, if the upstream says so.
    pub tokens: Option<Tokens>,
}

impl AttemptReport {
    /// The upstreams that have failed in some attempts, each once.
    pub fn failed(attempts: &[Self]) -> Vec<UpstreamId> {
        let mut failed = Vec::new();
        for attempt in attempts {
            if attempt.outcome.blame() == Blame::Upstream && !failed.contains(&attempt.upstream) {
                failed.push(attempt.upstream.clone());
            }
        }
        failed
    }

    /// What somebody has to see to, and the model that it is about, if it is about one. Whoever asks for a model that does not
    /// exist, behind a pattern, is nobody's trouble.
    pub fn attention(&self) -> Option<(Attention, Option<&Arc<str>>)> {
        let attention = self.outcome.attention()?;
        let model = self.scope_model.as_ref();
        match attention {
            Attention::Quota => Some((attention, None)),
            Attention::Key => Some((
                attention,
                model.filter(|_| self.outcome.status() == Some(403)),
            )),
            Attention::Model => {
                let is_named = model.is_some_and(|model| !model.ends_with('*'));
                is_named.then_some((attention, model))
            }
        }
    }

    /// Where some attempts have failed, each place once with its last failure.
    pub fn failed_at(attempts: &[Self]) -> Vec<FailedAt> {
        let mut failed: Vec<FailedAt> = Vec::new();
        for attempt in attempts {
            if attempt.outcome.blame() != Blame::Upstream {
                continue;
            }
            let scope = ScopeId {
                upstream: attempt.upstream.clone(),
                model: attempt.scope_model.clone(),
            };
            failed.retain(|known| known.scope != scope);
            failed.push(FailedAt {
                scope,
                outcome: attempt.outcome.label(),
            });
        }
        failed
    }
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
