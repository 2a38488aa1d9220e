//! Writes our configuration, with comments where something was decided.

use std::path::Path;

use super::routes::{Candidate, Route};
use super::settings::Settings;
use super::upstreams::{Key, Upstream, Upstreams};
use super::values::seconds;

/// What a request may take as a whole unless a timeout is longer, in seconds: the default.
const TOTAL: f64 = 600.0;
/// What stands for the URL in a variable when the result is checked.
const ANY_URL: &str = "https://api.example.com";

/// The whole file.
pub(super) fn write(
    name: &Path,
    upstreams: &Upstreams,
    routes: &[Route],
    settings: &Settings,
) -> String {
    let mut text = format!(
        "# Made by `backstop import litellm` from {}.\n",
        plain_name(name)
    );
    if let Some(key) = &settings.master_key {
        text += "\n# LiteLLM's master key. Give every client one of its own.\nclients:\n";
        text += &format!("  - {{name: master, key: {}}}\n", quoted(key));
    }
    text += "\nupstreams:\n";
    for (name, upstream) in upstreams.iter() {
        text += &upstream_lines(name, upstream);
    }
    text +=
        "\n# Candidates are tried in this order; those of one tier share the requests.\nroutes:\n";
    for route in routes {
        text += &route_lines(route);
    }
    text += &timeouts(settings, routes);
    if let Some(requests) = settings.requests {
        text += &format!("\nlimits: {{requests: {requests}}}\n");
    }
    if let Some(url) = &settings.slack {
        text += &format!("\nnotify:\n  - {{url: {}, format: slack}}\n", quoted(url));
    }
    text
}

/// The name of a file, in a comment.
fn plain_name(name: &Path) -> String {
    name.to_string_lossy()
        .chars()
        .filter(|c| !c.is_control())
        .collect()
}

fn upstream_lines(name: &str, upstream: &Upstream) -> String {
    let mut parts = vec![format!("provider: {}", upstream.provider)];
    if let Some(url) = &upstream.base_url {
        parts.push(format!("base_url: {}", quoted(url)));
    }
    if let Some(version) = &upstream.api_version {
        parts.push(format!("api_version: {}", quoted(version)));
    }
    match &upstream.key {
        Key::None => {}
        Key::Written(key) => parts.push(format!("api_key: {}", quoted(key))),
        Key::Gcloud => {
            parts.push(
                "api_key_command: [gcloud, auth, print-access-token], api_key_ttl: 30m".to_owned(),
            );
        }
    }
    let headers: Vec<String> = upstream
        .headers
        .iter()
        .map(|(name, value)| format!("{}: {}", quoted(name), quoted(value)))
        .collect();
    if !headers.is_empty() {
        parts.push(format!("headers: {{{}}}", headers.join(", ")));
    }
    if let Some(concurrency) = upstream.concurrency {
        parts.push(format!("concurrency: {concurrency}"));
    }
    let comment = match upstream.has_plain_key() {
        true => "  # Better: export a variable, and write api_key: \"${NAME}\".\n",
        false => "",
    };
    format!("{comment}  {name}: {{{}}}\n", parts.join(", "))
}

fn route_lines(route: &Route) -> String {
    let models: Vec<String> = route.models.iter().map(|model| quoted(model)).collect();
    let mut text = format!("  - models: [{}]\n", models.join(", "));
    if route.is_by_latency {
        text += "    strategy: latency\n";
    }
    if route.is_passed_on {
        text += "    # Content that one refuses is shown to the next one.\n    refusals: next\n";
    }
    text += "    candidates:\n";
    let is_position = |(index, candidate): (usize, &Candidate)| candidate.tier == index + 1;
    let is_plain = route.candidates.iter().enumerate().all(is_position);
    for candidate in &route.candidates {
        text += &candidate_line(candidate, is_plain);
    }
    text
}

fn candidate_line(candidate: &Candidate, is_plain: bool) -> String {
    let mut parts = vec![format!("upstream: {}", candidate.upstream)];
    if let Some(model) = &candidate.model {
        parts.push(format!("model: {}", quoted(model)));
    }
    if !is_plain {
        parts.push(format!("tier: {}", candidate.tier));
    }
    if let Some(weight) = candidate.weight {
        parts.push(format!("weight: {weight}"));
    }
    let times = [
        ("first_token", candidate.first_token),
        ("answer", candidate.answer),
    ];
    let times = written(&times);
    if !times.is_empty() {
        parts.push(format!("timeouts: {{{}}}", times.join(", ")));
    }
    let stated: Vec<String> = candidate
        .capabilities
        .iter()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    if !stated.is_empty() {
        parts.push(format!("capabilities: {{{}}}", stated.join(", ")));
    }
    format!("      - {{{}}}\n", parts.join(", "))
}

/// The general timeouts; the total is long enough for a fallback to be asked as well.
fn timeouts(settings: &Settings, routes: &[Route]) -> String {
    let first_token = settings.stream_timeout.or(settings.timeout);
    let candidates = routes.iter().flat_map(|route| &route.candidates);
    let longest = candidates
        .flat_map(|candidate| [candidate.first_token, candidate.answer])
        .chain([first_token, settings.timeout])
        .flatten()
        .fold(0.0, f64::max);
    let total = Some(longest * 2.0).filter(|total| *total > TOTAL);
    let all = [
        ("first_token", first_token),
        ("answer", settings.timeout),
        ("total", total),
    ];
    match written(&all).as_slice() {
        [] => String::new(),
        all => format!("\ntimeouts: {{{}}}\n", all.join(", ")),
    }
}

fn written(times: &[(&str, Option<f64>)]) -> Vec<String> {
    let times = times.iter().filter_map(|(key, time)| Some((key, (*time)?)));
    times
        .map(|(key, time)| format!("{key}: {}", seconds(time)))
        .collect()
}

/// A text in YAML: in quotes, unless it can only be a text.
fn quoted(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(is_letter)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    match is_plain {
        true => text.to_owned(),
        // A text of JSON is one of YAML.
        false => serde_json::Value::from(text).to_string(),
    }
}

/// The variables that a text refers to and that have no default, each once.
pub(super) fn variables(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (at, _) in text.match_indices("${") {
        let is_escaped = text[..at].ends_with('$');
        let name = text[at + 2..].split('}').next().unwrap_or_default();
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        // `${NAME}` is what comments advise.
        if !is_escaped && is_name && name != "NAME" && names.iter().all(|known| known != name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// What stands for a variable when the result is checked: it need not be set where somebody imports.
pub(super) fn placeholder(text: &str, name: &str) -> String {
    match text.contains(&format!("url: \"${{{name}}}")) {
        true => ANY_URL.to_owned(),
        false => format!("placeholder-of-{name}"),
    }
}
