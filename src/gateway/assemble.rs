//! Builds all parts from a configuration: the only place where the modules meet.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use http::Uri;
use jiff::Timestamp;

use super::foundation::Foundation;
use super::known::known;
use super::start_error::StartError;
use super::trust::Trust;
use crate::admin::Current;
use crate::api::{Api, ClientKeys};
use crate::browser::BrowserPolicy;
use crate::config::{
    CandidateConfig, Config, Continuation, ForwardProxy, KeySource, Refusals, RouteConfig,
    Strategy, TimeoutsOverride, UpstreamConfig, UpstreamId,
};
use crate::dialect::UpstreamApi;
use crate::event::ScopeId;
use crate::failover::Failover;
use crate::health::Health;
use crate::history::History;
use crate::routing::{Candidate, DoesWithout, Knowledge, ModelRules, Pattern, RouteTable, Rule};
use crate::upstream::{Client, Connector, Credential, Key, MessagesUrl, Seats, Upstream};

/// The parts built from one configuration, which serve until the next reload.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) api: Api,
    pub(super) clients: Arc<ClientKeys>,
    pub(super) upstreams: Upstreams,
    /// What it is for operators.
    pub(super) current: Arc<Current>,
}

impl Generation {
    /// If this fails, nothing has been changed. `before`: the upstreams until now.
    pub(super) async fn of(
        config: &Config,
        foundation: &Foundation,
        before: &Upstreams,
    ) -> Result<Self, StartError> {
        let Foundation {
            metrics,
            health,
            affinity,
            history,
            memory,
            usage,
            events,
            ..
        } = foundation;
        let upstreams = upstreams(config, before).await?;
        let accounts = config.upstreams.iter();
        health.adopt(
            accounts
                .map(|(id, upstream)| (id.clone(), identity(upstream)))
                .collect(),
        );
        let assembly = Assembly {
            health,
            upstreams: &upstreams,
            models: model_rules(config),
            config,
        };
        let routes = Arc::new(assembly.route_table());
        health.forget_unless(|scope| routes.healths().any(|health| health.id() == scope));
        if let Some(history) = history {
            follow(history, config, &routes);
        }
        let names = config.routes.iter().map(|route| route.name().into());
        memory.set_limit(config.limits.memory);
        let failover = Failover::new(
            // The other half is left for requests that can be answered.
            (names, config.limits.requests.div_ceil(2)),
            affinity.clone(),
            memory.clone(),
            events.clone(),
        );
        metrics.adopt(&known(config, &routes, &upstreams));
        let clients = Arc::new(ClientKeys::new(config, usage));
        foundation.share_about(&upstreams);
        Ok(Self {
            api: Api::new(
                (Arc::clone(&clients), foundation.keys.subscribe()),
                Arc::clone(&routes),
                failover.clone(),
                events.clone(),
                config,
            ),
            clients,
            upstreams,
            current: Arc::new(Current {
                browsers: BrowserPolicy::for_operators(config),
                routes,
                failover,
                token: config.admin.token.clone(),
                since: Timestamp::now(),
            }),
        })
    }
}

/// The models of the routes at their upstreams, in the order of the routes.
fn models(routes: &RouteTable) -> Vec<ScopeId> {
    let candidates = routes.rules().iter().flat_map(|rule| &rule.candidates);
    candidates
        .map(|candidate| candidate.health.id().clone())
        .collect()
}

/// With another URL or other keys, it is another account, whose health is unknown.
fn identity(upstream: &UpstreamConfig) -> u64 {
    let mut hasher = DefaultHasher::new();
    (upstream.base_url(), upstream.messages_url()).hash(&mut hasher);
    for key in upstream.keys() {
        key.expose().hash(&mut hasher);
    }
    (upstream.key_source(), upstream.credential).hash(&mut hasher);
    hasher.finish()
}

/// The upstreams of one configuration, by name.
pub(super) type Upstreams = HashMap<UpstreamId, Arc<Upstream>>;

struct Assembly<'a> {
    health: &'a Health,
    upstreams: &'a Upstreams,
    models: ModelRules,
    config: &'a Config,
}

