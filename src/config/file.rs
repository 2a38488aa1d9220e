//! The file as a whole: its top-level keys, and what holds without them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::Deserialize;

use super::capability::CapabilitiesConfig;
use super::client::ClientConfig;
use super::limits::LimitsConfig;
use super::log::LogConfig;
use super::notify::NotifyConfig;
use super::problem::Problem;
use super::proxy::{ForwardProxy, ProxyVariables};
use super::reload::ReloadWhen;
use super::route::{ModelList, RouteConfig};
use super::server::{self, AdminConfig, ListenerTls};
use super::shared::SharedConfig;
use super::timeouts::TimeoutsConfig;
use super::traces::{Collector, TraceVariables, TracesConfig};
use super::upstream::{UpstreamConfig, UpstreamId};

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where clients are served.
    #[serde(deserialize_with = "server::address")]
    pub listen: SocketAddr,
    /// Whether another process that says so, too, may listen on the same addresses (`SO_REUSEPORT`): then a new one takes
    /// over while this one drains.
    pub reuse_port: bool,
    /// Serve clients over TLS.
    pub tls: Option<ListenerTls>,
    /// The operators' address.
    pub admin: AdminConfig,
    /// Who may call; empty: whoever reaches the address.
    pub clients: Vec<ClientConfig>,
    /// Names by which the proxy may be called, besides IP addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Origins whose web pages may call.
    pub cors: Vec<String>,
    /// The provider accounts, in the order of the file.
    pub upstreams: IndexMap<UpstreamId, UpstreamConfig>,
    /// What is to be known of models, by their names; a `*` at the end stands for anything.
    pub models: IndexMap<String, CapabilitiesConfig>,
    /// Which models are served by whom.
    pub routes: Vec<RouteConfig>,
    /// Where `/models` has its models from.
    pub list_models: ModelList,
    /// Whether upstreams are asked, when the process starts, whether they still have the models that are named here.
    pub check_models: bool,
    /// How patient we are.
    pub timeouts: TimeoutsConfig,
    /// How much we take.
    pub limits: LimitsConfig,
    /// When it is read again.
    pub reload: ReloadWhen,
    /// What is logged.
    pub log: LogConfig,
    /// Where traces are sent.
    pub traces: TracesConfig,
    /// The webhooks that are told when something goes wrong.
    pub notify: Vec<NotifyConfig>,
    /// Through whom replicas share what they know.
    pub shared: SharedConfig,
    /// Where to remember, over a restart, which upstream created what, and the history.
    pub state_dir: Option<PathBuf>,
    /// Whether it is counted what clients had and how upstreams did.
    pub history: bool,
    /// Whether it was made from the environment: then a fallback model that is gone is replaced.
    #[serde(skip)]
    pub is_made: bool,
    /// What works, but probably not as it is meant, in the order of the text.
    #[serde(skip)]
    pub warnings: Vec<Problem>,
    /// The files that its texts refer to.
    #[serde(skip)]
    pub(super) texts_from: Vec<PathBuf>,
    /// Forward proxies, by the environment.
    #[serde(skip)]
    pub(super) proxies: ProxyVariables,
    /// Where traces are sent, by the environment.
    #[serde(skip)]
    pub(super) trace_variables: TraceVariables,
}

impl Config {
    /// The scheme of the clients' address.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The forward proxy that leads to an upstream: its own, or the one that the environment names for its URL.
    pub fn proxy_for(&self, upstream: &UpstreamConfig) -> Option<ForwardProxy> {
        match &upstream.proxy {
            None => self.proxies.for_url(upstream.base_url()),
            Some(text) if text.expose() == "none" => None,
            Some(text) => ForwardProxy::parse(text).ok(),
        }
    }

    /// Where traces are sent, by the file or else by the environment; `None`: nothing is traced.
    pub fn collector(&self) -> Option<Collector> {
        self.trace_variables.collector(&self.traces)
    }

    /// The files besides its own that are read when it is loaded: certificates and their keys, and those that texts refer to.
    /// Files of `api_key_file` are not among them, since they are read again while they are used.
    pub fn files(&self) -> Vec<&Path> {
        let listener = self.tls.iter().flat_map(|tls| [&tls.cert, &tls.key]);
        let upstreams = self.upstreams.values().flat_map(|upstream| {
            let certificates = [&upstream.ca_file, &upstream.client_cert];
            certificates.into_iter().chain([&upstream.client_key])
        });
        let certificates = listener.chain(upstreams.flatten());
        let all = certificates.chain(&self.texts_from);
        all.map(AsRef::as_ref).collect()
    }

    /// The forward proxy that the environment names for another URL.
    pub fn proxy_for_url(&self, url: &str) -> Option<ForwardProxy> {
        self.proxies.for_url(url)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4000)),
            reuse_port: false,
            tls: None,
            admin: AdminConfig::default(),
            clients: Vec::new(),
            hosts: Vec::new(),
            cors: Vec::new(),
            upstreams: IndexMap::new(),
            models: IndexMap::new(),
            routes: Vec::new(),
            list_models: ModelList::default(),
            check_models: true,
            is_made: false,
            warnings: Vec::new(),
            timeouts: TimeoutsConfig::default(),
            limits: LimitsConfig::default(),
            reload: ReloadWhen::default(),
            log: LogConfig::default(),
            traces: TracesConfig::default(),
            notify: Vec::new(),
            shared: SharedConfig::default(),
            state_dir: None,
            history: true,
            texts_from: Vec::new(),
            proxies: ProxyVariables::default(),
            trace_variables: TraceVariables::default(),
        }
    }
}
