//! Changes of health, and what they are about.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::config::UpstreamId;

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