impl Assembly<'_> {
    fn route_table(&self) -> RouteTable {
        let rules = self
            .config
            .routes
            .iter()
            .flat_map(|route| route.models.iter().map(|model| self.rule(route, model)))
            .collect();
        RouteTable::new(rules, self.first_upstream())
    }

    fn rule(&self, route: &RouteConfig, pattern: &str) -> Rule {
        let pattern = Pattern::new(pattern);
        let candidates = route
            .candidates
            .iter()
            .enumerate()
            .filter_map(|(index, candidate)| {
                self.candidate(candidate, index, &pattern, &route.timeouts)
            })
            .collect();
        Rule {
            pattern,
            route: route.name().into(),
            strategy: route.strategy,
            is_hedged: route.hedge,
            continuation: route.continuation,
            hold: route.hold,
            refusals: route.refusals,
            total: route.timeouts.over(&self.config.timeouts).total,
            wait: route.wait.unwrap_or(self.config.timeouts.wait),
            candidates,
        }
    }

    /// `None` for an upstream that does not exist, which the configuration check rules out.
    fn candidate(
        &self,
        config: &CandidateConfig,
        index: usize,
        pattern: &Pattern,
        of_route: &TimeoutsOverride,
    ) -> Option<Candidate> {
        let upstream = Arc::clone(self.upstreams.get(&config.upstream)?);
        let model: Option<Arc<str>> = config.model.as_deref().map(Into::into);
        let label = model.as_ref().unwrap_or(pattern.as_str());
        let health = self
            .health
            .model(upstream.id(), label, upstream.key_count());
        let account = self.config.upstreams.get(&config.upstream)?;
        let knowledge = Knowledge::of(
            account.provider,
            config.model.as_deref().or_else(|| pattern.exact()),
            config.capabilities.or(account.capabilities),
            self.models.clone(),
        );
        let timeouts = [&account.timeouts, of_route, &config.timeouts]
            .into_iter()
            .fold(self.config.timeouts.clone(), |base, more| more.over(&base));
        let position = u32::try_from(index + 1).unwrap_or(u32::MAX);
        Some(Candidate {
            number: Candidate::number_of(upstream.id(), model.as_ref()),
            upstream,
            model,
            knowledge,
            tier: config.tier.unwrap_or(position),
            weight: config.weight.unwrap_or(1),
            domain: account.domain.as_deref().map(Into::into),
            timeouts: Arc::new(timeouts),
            does_without: DoesWithout::default(),
            health,
        })
    }

    /// The rule for requests that match no route: the first upstream in the file.
    fn first_upstream(&self) -> Rule {
        let pattern = Pattern::new("*");
        let first = self
            .config
            .upstreams
            .keys()
            .next()
            .map(|id| CandidateConfig {
                upstream: id.clone(),
                ..CandidateConfig::default()
            });
        Rule {
            candidates: first
                .and_then(|first| self.candidate(&first, 0, &pattern, &TimeoutsOverride::default()))
                .into_iter()
                .collect(),
            pattern,
            route: "none".into(),
            strategy: Strategy::default(),
            is_hedged: false,
            continuation: Continuation::Off,
            hold: None,
            refusals: Refusals::default(),
            total: self.config.timeouts.total,
            wait: self.config.timeouts.wait,
        }
    }
}

/// Figures are kept of these upstreams, models and clients from now on.
fn follow(history: &History, config: &Config, routes: &RouteTable) {
    let upstreams: Vec<UpstreamId> = config.upstreams.keys().cloned().collect();
    history.adopt(&upstreams, &models(routes));
    let clients = config.clients.iter();
    let clients: Vec<Arc<str>> = clients.map(|client| client.name.as_str().into()).collect();
    history.adopt_clients(&clients);
}

pub(super) fn model_rules(config: &Config) -> ModelRules {
    let rules = config.models.iter();
    ModelRules::new(
        rules
            .map(|(pattern, said)| (Pattern::new(pattern), *said))
            .collect(),
    )
}

