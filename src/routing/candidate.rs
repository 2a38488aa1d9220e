//! A candidate: an upstream that may serve a request, and the name by which it knows the model.

use std::sync::Arc;

use crate::catalogue::{Facts, Provider};
use crate::config::{CapabilitiesConfig, TimeoutsConfig};
use crate::dialect::UpstreamApi;
use crate::health::ModelHealth;
use crate::upstream::Upstream;

/// One upstream in a route.
#[derive(Debug)]
pub struct Candidate {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    /// The model to ask for; `None` leaves the client's.
    pub model: Option<Arc<str>>,
    /// What is known of the model there.
    pub knowledge: Knowledge,
    /// Lower tiers are tried first.
    pub tier: u32,
    /// The share among candidates of the same tier.
    pub weight: u32,
    /// The failure domain that it shares with other upstreams: a cloud, a CDN.
    pub domain: Option<Arc<str>>,
    /// How long it is waited for.
    pub timeouts: Arc<TimeoutsConfig>,
    /// The health of its model; of all its models, if the client names them.
    pub health: Arc<ModelHealth>,
}

impl Candidate {
    /// The health of the model that a client asks for.
    pub fn health_of(&self, model: &str) -> &Arc<ModelHealth> {
        self.health.of_name(model)
    }

    /// Its upstream's API for its model, for a client that names this one.
    pub fn api(&self, model: &str) -> UpstreamApi {
        self.upstream.api(self.model.as_deref().unwrap_or(model))
    }

    /// What is known of its model, for a client that names this one.
    pub fn facts(&self, model: &str) -> Facts {
        self.knowledge.about(model)
    }
}

/// What is known of a candidate's model.
#[derive(Clone, Copy, Debug)]
pub struct Knowledge {
    provider: Provider,
    configured: CapabilitiesConfig,
    /// Looked up in advance, where the model is known.
    settled: Option<Facts>,
}

impl Knowledge {
    /// What is known of a model at a provider, completed by what the configuration says about it.
    pub fn of(provider: Provider, model: Option<&str>, configured: CapabilitiesConfig) -> Self {
        Self {
            provider,
            configured,
            settled: model.map(|model| configured.over(provider.facts(model))),
        }
    }

    /// What the configuration says about a model, else the built-in tables.
    pub fn about(&self, model: &str) -> Facts {
        let look_up = || self.configured.over(self.provider.facts(model));
        self.settled.unwrap_or_else(look_up)
    }

    /// What the configuration says, and nothing else.
    pub fn configured(&self) -> Facts {
        self.configured.over(Facts::UNKNOWN)
    }
}
