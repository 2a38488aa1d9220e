//! Which models are served by whom.

use serde::Deserialize;

use super::UpstreamId;

/// Models, and who may serve them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteConfig {
    /// Model names; a `*` at the end stands for anything.
    pub models: Vec<String>,
    /// How candidates of the same tier share.
    pub strategy: Strategy,
    /// Whether a first token that is slower than 95 % is answered by asking a second candidate, too.
    pub hedge: bool,
    /// Who may serve them, in order of preference.
    pub candidates: Vec<CandidateConfig>,
}

impl RouteConfig {
    /// Its name in metrics and logs: the first pattern.
    pub fn name(&self) -> &str {
        self.models.first().map_or("", String::as_str)
    }
}

/// How candidates of the same tier share the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// By weight, and a conversation always in the same way.
    #[default]
    Weighted,
    /// By the time to the first token and the requests under way.
    Latency,
}

/// An upstream that may serve a route.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CandidateConfig {
    /// Whom to ask.
    pub upstream: UpstreamId,
    /// The name by which it knows the model; left out: the client's.
    pub model: Option<String>,
    /// Lower tiers are tried first; left out: the position in the list, from 1.
    pub tier: Option<u32>,
    /// The share among candidates of the same tier; left out: 1.
    pub weight: Option<u32>,
}
