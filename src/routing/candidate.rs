//! A candidate: an upstream that may serve a request, and the name by which it knows the model.

use std::sync::Arc;

use super::does_without::DoesWithout;
use super::pattern::Pattern;
use crate::catalogue::{Facts, Provider};
use crate::config::{CapabilitiesConfig, TimeoutsConfig, UpstreamId};
use crate::dialect::UpstreamApi;
use crate::health::ModelHealth;
use crate::upstream::Upstream;
use crate::wire::json::fingerprint_of;

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
    /// What its upstream has refused by name in requests that were not written for it.
    pub does_without: DoesWithout,
    /// The health of its model; of all its models, if the client names them.
    pub health: Arc<ModelHealth>,
    /// A number that tells it from other candidates, in every process: see [`Candidate::number_of`].
    pub number: u64,
}

impl Candidate {
    /// The number of a candidate with this upstream and this model.
    pub fn number_of(upstream: &UpstreamId, model: Option<&Arc<str>>) -> u64 {
        fingerprint_of(&(upstream, model))
    }

    /// What it is asked for, by a client that names this model.
    pub fn model_for<'a>(&'a self, model: &'a str) -> &'a str {
        self.model.as_deref().unwrap_or(model)
    }

    /// The health of the model that a client asks for.
    pub fn health_of(&self, model: &str) -> &Arc<ModelHealth> {
        self.health.of_name(model)
    }

    /// Its upstream's API for its model, for a client that names this one.
    pub fn api(&self, model: &str) -> UpstreamApi {
        let model = self.model_for(model);
        let api = self.upstream.api(model);
        UpstreamApi {
            facts: self.knowledge.stated_facts(model),
            quirks: match self.does_without.of(model) {
                Some(unwanted) => api.quirks.doing_without(unwanted),
                None => api.quirks,
            },
            ..api
        }
    }

    /// What is known of its model, for a client that names this one.
    pub fn facts(&self, model: &str) -> Facts {
        self.knowledge.about(model)
    }
}

/// What is known of a candidate's model.
#[derive(Clone, Debug)]
pub struct Knowledge {
    provider: Provider,
    /// What the candidate and its upstream say.
    nearest: CapabilitiesConfig,
    models: ModelRules,
    /// Whether either says anything.
    is_configured: bool,
    /// Looked up in advance, where the model is known.
    settled: Option<Facts>,
}

impl Knowledge {
    /// What is known of a model at a provider, completed by what the configuration says about it: its candidate and its
    /// upstream (`nearest`) before what it says about models by their names.
    pub fn of(
        provider: Provider,
        model: Option<&str>,
        nearest: CapabilitiesConfig,
        models: ModelRules,
    ) -> Self {
        let is_configured = nearest != CapabilitiesConfig::default() || !models.0.is_empty();
        let unsettled = Self {
            is_configured,
            provider,
            nearest,
            models,
            settled: None,
        };
        Self {
            settled: model.map(|model| unsettled.about(model)),
            ..unsettled
        }
    }

    /// What the configuration says about a model, else the catalogue.
    pub fn about(&self, model: &str) -> Facts {
        let look_up = || self.stated(model).over(self.provider.facts(model));
        self.settled.unwrap_or_else(look_up)
    }

    /// What is known of a model, if the configuration says anything about some.
    fn stated_facts(&self, model: &str) -> Option<Facts> {
        self.is_configured.then(|| self.about(model))
    }

    /// What the configuration says about a model, and nothing else.
    pub fn configured(&self, model: &str) -> Facts {
        self.stated(model).over(Facts::UNKNOWN)
    }

    fn stated(&self, model: &str) -> CapabilitiesConfig {
        self.nearest.or(self.models.about(model))
    }
}

/// What the configuration says about models by their names.
#[derive(Clone, Debug, Default)]
pub struct ModelRules(Arc<[(Pattern, CapabilitiesConfig)]>);

impl ModelRules {
    /// From patterns, in any order.
    pub fn new(mut rules: Vec<(Pattern, CapabilitiesConfig)>) -> Self {
        rules.sort_by(|(one, _), (other, _)| one.cmp_specific_first(other));
        Self(rules.into())
    }

    /// The most specific pattern decides; what it leaves out, the next one says.
    fn about(&self, model: &str) -> CapabilitiesConfig {
        let fitting = self.0.iter().filter(|(pattern, _)| pattern.matches(model));
        fitting.fold(CapabilitiesConfig::default(), |stated, (_, more)| {
            stated.or(*more)
        })
    }
}
