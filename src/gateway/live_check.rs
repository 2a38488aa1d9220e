//! Asks every upstream of a configuration for its models: is it there, does it accept its keys, has it the models?
//!
//! `GET /models` costs nothing, and nothing else is asked.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::assemble::{Upstreams, upstreams};
use super::model_check::{NamedModel, named_models};
use super::start_error::StartError;
use crate::catalogue::is_listed_as;
use crate::config::{
    Config, CredentialFrom, KeySource, Secret, UpstreamConfig, UpstreamId, did_you_mean,
};
use crate::outcome::{Outcome, Unreachable};
use crate::upstream::{ListedModel, NoList, SendError, Upstream};

/// The longest wait for a list, once there is a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is found about an upstream, one of its keys, or a model there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFinding {
    /// The upstream.
    pub upstream: UpstreamId,
    /// What is found, in a sentence without the upstream. No key is in it.
    pub message: String,
    /// What to do about it; `None`: all is well.
    pub fix: Option<String>,
}

/// Asks all upstreams at the same time; the findings are in the order of the configuration.
pub async fn check_live(config: &Config) -> Vec<LiveFinding> {
    let mut asking = JoinSet::new();
    for (place, (id, upstream)) in config.upstreams.iter().enumerate() {
        let visit = Visit {
            id: id.clone(),
            config: upstream.clone(),
            all: config.clone(),
            found: Vec::new(),
        };
        asking.spawn(async move { (place, visit.made().await) });
    }
    let mut found = asking.join_all().await;
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().flat_map(|(_, found)| found).collect()
}

/// What is done at one upstream.
struct Visit {
    id: UpstreamId,
    config: UpstreamConfig,
    all: Config,
    found: Vec<LiveFinding>,
}

impl Visit {
    async fn made(mut self) -> Vec<LiveFinding> {
        match self.upstream().await {
            Ok(Some(upstream)) => {
                if let Some(list) = self.ask(&upstream).await {
                    self.models(&list, upstream.names_models_in_paths());
                }
            }
            Ok(None) => {}
            Err(error) => {
                let fix = "mend what the configuration names there, or the rights of this user";
                self.wrong(error.to_string(), fix.to_owned());
            }
        }
        self.found
    }

    /// The upstream alone: what is wrong with another one is no obstacle.
    async fn upstream(&self) -> Result<Option<Arc<Upstream>>, StartError> {
        let mut config = self.all.clone();
        config.upstreams.retain(|id, _| *id == self.id);
        Ok(upstreams(&config, &Upstreams::new())
            .await?
            .remove(&self.id))
    }

    /// Asks with every key; the first list that comes.
    async fn ask(&mut self, upstream: &Upstream) -> Option<Vec<ListedModel>> {
        let patience = self.patience();
        let (mut list, mut is_public) = (None, false);
        for key in 0..upstream.key_count().max(1) {
            let asked_at = Instant::now();
            match upstream.list_models(key, patience).await {
                // Its keys may be good or not, it does not say.
                Ok(_) if is_public => {}
                Ok(models) => {
                    let took = asked_at.elapsed();
                    let is_first = list.is_none() && upstream.key_count() > 0;
                    is_public =
                        is_first && upstream.list_models(usize::MAX, patience).await.is_ok();
                    self.listed(key, models.len(), took, is_public);
                    list = list.or(Some(models));
                }
                Err(reason) => {
                    let is_about_key = matches!(reason, NoList::Status(_));
                    self.not_listed(key, reason);
                    if !is_about_key {
                        break;
                    }
                }
            }
        }
        list
    }

    /// The connect timeout of the configuration, and as long for the list as an answer may take to begin.
    fn patience(&self) -> Duration {
        let timeouts = self.config.timeouts.over(&self.all.timeouts);
        let head = timeouts.headers.unwrap_or(timeouts.first_token);
        timeouts.connect + head.min(PATIENCE)
    }

    fn listed(&mut self, key: usize, count: usize, took: Duration, is_public: bool) {
        let key = match self.key(key) {
            _ if self.config.credential == CredentialFrom::Client => {
                "; the clients' own keys are not tested".to_owned()
            }
            Some(_) if is_public => {
                "; it lists them to anybody, so that its keys are not tested".to_owned()
            }
            Some((name, _)) => format!("; {name} is accepted"),
            None => String::new(),
        };
        let plural = if count == 1 { "" } else { "s" };
        self.well(format!(
            "{count} model{plural} listed in {} ms{key}",
            took.as_millis()
        ));
    }

    fn not_listed(&mut self, key: usize, reason: NoList) {
        let place = format!("upstreams.{}", self.id);
        let (message, fix) = match reason {
            NoList::NoReply(error) => self.unreachable(&error),
            NoList::TooLate => (
                format!(
                    "is connected to, but lists no models within {:?}",
                    self.patience()
                ),
                "look at the provider's status page, and ask again".to_owned(),
            ),
            NoList::NotAList => (
                "answers, but not with a list of models".to_owned(),
                format!("see whether {place}.base_url ends where its API begins"),
            ),
            NoList::Status(status) => return self.status(key, status),
        };
        self.wrong(message, fix);
    }

