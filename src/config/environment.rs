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
        "# Made from the provider keys in the environment. Save it as backstop.yaml to change it.\n",
    );
    for line in keys_without_url(variable) {
        text += &format!("# {line}\n");
    }
    // Every model goes somewhere, and the routes name none.
    text += "list_models: upstreams\nupstreams:\n";
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

/// What is missing for the keys in the environment whose providers have another URL for each customer: a sentence for each.
pub fn keys_without_url(variable: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let (mut named, mut sentences) = (Vec::new(), Vec::new());
    for provider in Provider::all() {
        let (Some(form), [key, ..]) = (provider.url_form(), provider.key_variables()) else {
            continue;
        };
        // Two providers share a variable.
        if !named.contains(key) && variable(key).is_some_and(|key| !key.is_empty()) {
            let name = provider.name();
            named.push(*key);
            sentences.push(format!(
                "{key} is set, but {name} needs a base_url as well, which looks like {form}"
            ));
        }
    }
    sentences
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
