//! A configuration made from the provider keys in the environment.

use crate::catalogue::Provider;

/// The text of a configuration for the providers whose keys are set, with references instead of the keys; `None` if
/// no key is set.
///
/// Every model goes first to its own provider, then to the others as fallbacks, each with a model of its own.
pub fn from_environment(variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    // Where the URL must be configured too, the key alone is not enough.
    let has_key = |provider: &Provider| {
        provider
            .key_variable()
            .filter(|_| provider.base_url().is_some())
            .is_some_and(|name| variable(name).is_some_and(|key| !key.is_empty()))
    };
    let providers: Vec<Provider> = Provider::all().filter(has_key).collect();
    let preferred = providers.first()?;
    let mut text = String::from(
        "# Made from the provider keys in the environment. Save it as backstop.yaml to change it.\nupstreams:\n",
    );
    for provider in &providers {
        let name = provider.name();
        let key = provider.key_variable().unwrap_or_default();
        text += &format!("  {name}: {{provider: {name}, api_key: \"${{{key}}}\"}}\n");
    }
    text += "routes:\n";
    for provider in providers
        .iter()
        .filter(|provider| *provider != preferred && !provider.families().is_empty())
    {
        text += &route(provider.families(), *provider, &providers);
    }
    text += &route(&["*"], *preferred, &providers);
    Some(text)
}

fn route(patterns: &[&str], first: Provider, providers: &[Provider]) -> String {
    let patterns: Vec<String> = patterns
        .iter()
        .map(|pattern| format!("\"{pattern}\""))
        .collect();
    let mut text = format!(
        "  - models: [{}]\n    candidates:\n      - {{upstream: {}}}\n",
        patterns.join(", "),
        first.name()
    );
    for other in providers.iter().filter(|other| **other != first) {
        text += &format!(
            "      - {{upstream: {}, model: \"{}\"}}\n",
            other.name(),
            other.fallback_model()
        );
    }
    text
}
