//! What types cannot say: names that must exist, things that must not be missing or contradict each other.

use std::collections::{HashMap, HashSet};
use std::path::Path as FilePath;
use std::time::Duration;

use http::{HeaderValue, Uri};
use serde_yaml::Value;

use super::path::Path;
use super::problem::{Found, did_you_mean};
use super::{Config, RouteConfig, Secret, UpstreamConfig, UpstreamId};

/// Notes everything that is wrong with a configuration that could be read.
pub(super) fn check(config: &Config, value: &Value, found: &mut Found) {
    let mut check = Check {
        config,
        value,
        found,
    };
    check.addresses();
    check.clients();
    check.upstreams();
    check.routes();
    check.timeouts();
    check.limits();
}

struct Check<'a> {
    config: &'a Config,
    /// The values that the configuration was read from: they tell what was left out.
    value: &'a Value,
    found: &'a mut Found,
}

impl Check<'_> {
    fn note(&mut self, path: Path, message: impl Into<String>) {
        self.found.note(path, message, None);
    }

    fn addresses(&mut self) {
        let root = Path::default();
        let (listen, admin) = (self.config.listen, self.config.admin.listen);
        if listen == admin && listen.port() != 0 {
            self.note(
                root.key("admin").key("listen"),
                format!("{admin} is the clients' address, too"),
            );
        }
        if let Some(tls) = &self.config.tls {
            self.file(root.key("tls").key("cert"), &tls.cert);
            self.file(root.key("tls").key("key"), &tls.key);
        }
    }

    fn file(&mut self, path: Path, file: &FilePath) {
        if file.as_os_str().is_empty() {
            self.note(path, "is missing: name a PEM file");
        } else if !file.is_file() {
            self.note(path, format!("there is no file {}", file.display()));
        }
    }

    fn clients(&mut self) {
        let clients = Path::default().key("clients");
        let (mut names, mut keys) = (HashSet::new(), HashSet::new());
        for (index, client) in self.config.clients.iter().enumerate() {
            let path = clients.index(index);
            if client.name.is_empty() {
                self.note(path.key("name"), "is missing: give the client a name");
            } else if !names.insert(&client.name) {
                self.note(
                    path.key("name"),
                    format!("another client is called `{}`, too", client.name),
                );
            }
            if client.key.expose().is_empty() {
                self.note(path.key("key"), "is missing: give the client a key");
            } else if !keys.insert(&client.key) {
                self.note(path.key("key"), "another client has the same key");
            }
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
        // Names stand in headers and labels.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if id.as_ref().is_empty() || !id.as_ref().chars().all(is_plain) {
            self.note(
                path.clone(),
                "the name of an upstream is made of letters, digits, `_`, `-` and `.`",
            );
        }
        if let Some(file) = &upstream.ca_file {
            self.file(path.key("ca_file"), file);
        }
        let provider = path.key("provider");
        if self.found.is_spoilt(&provider) {
            return;
        }
        if self.value["upstreams"][id.as_ref()]
            .get("provider")
            .is_none()
        {
            self.note(
                provider,
                "is missing; for any OpenAI-compatible API write openai-compatible",
            );
            return;
        }
        self.base_url(upstream, path.key("base_url"));
        self.keys(upstream, path);
    }

    fn base_url(&mut self, upstream: &UpstreamConfig, path: Path) {
        let url = upstream.base_url();
        if url.is_empty() {
            let name = upstream.provider.name();
            self.note(path, format!("is missing: {name} stands for any server, so say where it is, for example http://127.0.0.1:8000/v1"));
        } else if let Err(reason) = usable_url(url) {
            self.note(path, reason);
        }
    }

    fn keys(&mut self, upstream: &UpstreamConfig, path: &Path) {
        let (one, several) = (path.key("api_key"), path.key("api_keys"));
        if upstream.api_key.is_some() && !upstream.api_keys.is_empty() {
            self.note(several, "stands beside api_key: put all keys here");
            return;
        }
        if let Some(key) = &upstream.api_key {
            self.key(key, one.clone());
        }
        for (index, key) in upstream.api_keys.iter().enumerate() {
            self.key(key, several.index(index));
        }
        let is_mentioned = self.found.is_spoilt(&several);
        if let Some(variable) = upstream.provider.key_variable()
            && upstream.keys().is_empty()
            && !is_mentioned
        {
            let hint = format!("write api_key: \"${{{variable}}}\"");
            self.found.note(one, "is missing", Some(hint));
        }
    }

    fn key(&mut self, key: &Secret, path: Path) {
        if key.expose().is_empty() {
            self.note(path, "is empty");
        } else if HeaderValue::from_str(key.expose()).is_err() {
            self.note(
                path,
                "has characters that cannot be sent in an HTTP header, perhaps a line break",
            );
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
            if pattern.is_empty() {
                self.note(path, "is empty");
            } else if pattern.trim_end_matches('*').len() + 1 < pattern.len()
                || pattern[..pattern.len() - 1].contains('*')
            {
                self.note(path, format!("`{pattern}`: one `*` may stand, at the end"));
            } else if let Some(other) = seen.get(pattern.as_str()) {
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
        let names = || self.config.upstreams.keys().map(AsRef::as_ref);
        let mut seen = HashSet::new();
        for (index, candidate) in route.candidates.iter().enumerate() {
            let path = candidates.index(index);
            let name = candidate.upstream.as_ref();
            if name.is_empty() {
                self.found
                    .note(path.key("upstream"), "is missing: name an upstream", None);
            } else if !self.config.upstreams.contains_key(&candidate.upstream) {
                let hint = did_you_mean(name, names());
                self.found.note(
                    path.key("upstream"),
                    format!("no upstream is called `{name}`"),
                    hint,
                );
            } else if !seen.insert((name, &candidate.model)) {
                self.found.note(
                    path.clone(),
                    "the same upstream and model stand in this route already",
                    None,
                );
            }
            if candidate.weight == Some(0) {
                self.found
                    .note(path.key("weight"), "must be at least 1", None);
            }
            if candidate.model.as_deref() == Some("") {
                self.found.note(
                    path.key("model"),
                    "is empty: leave it out to keep the client's",
                    None,
                );
            }
        }
    }

    fn timeouts(&mut self) {
        let timeouts = &self.config.timeouts;
        let path = Path::default().key("timeouts");
        let all = [
            ("connect", timeouts.connect),
            ("first_token", timeouts.first_token),
            ("answer", timeouts.answer()),
            ("idle", timeouts.idle),
            ("total", timeouts.total),
        ];
        for (name, duration) in all {
            if duration.is_zero() {
                self.note(path.key(name), "must be longer than nothing");
            }
        }
        if timeouts.first_token > timeouts.total {
            self.note(path.key("first_token"), "is longer than timeouts.total");
        }
    }

    fn limits(&mut self) {
        let limits = &self.config.limits;
        let path = Path::default().key("limits");
        let all = [
            ("body", limits.body),
            ("headers", limits.headers),
            ("connections", limits.connections),
            ("requests", limits.requests),
        ];
        for (name, limit) in all {
            if limit == 0 {
                self.note(path.key(name), "must be at least 1");
            }
        }
        if limits.idle_connection == Duration::ZERO {
            self.note(path.key("idle_connection"), "must be longer than nothing");
        }
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
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.authority().is_none() {
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
