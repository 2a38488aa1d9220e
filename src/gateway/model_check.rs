//! Looks at the models that the configuration names: which retire, and which their upstreams do not list any more.
//!
//! The lists cost nothing. They are asked for in the background, when the process starts and after a reload. In a
//! configuration made from the environment, a fallback model that is missing is replaced by the next one that the catalogue
//! prefers.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use super::assemble::{Generation, Upstreams, model_rules};
use super::foundation::Foundation;
use crate::admin::Current;
use crate::catalogue::{Facts, is_listed_as};
use crate::config::{CandidateConfig, Config, RouteConfig, UpstreamId};
use crate::event::{Event, ModelFinding};
use crate::routing::Knowledge;
use crate::upstream::ListedModel;

/// Looks whenever there is a new configuration, for as long as it is polled. `taking_over` is held while another generation
/// takes over.
pub(super) async fn run(
    foundation: Foundation,
    current: Arc<ArcSwap<Generation>>,
    mut configs: watch::Receiver<Config>,
    taking_over: Arc<Mutex<()>>,
    for_operators: watch::Sender<Arc<Current>>,
) {
    loop {
        let config = configs.borrow_and_update().clone();
        if config.check_models {
            let mut upstreams = current.load_full().upstreams.clone();
            upstreams.retain(|id, _| !foundation.health.is_taken_out(id));
            let findings = find(&config, &upstreams).await;
            if let Some(config) = replaced(&config, &findings) {
                let _taking_over = taking_over.lock().await;
                // A reload may have been faster.
                if !configs.has_changed().unwrap_or(true) {
                    let before = current.load_full();
                    match Generation::of(&config, &foundation, &before.upstreams).await {
                        Ok(next) => {
                            for_operators.send_replace(Arc::clone(&next.current));
                            current.store(Arc::new(next));
                        }
                        Err(error) => tracing::warn!("models cannot be replaced: {error}"),
                    }
                }
            }
            foundation.events.emit(&Event::ModelsChecked(findings));
        }
        if configs.changed().await.is_err() {
            return;
        }
    }
}

/// What there is to say about the models that a configuration names. Upstreams that return no list are left out, unless
/// the catalogue knows when their models retire.
pub(super) async fn find(config: &Config, upstreams: &Upstreams) -> Vec<ModelFinding> {
    let named = named_models(config);
    let lists = lists(&named, upstreams).await;
    let looked_at = named.into_iter().map(|model| {
        let list = lists.get(&model.upstream).map(Vec::as_slice);
        finding(config, model, list)
    });
    looked_at.flatten().collect()
}

/// What the catalogue and the configuration know without asking anybody.
pub(super) fn known(config: &Config) -> Vec<ModelFinding> {
    let named = named_models(config).into_iter();
    named
        .filter_map(|model| finding(config, model, None))
        .collect()
}

/// A model that the configuration names, at one upstream.
pub(super) struct NamedModel {
    pub(super) upstream: UpstreamId,
    pub(super) name: String,
    pub(super) facts: Facts,
}

/// Each once: the models of candidates, and where they keep the client's, the models of their routes.
pub(super) fn named_models(config: &Config) -> Vec<NamedModel> {
    let mut named: Vec<NamedModel> = Vec::new();
    for route in &config.routes {
        for candidate in &route.candidates {
            for name in names(route, candidate) {
                let is_known =
                    |known: &NamedModel| known.upstream == candidate.upstream && known.name == name;
                if named.iter().any(is_known) {
                    continue;
                }
                named.extend(facts(config, candidate, name).map(|facts| NamedModel {
                    upstream: candidate.upstream.clone(),
                    name: name.to_owned(),
                    facts,
                }));
            }
        }
    }
    named
}

fn names<'a>(route: &'a RouteConfig, candidate: &'a CandidateConfig) -> Vec<&'a str> {
    match &candidate.model {
        Some(model) => vec![model],
        None => {
            let names = route.models.iter().map(String::as_str);
            names.filter(|name| !name.ends_with('*')).collect()
        }
    }
}

fn facts(config: &Config, candidate: &CandidateConfig, model: &str) -> Option<Facts> {
    let upstream = config.upstreams.get(&candidate.upstream)?;
    let nearest = candidate.capabilities.or(upstream.capabilities);
    let rules = model_rules(config);
    Some(Knowledge::of(upstream.provider, Some(model), nearest, rules).about(model))
}

/// The lists of all these upstreams, asked for at the same time.
async fn lists(
    named: &[NamedModel],
    upstreams: &Upstreams,
) -> HashMap<UpstreamId, Vec<ListedModel>> {
    let mut asking = JoinSet::new();
    let mut lists = HashMap::new();
    for (id, upstream) in upstreams {
        // With a client's credential there is nobody to ask for; deployments have names of their own.
        let can_ask = !upstream.takes_clients_credential() && !upstream.names_models_in_paths();
        if can_ask && named.iter().any(|model| model.upstream == *id) {
            let (id, upstream) = (id.clone(), Arc::clone(upstream));
            asking.spawn(async move { (id, upstream.models().await) });
        }
    }
    while let Some(answered) = asking.join_next().await {
        // An empty list is that of a server which lists nothing.
        if let Ok((id, Some(list))) = answered
            && !list.is_empty()
        {
            lists.insert(id, list);
        }
    }
    lists
}

/// `None`: there is nothing to say about it.
fn finding(
    config: &Config,
    model: NamedModel,
    list: Option<&[ListedModel]>,
) -> Option<ModelFinding> {
    let listed = |name: &str| {
        let mut list = list.unwrap_or_default().iter();
        list.find(|listed| is_listed_as(name, &listed.name))
    };
    let found = listed(&model.name);
    let is_missing = list.is_some() && found.is_none();
    let retires = found
        .and_then(|listed| listed.retires)
        .or(model.facts.retires);
    let replaced_by = || {
        let provider = config.upstreams.get(&model.upstream)?.provider;
        let mut preferred = provider.fallback_models().iter();
        let name = preferred.find(|name| listed(name).is_some())?;
        Some((*name).to_owned())
    };
    (is_missing || retires.is_some()).then(|| ModelFinding {
        replaced_by: (is_missing && config.is_made).then(replaced_by).flatten(),
        upstream: model.upstream.clone(),
        model: model.name.clone(),
        is_missing,
        retires,
    })
}

/// The configuration with other fallback models; `None`: none has to be replaced.
fn replaced(config: &Config, findings: &[ModelFinding]) -> Option<Config> {
    let mut config = config.clone();
    let mut is_changed = false;
    let candidates = config
        .routes
        .iter_mut()
        .flat_map(|route| &mut route.candidates);
    for candidate in candidates {
        let is_it = |finding: &&ModelFinding| {
            finding.upstream == candidate.upstream
                && Some(&finding.model) == candidate.model.as_ref()
        };
        let finding = findings.iter().find(is_it);
        if let Some(other) = finding.and_then(|finding| finding.replaced_by.clone()) {
            candidate.model = Some(other);
            is_changed = true;
        }
    }
    is_changed.then_some(config)
}
