//! Upstreams that nobody uses, and routes in which everybody fails together.

use std::collections::HashSet;

use super::Look;
use super::models::is_at_its_provider;
use crate::config::path::Path;
use crate::config::route::RouteConfig;
use crate::config::upstream::{UpstreamConfig, UpstreamId, origin};

impl Look<'_> {
    pub(super) fn unused(&mut self) {
        let config = self.config;
        let candidates = config.routes.iter().flat_map(|route| &route.candidates);
        let used: HashSet<&UpstreamId> = candidates.map(|candidate| &candidate.upstream).collect();
        for (index, id) in config.upstreams.keys().enumerate() {
            if used.contains(id) {
                continue;
            }
            let message = match index {
                // What names no model goes to the first one.
                0 => {
                    "no route uses it: it gets only requests without a model, and stands in for nobody"
                }
                _ => "no route uses it: it gets no request, and stands in for nobody",
            };
            let hint = "name it as a candidate of a route, or remove it".to_owned();
            let path = Path::default().key("upstreams").key(id.as_ref());
            self.found.note(path, message, Some(hint));
        }
    }

    pub(super) fn stand_ins(&mut self) {
        let config = self.config;
        let all: Vec<&UpstreamConfig> = config.upstreams.values().collect();
        if let Some(company) = common(&all, company).map(in_words) {
            let message = format!(
                "all go to {company}: when it fails, every request fails, for nobody can stand in"
            );
            let hint = "add an upstream of another provider, and name it as a candidate";
            let path = Path::default().key("upstreams");
            self.found.note(path, message, Some(hint.to_owned()));
            return;
        }
        for (index, route) in config.routes.iter().enumerate() {
            let path = Path::default().key("routes").index(index).key("candidates");
            self.route(route, path);
        }
    }

    fn route(&mut self, route: &RouteConfig, path: Path) {
        // No other model makes the same vectors.
        if route.models.iter().all(|model| model.contains("embed")) {
            return;
        }
        let upstreams = &self.config.upstreams;
        let candidates = route.candidates.iter();
        let candidates: Vec<&UpstreamConfig> = candidates
            .filter_map(|candidate| upstreams.get(&candidate.upstream))
            .collect();
        let (message, hint) = if let Some(company) = common(&candidates, company).map(in_words) {
            (
                format!("all go to {company}: when it fails, requests of this route fail"),
                "add a candidate of another provider",
            )
        } else if let Some(domain) = common(&candidates, |one| one.domain.clone()) {
            (
                format!(
                    "all are in the failure domain `{domain}`: when it fails, requests of this route fail"
                ),
                "add a candidate of another domain",
            )
        } else {
            return;
        };
        self.found.note(path, message, Some(hint.to_owned()));
    }
}

/// What all of them have in common.
fn common(
    upstreams: &[&UpstreamConfig],
    what: impl Fn(&UpstreamConfig) -> Option<String>,
) -> Option<String> {
    let (first, rest) = upstreams.split_first()?;
    let first = what(first)?;
    let is_same = |one: &&UpstreamConfig| what(one).as_ref() == Some(&first);
    rest.iter().all(is_same).then_some(first)
}

/// Who runs it: the provider, if it is one that needs a key and is at its own place; else the server at that URL.
fn company(upstream: &UpstreamConfig) -> Option<String> {
    let provider = upstream.provider;
    let is_cloud = provider.base_url().is_none() && !provider.key_variables().is_empty();
    let is_remote = is_at_its_provider(upstream) && !provider.key_variables().is_empty();
    Some(match is_cloud || is_remote {
        true => provider.name().to_owned(),
        false => origin(upstream.base_url()).to_owned(),
    })
}

/// A URL may hold what somebody keeps in a variable.
fn in_words(company: String) -> String {
    match company.contains("://") {
        true => "the same server".to_owned(),
        false => company,
    }
}
