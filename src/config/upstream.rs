//! Provider accounts.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde::Deserialize;

use super::{CapabilitiesConfig, ErrorRule, QuirksConfig, Secret, TimeoutsOverride, duration};
use crate::catalogue::{Prefill, Provider};

/// One provider account at one URL.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamConfig {
    /// Decides the URL, the credential's header and the API.
    pub provider: Provider,
    /// Another URL than the provider's.
    pub base_url: Option<String>,
    /// Whether a reference in one of its URLs was expanded: it may stand for a secret.
    #[serde(skip)]
    pub(super) has_expanded_url: bool,
    /// Where it speaks Anthropic's API besides `OpenAI`'s: the URL below which `/messages` lies, or `none`; left out: as its
    /// provider.
    pub messages_url: Option<String>,
    /// Azure's older API, with deployments in its paths: the version of it to ask for.
    pub api_version: Option<String>,
    /// The key.
    pub api_key: Option<Secret>,
    /// Several keys, used in turn.
    pub api_keys: Vec<Secret>,
    /// A file with the key, read again when it changes.
    pub api_key_file: Option<PathBuf>,
    /// A command that writes the key, with its arguments; run again when the key expires or is refused.
    pub api_key_command: Vec<String>,
    /// How long what the command writes is used; left out: until it expires or is refused.
    #[serde(deserialize_with = "duration::read_optional")]
    pub api_key_ttl: Option<Duration>,
    /// Whose key is sent.
    pub credential: CredentialFrom,
    /// Whether it has `/responses`; left out: as its provider. If not, it is asked for chat completions.
    pub responses: Option<bool>,
    /// Whether a prompt that is translated for it is marked for its cache where the client marks nothing; left out: at Anthropic
    /// only.
    pub prompt_cache: Option<bool>,
    /// How it is asked to continue the start of an answer; left out: as its provider.
    pub prefill: Option<Prefill>,
    /// What is to be known of its models, where the catalogue is wrong.
    pub capabilities: CapabilitiesConfig,
    /// How chats must be written for it, where that differs from its provider.
    pub quirks: QuirksConfig,
    /// What it shares with other upstreams, such as a cloud or a CDN: they are likely to fail together.
    pub domain: Option<String>,
    /// What its errors mean, where the built-in tables are wrong. The first rule that fits decides.
    pub errors: Vec<ErrorRule>,
    /// A PEM file with root certificates to trust besides the usual ones.
    pub ca_file: Option<PathBuf>,
    /// How many requests it serves at a time; left out: any number.
    pub concurrency: Option<usize>,
    /// Who waits for a seat when it serves as many as that.
    pub queue: SeatQueue,
    /// A PEM file with the certificate that we show it, and those that vouch for it.
    pub client_cert: Option<PathBuf>,
    /// A PEM file with the key of that certificate.
    pub client_key: Option<PathBuf>,
    /// The forward proxy that leads to it, or `none`; left out: as the environment says.
    pub proxy: Option<Secret>,
    /// Further headers of every request to it, by their names.
    pub headers: IndexMap<String, Secret>,
    /// How long to wait for it, where that differs from the general `timeouts`.
    pub timeouts: TimeoutsOverride,
}

impl UpstreamConfig {
    /// All keys, in order; none if it needs none.
    pub fn keys(&self) -> Vec<Secret> {
        self.api_key.iter().chain(&self.api_keys).cloned().collect()
    }

    /// Where the key is read from, if it does not stand in the configuration.
    pub fn key_source(&self) -> Option<KeySource> {
        match &self.api_key_file {
            Some(path) => Some(KeySource::File(path.clone())),
            None if self.api_key_command.is_empty() => None,
            None => Some(KeySource::Command {
                argv: self.api_key_command.clone(),
                ttl: self.api_key_ttl,
            }),
        }
    }

    /// Whether a prompt is marked for its cache where the client marks nothing. Those that copy Anthropic's API may not know the
    /// mark.
    pub fn marks_cache(&self) -> bool {
        self.prompt_cache
            .unwrap_or_else(|| self.provider.name() == "anthropic")
    }

    /// Whether it has `/responses`.
    pub fn has_responses(&self) -> bool {
        self.responses
            .unwrap_or_else(|| self.provider.has_responses())
    }

    /// How it is asked to continue the start of an answer.
    pub fn prefill(&self) -> Prefill {
        self.prefill.unwrap_or_else(|| self.provider.prefill())
    }

    /// The URL below which `/messages` lies where it speaks Anthropic's API, too, without trailing slash. A provider's own
    /// is not assumed at another URL than the provider's.
    pub fn messages_url(&self) -> Option<String> {
        match self.messages_url.as_deref() {
            Some("none") => None,
            Some(url) => Some(url.trim_end_matches('/').to_owned()),
            None if self.base_url.is_some() && self.provider.base_url().is_some() => None,
            None => {
                let path = self.provider.messages()?.path;
                Some(format!("{}{path}", origin(self.base_url())))
            }
        }
    }

    /// The URL below which paths such as `/chat/completions` lie, without trailing slash.
    pub fn base_url(&self) -> &str {
        let url = self
            .base_url
            .as_deref()
            .or_else(|| self.provider.base_url());
        url.unwrap_or_default().trim_end_matches('/')
    }

    /// What is shown of that URL: its origin alone where a reference was expanded.
    pub fn shown_url(&self) -> &str {
        match self.has_expanded_url {
            true => origin(self.base_url()),
            false => self.base_url(),
        }
    }

    /// The paths of its URLs, where a reference was expanded: they may hold a secret.
    pub fn secret_paths(&self) -> Vec<Secret> {
        let urls = [Some(self.base_url().to_owned()), self.messages_url()];
        let urls = urls.into_iter().flatten().filter(|_| self.has_expanded_url);
        urls.map(|url| Secret::from(url[origin(&url).len()..].to_owned()))
            .collect()
    }
}

/// Scheme, host and port of a URL.
pub(super) fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| host + at);
    &url[..end]
}

/// Whose key is sent to an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialFrom {
    /// The one of the configuration, if there is one.
    #[default]
    Config,
    /// The client's own: its plan or account at this provider pays.
    Client,
}

/// The queue before an upstream that serves a limited number of requests at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeatQueue {
    /// How many requests may wait.
    pub requests: usize,
    /// For how long.
    #[serde(deserialize_with = "duration::read")]
    pub time: Duration,
}

impl Default for SeatQueue {
    fn default() -> Self {
        Self {
            requests: 16,
            time: Duration::from_secs(10),
        }
    }
}

/// Where a key is read from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// A file.
    File(PathBuf),
    /// What a command writes to its standard output.
    Command {
        /// The program and its arguments; no shell is involved.
        argv: Vec<String>,
        /// How long what it writes is used, if it does not say so itself.
        ttl: Option<Duration>,
    },
}

/// The name of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(from = "String")]
pub struct UpstreamId(Arc<str>);

impl Default for UpstreamId {
    fn default() -> Self {
        Self::from("")
    }
}

impl AsRef<str> for UpstreamId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<String> for UpstreamId {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<&str> for UpstreamId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for UpstreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
