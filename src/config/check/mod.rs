//! What types cannot express: names that must exist, and keys that are missing or contradict each other.

mod bounds;
mod browsers;
mod clients;
mod errors;
mod keys;
mod network;
mod notes;
mod notify;
mod shared;
mod traces;

use std::collections::{HashMap, HashSet};
use std::path::Path as FilePath;

use http::Uri;
use serde_yaml::Value;

use self::notes::Check;
use super::capability::CapabilitiesConfig;
use super::file::Config;
use super::path::Path;
use super::problem::{Found, did_you_mean};
use super::route::{CandidateConfig, RouteConfig};
use super::upstream::{UpstreamConfig, UpstreamId, origin};
use crate::catalogue::Dialect;

/// Notes everything that is wrong with a configuration that could be read.
pub(super) fn check(config: &Config, value: &Value, found: &mut Found) {
    let mut check = Check {
        config,
        value,
        found,
    };
    check.addresses_and_files();
    check.clients();
    check.hosts();
    check.cors();
    check.upstreams();
    check.proxies();
    check.models();
    check.routes();
    check.timeouts();
    check.limits();
    check.notify();
    check.traces();
    check.shared();
}

impl Check<'_> {
    fn addresses_and_files(&mut self) {
        let root = Path::default();
        let (listen, admin) = (self.config.listen, self.config.admin.listen);
        if listen == admin && listen.port() != 0 && !self.found.is_spoilt(&root.key("listen")) {
            self.note(
                root.key("admin").key("listen"),
                "is the clients' address, too",
            );
        }
        let folder = self.config.state_dir.as_ref();
        if folder.is_some_and(|folder| folder.as_os_str().is_empty()) {
            let message = "is empty: name a folder, or leave it out for the usual one";
            self.note(root.key("state_dir"), message);
        }
        if let Some(token) = &self.config.admin.token {
            self.token(token, root.key("admin").key("token"));
        }
        if let Some(tls) = &self.config.tls {
            self.file(root.key("tls").key("cert"), &tls.cert);
            self.file(root.key("tls").key("key"), &tls.key);
        }
    }

    pub(super) fn file(&mut self, path: Path, file: &FilePath) {
        if file.as_os_str().is_empty() {
            self.note(path, "is missing: name a PEM file");
        } else if !file.is_file() {
            let file = file.to_string_lossy();
            let message = format!("there is no file `{}`", self.found.shown(&path, &file));
            self.note(path, message);
        }
    }

    fn upstreams(&mut self) {
        let upstreams = Path::default().key("upstreams");
        if self.config.upstreams.is_empty() {
            self.found.note(
                upstreams,
                "there are none",
                Some("name at least one, for example openai: {provider: openai, api_key: \"${OPENAI_API_KEY}\"}".to_owned()),
            );
            return;
        }
        for (id, upstream) in &self.config.upstreams {
            self.upstream(id, upstream, &upstreams.key(id.as_ref()));
        }
    }

    fn upstream(&mut self, id: &UpstreamId, upstream: &UpstreamConfig, path: &Path) {
        // Names are used in headers and labels.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if id.as_ref().is_empty() || !id.as_ref().chars().all(is_plain) {
            self.note(
                path.clone(),
                "the name of an upstream is made of letters, digits, `_`, `-` and `.`",
            );
        }
        if upstream.domain.as_ref().is_some_and(String::is_empty) {
            self.note(path.key("domain"), "is empty: leave it out for none");
        }
        self.network(upstream, path);
        let provider = path.key("provider");
        if self.found.is_spoilt(&provider) {
            return;
        }
        if !self.is_written(id, "provider") {
            self.note(
                provider,
                "is missing; for any OpenAI-compatible API write openai-compatible",
            );
            return;
        }
        self.window(upstream.capabilities, &path.key("capabilities"));
        self.timeouts_of_upstream(upstream, path);
        self.concurrency(id, upstream, path);
        self.errors(&upstream.errors, &path.key("errors"));
        self.base_url(upstream, path.key("base_url"));
        self.messages_url(upstream, path.key("messages_url"));
        self.api_version(upstream, path.key("api_version"));
        self.keys(id, upstream, path);
    }

    fn base_url(&mut self, upstream: &UpstreamConfig, path: Path) {
        let url = upstream.base_url();
        if url.is_empty() && upstream.provider.base_url().is_some() {
            self.note(path, "is empty: leave it out for the provider's own");
        } else if url.is_empty() {
            let name = upstream.provider.name();
            self.note(path, match upstream.provider.url_form() {
                Some(form) => format!("is missing: each customer of {name} has their own; write yours, which looks like {form}"),
                None => format!("is missing: {name} stands for any server, so say where it is, for example http://127.0.0.1:8000/v1"),
            });
        } else if let Err(reason) = usable_url(url) {
            self.note(path, reason);
        }
    }

    fn messages_url(&mut self, upstream: &UpstreamConfig, path: Path) {
        let url = match upstream.messages_url.as_deref() {
            None | Some("none") => return,
            Some(url) => url.trim_end_matches('/'),
        };
        if upstream.provider.dialect() == Dialect::Anthropic {
            let name = upstream.provider.name();
            self.note(
                path,
                format!("is for an upstream with OpenAI's API: all of {name} lies below base_url"),
            );
        } else if url.is_empty() {
            self.note(path, "is empty: write none if it speaks OpenAI's API alone");
        } else if let Err(reason) = usable_url(url) {
            self.note(path, reason);
        } else if origin(url) != origin(upstream.base_url()) {
            self.note(path, "must lie at the same host as base_url: make another upstream of another host, with provider: anthropic");
        }
    }

    fn api_version(&mut self, upstream: &UpstreamConfig, path: Path) {
        let Some(version) = &upstream.api_version else {
            return;
        };
        if upstream.provider.name() != "azure" {
            self.note(path, "is for azure only: others have it in their base_url");
        } else if version.is_empty() {
            self.note(
                path,
                "is empty: leave it out for a base_url that ends with /openai/v1",
            );
        } else if upstream.base_url().ends_with("/v1") {
            self.note(path, "is for the older API, whose base_url ends with /openai: leave it out, or take /v1 from the base_url");
        }
    }

    pub(super) fn is_written(&self, id: &UpstreamId, key: &str) -> bool {
        let written = self.value["upstreams"][id.as_ref()].get(key);
        written.is_some_and(|value| !value.is_null())
    }

    fn window(&mut self, capabilities: CapabilitiesConfig, path: &Path) {
        for (key, tokens) in [
            ("context_window", capabilities.context_window),
            ("max_output", capabilities.max_output),
        ] {
            if tokens == Some(0) {
                self.note(path.key(key), "must be at least 1: it counts tokens");
            }
        }
    }

    fn models(&mut self) {
        let models = Path::default().key("models");
        for (pattern, capabilities) in &self.config.models {
            let path = models.key(pattern);
            if let Some(problem) = pattern_problem(pattern) {
                self.note(path.clone(), problem);
            }
            self.window(*capabilities, &path);
        }
    }

    fn routes(&mut self) {
        let routes = Path::default().key("routes");
        if self.config.routes.is_empty() {
            let hint =
                "for example - {models: [\"*\"], candidates: [{upstream: openai}]}".to_owned();
            self.found.note(routes, "there are none", Some(hint));
            return;
        }
        let mut seen: HashMap<&str, Path> = HashMap::new();
        for (index, route) in self.config.routes.iter().enumerate() {
            let path = routes.index(index);
            self.patterns(route, &path, &mut seen);
            self.candidates(route, &path);
            self.hold(route, &path);
            self.wait(route, &path);
            self.timeouts_of_route(route, &path);
        }
    }

    fn patterns<'a>(
        &mut self,
        route: &'a RouteConfig,
        path: &Path,
        seen: &mut HashMap<&'a str, Path>,
    ) {
        let models = path.key("models");
        if route.models.is_empty() {
            self.note(models, "there are none: name at least one model, or \"*\"");
            return;
        }
        for (index, pattern) in route.models.iter().enumerate() {
            let path = models.index(index);
            if self.found.is_spoilt(&path) {
                continue;
            }
            if pattern.is_empty() {
                self.note(path, "is empty");
            } else if pattern_problem(pattern).is_some() {
                let pattern = self.found.shown(&path, pattern);
                let message = format!("`{pattern}`: one `*` may stand, at the end");
                self.note(path, message);
            } else if let Some(other) = seen.get(pattern.as_str()) {
                let pattern = self.found.shown(&path, pattern);
                let message = format!("`{pattern}` has a route already, at {other}");
                self.note(path, message);
            } else {
                seen.insert(pattern, path);
            }
        }
    }

    fn candidates(&mut self, route: &RouteConfig, path: &Path) {
        let candidates = path.key("candidates");
        if route.candidates.is_empty() {
            self.note(candidates, "there are none: name at least one upstream");
            return;
        }
        let mut seen = HashSet::new();
        for (index, candidate) in route.candidates.iter().enumerate() {
            let path = candidates.index(index);
            self.candidate(candidate, &path);
            let is_clear = ["upstream", "model"]
                .iter()
                .all(|key| !self.found.is_spoilt(&path.key(key)));
            if is_clear && !seen.insert((&candidate.upstream, &candidate.model)) {
                self.note(
                    path,
                    "the same upstream and model stand in this route already",
                );
            }
        }
    }

    fn candidate(&mut self, candidate: &CandidateConfig, path: &Path) {
        let upstream = path.key("upstream");
        let known = &self.config.upstreams;
        let name = candidate.upstream.as_ref();
        if name.is_empty() {
            self.note(upstream, "is missing: name an upstream");
        } else if !known.contains_key(&candidate.upstream)
            && !self.found.is_spoilt(&Path::default().key("upstreams"))
        {
            let hint = did_you_mean(name, known.keys().map(AsRef::as_ref));
            let shown = self.found.shown(&upstream, name);
            let message = format!("no upstream is called `{shown}`");
            self.found.note(upstream, message, hint);
        }
        self.window(candidate.capabilities, &path.key("capabilities"));
        if candidate.weight == Some(0) {
            self.note(path.key("weight"), "must be at least 1");
        }
        if candidate.model.as_deref() == Some("") {
            self.note(
                path.key("model"),
                "is empty: leave it out to keep the client's",
            );
        }
    }
}

/// What is wrong with a pattern of models.
fn pattern_problem(pattern: &str) -> Option<&'static str> {
    let (_, stars) = pattern.split_at(pattern.find('*').unwrap_or(pattern.len()));
    match stars {
        _ if pattern.is_empty() => Some("is empty"),
        "" | "*" => None,
        _ => Some("one `*` may stand, at the end"),
    }
}

fn usable_url(url: &str) -> Result<(), String> {
    let wrong = |why: &str| {
        Err(format!(
            "{why}; write for example https://api.example.com/v1"
        ))
    };
    let Ok(uri) = url.parse::<Uri>() else {
        return wrong("is not a URL");
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return wrong("must begin with http:// or https:// and a host");
    }
    if uri.query().is_some() || url.contains('#') {
        return wrong("must not have a query or a fragment");
    }
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return wrong("must not hold a user or a password");
    }
    Ok(())
}
