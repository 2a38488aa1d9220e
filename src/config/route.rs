//! Routes: which upstreams serve which models.

use std::time::Duration;

use serde::Deserialize;

use super::{CapabilitiesConfig, TimeoutsOverride, UpstreamId, duration};

/// A route: model patterns, and who may serve them.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteConfig {
    /// Model names; a `*` at the end stands for anything.
    pub models: Vec<String>,
    /// How candidates of the same tier share.
    pub strategy: Strategy,
    /// Whether a second candidate is asked too when the first token is later than 95 % of them.
    pub hedge: bool,
    /// What happens to a stream that breaks off.
    pub continuation: Continuation,
    /// How much of a stream is kept back, so that one that breaks early can still be replaced.
    pub hold: Option<HoldConfig>,
    /// What happens to a request that an upstream refuses for its content.
    pub refusals: Refusals,
    /// How long to wait, where that differs from the upstream's and the general `timeouts`.
    pub timeouts: TimeoutsOverride,
    /// How long a request waits when nobody can answer now, but somebody may be able to soon; left out: as in
    /// `timeouts`.
    #[serde(deserialize_with = "duration::read_optional")]
    pub wait: Option<Duration>,
    /// Who may serve them, in order of preference.
    pub candidates: Vec<CandidateConfig>,
}

impl RouteConfig {
    /// Its name in metrics and logs: the first pattern.
    pub fn name(&self) -> &str {
        self.models.first().map_or("", String::as_str)
    }
}

/// Where the list of models comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelList {
    /// The models that routes name.
    #[default]
    Routes,
    /// Those, and the models that upstreams list, where they serve any model by its own name.
    Upstreams,
}

/// How candidates of the same tier share the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// By weight, and a conversation always in the same way.
    #[default]
    Weighted,
    /// By the time to the first token and the load.
    Latency,
}

/// What happens to a stream that breaks off after its first content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Continuation {
    /// It ends with an error.
    #[default]
    Off,
    /// A candidate that accepts a prefill continues it.
    Prefill,
    /// Any candidate is asked to continue at the exact place; only text that verifiably fits is used.
    Regenerate,
}

/// What happens to a request that an upstream refuses for its content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Refusals {
    /// The refusal is the answer: a policy must not be circumvented by asking elsewhere.
    #[default]
    Return,
    /// The next candidate is asked.
    Next,
}

impl Continuation {
    /// Its name in the configuration and in headers.
    pub fn label(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Prefill => "prefill",
            Self::Regenerate => "regenerate",
        }
    }
}

/// How much of a stream is kept back; the first bound that is reached releases it.
#[derive(Clone, Copy, Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HoldConfig {
    /// This many events with content.
    pub tokens: Option<usize>,
    /// This long from the first content.
    #[serde(deserialize_with = "duration::read_optional")]
    pub time: Option<Duration>,
}

/// An upstream that may serve a route.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CandidateConfig {
    /// The upstream.
    pub upstream: UpstreamId,
    /// The name by which it knows the model; left out: the client's.
    pub model: Option<String>,
    /// Lower tiers are tried first; left out: the position in the list, from 1.
    pub tier: Option<u32>,
    /// The share among candidates of the same tier; left out: 1.
    pub weight: Option<u32>,
    /// What is to be known of the model there, where that differs from its upstream's `capabilities` and from `models`.
    pub capabilities: CapabilitiesConfig,
    /// How long to wait for it, where that differs from the route's `timeouts`.
    pub timeouts: TimeoutsOverride,
}