    fn unreachable(&self, error: &SendError) -> (String, String) {
        let SendError { outcome, detail } = error;
        let place = format!("upstreams.{}", self.id);
        let url = self.config.shown_url();
        let Outcome::Unreachable(why) = outcome else {
            let fix = match url.starts_with("http://") {
                true => format!(
                    "see whether it wants https:// in {place}.base_url, and look at the server"
                ),
                false => "look at the provider's status page, and ask again".to_owned(),
            };
            return (format!("{url} sends no reply: {detail}"), fix);
        };
        match why {
            Unreachable::Refused => (
                format!("nobody listens at {url}"),
                format!("start the server, or correct {place}.base_url"),
            ),
            Unreachable::Dns => (
                format!("the name of the host in {url} cannot be resolved"),
                format!("correct {place}.base_url, or the DNS of this machine"),
            ),
            Unreachable::Tls if detail.contains("UnknownIssuer") => (
                format!("TLS fails at {url}: {detail}"),
                format!("name the root that vouches for it: {place}.ca_file"),
            ),
            Unreachable::TimedOut if !detail.contains("TLS") => (
                format!("no connection to {url} in time"),
                "open the firewall for it, or name the forward proxy that leads out (HTTPS_PROXY)"
                    .to_owned(),
            ),
            Unreachable::Tls | Unreachable::TimedOut => (
                format!("TLS fails at {url}: {detail}"),
                format!(
                    "compare {place}.base_url with the certificate's names and dates; plain servers want http://"
                ),
            ),
            Unreachable::Proxy => (
                format!("the forward proxy does not let us through: {detail}"),
                format!("correct {place}.proxy or HTTPS_PROXY, or write `proxy: none`"),
            ),
            Unreachable::Other => (
                format!("{url} cannot be connected to: {detail}"),
                format!("correct {place}.base_url, or the network of this machine"),
            ),
        }
    }

    fn status(&mut self, key: usize, status: u16) {
        let place = format!("upstreams.{}", self.id);
        let key = self.key(key);
        let (message, fix) = match (status, key) {
            (401 | 403, _) if self.config.credential == CredentialFrom::Client => {
                return self.well("reached; the clients' own keys are not tested".to_owned());
            }
            // Google refuses a key so, and nginx whoever comes without TLS.
            (400, Some((name, of_key))) if self.config.shown_url().starts_with("http://") => (
                format!("refuses {name}, or whoever comes without TLS (400)"),
                format!(
                    "see whether it wants https:// in {place}.base_url, and put a valid key in {of_key}"
                ),
            ),
            (400 | 401 | 403, Some((name, place))) => (
                format!("refuses {name} ({status})"),
                format!("put a valid key in {place}, with the right to list models"),
            ),
            (401 | 403, None) => (
                format!("wants a key ({status})"),
                format!("write {place}.api_key"),
            ),
            (402, _) => (
                "has no money left (402)".to_owned(),
                "top up the account".to_owned(),
            ),
            (429, _) => (
                "is reached, but limits our rate (429)".to_owned(),
                "wait, and ask again; if it stays, raise the account's quota".to_owned(),
            ),
            (404 | 405, _) => (
                format!("has no list of models ({status})"),
                format!("see whether {place}.base_url ends where its API begins (such as /v1)"),
            ),
            (300..=399, _) => (
                format!("redirects us elsewhere ({status}), and redirects are not followed"),
                format!("write the final URL in {place}.base_url"),
            ),
            _ => (
                format!("fails itself ({status})"),
                "look at the provider's status page, and ask again".to_owned(),
            ),
        };
        self.wrong(message, fix);
    }

    fn models(&mut self, list: &[ListedModel], has_deployments: bool) {
        // An empty list is that of a server which lists nothing; deployments have names of their own.
        if list.is_empty() || has_deployments {
            return;
        }
        let named = named_models(&self.all).into_iter();
        for model in named
            .filter(|model| model.upstream == self.id)
            .collect::<Vec<_>>()
        {
            self.model(&model, list);
        }
    }

    fn model(&mut self, model: &NamedModel, list: &[ListedModel]) {
        let NamedModel { name, facts, .. } = model;
        let Some(found) = list.iter().find(|listed| is_listed_as(name, &listed.name)) else {
            let fix = did_you_mean(name, list.iter().map(|listed| listed.name.as_str()));
            let fix = fix.unwrap_or_else(|| "name one that it lists".to_owned());
            return self.wrong(format!("does not list {name}"), fix);
        };
        let retires = found.retires.or(facts.retires);
        let retires = retires.map(|day| format!(", which retires on {day}"));
        self.well(format!("has {name}{}", retires.unwrap_or_default()));
    }

    /// How a key is called, and where it stands.
    fn key(&self, number: usize) -> Option<(String, String)> {
        let place = format!("upstreams.{}", self.id);
        match self.config.key_source() {
            Some(KeySource::File(_)) => {
                return Some((
                    "the key in its file".to_owned(),
                    format!("{place}.api_key_file"),
                ));
            }
            Some(KeySource::Command { .. }) => {
                return Some((
                    "the key of its command".to_owned(),
                    format!("{place}.api_key_command"),
                ));
            }
            None => {}
        }
        let keys = self.config.keys();
        let masked = Secret::masked(keys.get(number)?);
        Some(match self.config.api_key.is_some() {
            true => (format!("key {masked}"), format!("{place}.api_key")),
            false => (
                format!("key {} ({masked})", number + 1),
                format!("{place}.api_keys[{number}]"),
            ),
        })
    }

    fn well(&mut self, message: String) {
        self.note(message, None);
    }

    fn wrong(&mut self, message: String, fix: String) {
        self.note(message, Some(fix));
    }

    fn note(&mut self, message: String, fix: Option<String>) {
        self.found.push(LiveFinding {
            upstream: self.id.clone(),
            message,
            fix,
        });
    }
}
