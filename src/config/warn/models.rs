//! Candidates that cannot know the model that they would be asked for.

use super::Look;
use crate::catalogue::{Provider, Unknown};
use crate::config::path::Path;
use crate::config::route::{CandidateConfig, RouteConfig};
use crate::config::upstream::{UpstreamConfig, origin};

impl Look<'_> {
    pub(super) fn unknown_models(&mut self) {
        let config = self.config;
        for (index, route) in config.routes.iter().enumerate() {
            let path = Path::default().key("routes").index(index);
            for (index, candidate) in route.candidates.iter().enumerate() {
                let path = path.key("candidates").index(index);
                self.unknown_model(route, candidate, path);
            }
            self.nothing_in_common(route, &path);
        }
    }

    fn unknown_model(&mut self, route: &RouteConfig, candidate: &CandidateConfig, path: Path) {
        let Some(provider) = self.native(candidate) else {
            return;
        };
        let (names, path) = match &candidate.model {
            Some(model) => (std::slice::from_ref(model), path.key("model")),
            None => (route.models.as_slice(), path),
        };
        let unknown = names
            .iter()
            .find_map(|name| Some((name, provider.cannot_know(name)?)));
        let Some((name, unknown)) = unknown else {
            return;
        };
        let whose = match unknown {
            Unknown::Others(owner) => format!("which is {}'s", owner.name()),
            Unknown::Vendor => "which is the name of a router for it".to_owned(),
            Unknown::Alias => "which is the name of no model there".to_owned(),
        };
        let shown = self.found.shown(&path, name);
        let message = format!(
            "{} is asked for `{shown}`, {whose}: it refuses every such request, and answers none",
            candidate.upstream
        );
        let hint = own_model(provider, candidate.model.is_some());
        self.found.note(path, message, Some(hint));
    }

    /// Whoever keeps the client's model behind somebody who serves only its own cannot stand in for it.
    fn nothing_in_common(&mut self, route: &RouteConfig, path: &Path) {
        let is_open = |pattern: &&String| pattern.ends_with('*') && is_anybodys(pattern);
        let Some(pattern) = route.models.iter().find(is_open) else {
            return;
        };
        let keeping = route
            .candidates
            .iter()
            .enumerate()
            .filter_map(|(index, candidate)| {
                let provider = self.native(candidate)?;
                (candidate.model.is_none() && provider.serves_own_alone())
                    .then_some((index, candidate, provider))
            });
        let keeping: Vec<_> = keeping.collect();
        let Some((_, first, of_first)) = keeping.first() else {
            return;
        };
        for (index, candidate, provider) in &keeping {
            if provider != of_first {
                let message = format!(
                    "for `{pattern}`, {} is asked for the model that the client named, and has none of {}'s: it cannot stand in for it",
                    candidate.upstream, first.upstream
                );
                let path = path.key("candidates").index(*index);
                self.found
                    .note(path, message, Some(own_model(*provider, false)));
            }
        }
    }

    /// The provider of a candidate, unless another server stands at the URL of its upstream.
    fn native(&self, candidate: &CandidateConfig) -> Option<Provider> {
        let upstream = self.config.upstreams.get(&candidate.upstream)?;
        is_at_its_provider(upstream).then_some(upstream.provider)
    }
}

/// Whether an upstream is at the host of its provider.
pub(super) fn is_at_its_provider(upstream: &UpstreamConfig) -> bool {
    let own = upstream.provider.base_url();
    own.is_some_and(|own| origin(own) == origin(upstream.base_url()))
}

/// Whether a pattern fits models of several providers.
fn is_anybodys(pattern: &str) -> bool {
    let own = Provider::all().filter(|provider| provider.serves_own_alone());
    own.into_iter()
        .all(|provider| provider.cannot_know(pattern).is_none())
}

fn own_model(provider: Provider, is_written: bool) -> String {
    let example = provider.fallback_models().first();
    let example = example.map(|model| format!(", for example `model: {model}`"));
    let what = if is_written { "write" } else { "give it" };
    format!("{what} a `model` of its own{}", example.unwrap_or_default())
}
