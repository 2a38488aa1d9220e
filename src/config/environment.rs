//! A configuration made from the provider keys in the environment.

use crate::catalogue::Provider;

/// The text of a configuration for the providers whose keys are set, with references instead of the keys; `None` if
/// no key is set.
///
/// Every model goes first to its own provider, then to the others as fallbacks, each with a model of its own.
pub fn from_environment(variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let is_set = |name: &&&str| variable(name).is_some_and(|key| !key.is_empty());
    let with_key = |provider: Provider| {
        let key = provider.key_variables().iter().find(is_set)?;
        is_meant(provider).then_some((provider, *key))
    };
    let keyed: Vec<(Provider, &str)> = Provider::all().filter_map(with_key).collect();
    let (preferred, _) = *keyed.first()?;
    let mut text = String::from(
        "# Made from the provider keys in the environment. Save it as backstop.yaml to change it.\nupstreams:\n",
    );
    for (provider, key) in &keyed {
        let name = provider.name();
        text += &format!("  {name}: {{provider: {name}, api_key: \"${{{key}}}\"}}\n");
    }
    text += "routes:\n";
    let providers: Vec<Provider> = keyed.iter().map(|(provider, _)| *provider).collect();
    for provider in providers
        .iter()
        .filter(|provider| **provider != preferred && !provider.families().is_empty())
    {
        text += &route(provider.families(), *provider, &providers);
    }
    text += &route(&["*"], preferred, &providers);
    Some(text)
}

/// Whether a key means that its provider is to be used. Where the URL must be configured too, the key alone is not enough;
/// a provider without models of its own and without a fallback model has a key that serves other purposes as well.
fn is_meant(provider: Provider) -> bool {
    let has_models = !provider.families().is_empty() || !provider.fallback_models().is_empty();
    provider.base_url().is_some() && has_models
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
        if let Some(model) = other.fallback_models().first() {
            text += &format!(
                "      - {{upstream: {}, model: \"{model}\"}}\n",
                other.name()
            );
        }
    }
    text
}