pub(super) async fn upstreams(
    config: &Config,
    before: &Upstreams,
) -> Result<Upstreams, StartError> {
    let mut trust = Trust::default();
    let mut upstreams = Upstreams::new();
    for (id, upstream) in &config.upstreams {
        // The check of the configuration has made sure that it is a URL.
        let url: Uri = upstream.base_url().parse().unwrap_or_default();
        let proxy = config.proxy_for(upstream);
        if let Some(proxy) = &proxy {
            tracing::info!(upstream = %id, "{id} is reached through the forward proxy {proxy}");
        }
        let connect = upstream.timeouts.over(&config.timeouts).connect;
        let tls = trust.of(id, upstream, &url, proxy.as_ref())?;
        let of_proxy = proxy.iter().flat_map(ForwardProxy::secrets);
        let secrets: Vec<_> = of_proxy.chain(upstream.secret_paths()).collect();
        let connector = Connector::to(url, tls, connect).through(proxy);
        let client = Client::new(connector);
        let keys = keys(id, upstream).await?;
        let seats = seats(upstream, before.get(id));
        let upstream = one_upstream(id, upstream, keys, client)
            .with_seats(seats)
            .with_secrets(secrets);
        upstreams.insert(id.clone(), Arc::new(upstream));
    }
    Ok(upstreams)
}

/// The keys that stand in the configuration, or the one that is read from its source.
async fn keys(id: &UpstreamId, config: &UpstreamConfig) -> Result<Vec<Key>, StartError> {
    let header = config.provider.key_header();
    let Some(source) = config.key_source() else {
        let keys = config.keys();
        let credentials = keys.iter().filter_map(|key| Credential::new(key, header));
        return Ok(credentials.map(Key::Fixed).collect());
    };
    let place = match &source {
        KeySource::File(path) => format!("api_key_file: {}", path.display()),
        KeySource::Command { argv, .. } => {
            format!(
                "api_key_command: {}",
                argv.first().map_or("", String::as_str)
            )
        }
    };
    match Key::read(source, header).await {
        Ok(key) => Ok(vec![key]),
        Err(reason) => Err(StartError::Key {
            whose: format!("upstreams.{id}.{place}"),
            reason,
        }),
    }
}

/// The seats of an upstream: those of `before`, with whoever sits on them, if their number has not changed.
fn seats(config: &UpstreamConfig, before: Option<&Arc<Upstream>>) -> Option<Arc<Seats>> {
    let concurrency = config.concurrency?;
    let before = before.and_then(|upstream| upstream.seats());
    let kept = before.filter(|seats| seats.is_as(concurrency, config.queue));
    let new = || Arc::new(Seats::new(concurrency, config.queue));
    Some(kept.cloned().unwrap_or_else(new))
}

fn one_upstream(
    id: &UpstreamId,
    config: &UpstreamConfig,
    keys: Vec<Key>,
    client: Client,
) -> Upstream {
    let api = UpstreamApi {
        has_responses: config.has_responses(),
        marks_cache: config.marks_cache(),
        quirks: config.quirks.over(config.provider.quirks()),
        prefill: config.prefill(),
        ..UpstreamApi::new(config.provider.dialect())
    };
    Upstream::new(id.clone(), api, config.base_url(), keys, client)
        .with_messages(messages(config))
        .with_api_version(config.api_version.as_deref())
        .with_credential(config.credential)
        .with_error_rules(config.errors.clone())
        .with_headers(extra_headers(config))
}

/// Where it speaks Anthropic's API, too. What only the provider's own URL is known to do is not expected of another.
fn messages(config: &UpstreamConfig) -> Option<MessagesUrl> {
    let of_provider = config.provider.messages();
    let known = of_provider.filter(|_| config.messages_url.is_none());
    Some(MessagesUrl {
        url: config.messages_url()?,
        only: of_provider.and_then(|messages| messages.only),
        counts: known.is_some_and(|messages| messages.counts),
    })
}

fn extra_headers(config: &UpstreamConfig) -> Vec<Credential> {
    let headers = config.headers.iter();
    headers
        .filter_map(|(name, value)| Credential::of_header(name, value))
        .collect()
}
