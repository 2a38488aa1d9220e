//! The accounts that models of `LiteLLM`'s file are at, each once.

use serde_yaml::Value;

use super::catalog::Known;
use super::notes::Notes;
use super::params::Params;
use super::place::Site;
use super::values::{entries, is_variable, list, text, variable};

/// What says that a server needs no key.
const NO_KEYS: [&str; 5] = ["none", "None", "null", "NONE", "EMPTY"];

/// Where a key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    None,
    /// As it is written: a reference to a variable, or the key itself.
    Written(String),
    /// What `gcloud auth print-access-token` writes.
    Gcloud,
}

/// An account at a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Upstream {
    pub(super) provider: &'static str,
    pub(super) base_url: Option<String>,
    pub(super) api_version: Option<String>,
    pub(super) key: Key,
    pub(super) headers: Vec<(String, String)>,
    pub(super) concurrency: Option<u64>,
}

impl Upstream {
    /// Whether its key stands in the file itself.
    pub(super) fn has_plain_key(&self) -> bool {
        matches!(&self.key, Key::Written(key) if !is_variable(key))
    }
}

/// All upstreams, each with its name.
#[derive(Default)]
pub(super) struct Upstreams(Vec<(String, Upstream)>);

impl Upstreams {
    /// The name of an upstream, which is new or known already.
    pub(super) fn name_of(&mut self, upstream: Upstream) -> String {
        if let Some((name, _)) = self.0.iter().find(|(_, known)| *known == upstream) {
            return name.clone();
        }
        let provider = upstream.provider;
        let alike = self
            .0
            .iter()
            .filter(|(_, known)| known.provider == provider)
            .count();
        let name = match alike {
            0 => provider.to_owned(),
            _ => format!("{provider}-{}", alike + 1),
        };
        self.0.push((name.clone(), upstream));
        name
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(String, Upstream)> {
        self.0.iter()
    }
}

/// The upstreams of one entry: one for each organisation that it names.
pub(super) fn of(
    known: Known,
    site: Site,
    params: &Params<'_>,
    notes: &mut Notes,
) -> Vec<Upstream> {
    let provider = site.provider.unwrap_or(known.provider);
    let upstream = Upstream {
        provider,
        key: key(known, &site, params, notes),
        base_url: site.base_url,
        api_version: site.api_version,
        headers: headers(params, notes),
        concurrency: concurrency(params),
    };
    let organizations = params.get("organization").map(list).unwrap_or_default();
    let organizations: Vec<String> = organizations.into_iter().filter_map(text).collect();
    if organizations.is_empty() {
        return vec![upstream];
    }
    let with = |organization: String| {
        let mut upstream = upstream.clone();
        let header = ("OpenAI-Organization".to_owned(), organization);
        upstream.headers.push(header);
        upstream
    };
    organizations.into_iter().map(with).collect()
}

fn key(known: Known, site: &Site, params: &Params<'_>, notes: &mut Notes) -> Key {
    match params.text("api_key") {
        Some(key) if NO_KEYS.contains(&key.as_str()) => Key::None,
        Some(key) => {
            if !is_variable(&key) {
                notes.tell(format!(
                    "the key of {} stands in the result as it stands in the file, in plain text: export a variable, and write ${{NAME}} in its place",
                    params.group
                ));
            }
            Key::Written(key)
        }
        None if site.is_by_gcloud => Key::Gcloud,
        // Another server than the one whose key it would be.
        None if known.key.is_empty() || is_own_server(site) => Key::None,
        None => Key::Written(variable(known.key)),
    }
}

/// Whether it is a server of one's own, behind the name of a provider.
fn is_own_server(site: &Site) -> bool {
    matches!(site.provider, Some("openai-compatible" | "tgi"))
}

fn headers(params: &Params<'_>, notes: &mut Notes) -> Vec<(String, String)> {
    let of = |key| params.get(key).into_iter().flat_map(entries);
    let all = of("extra_headers").chain(of("headers"));
    let mut headers = Vec::new();
    for (name, value) in all {
        let is_name = name.parse::<http::HeaderName>().is_ok();
        match (is_name, text(value)) {
            (true, Some(value)) => headers.push((name.to_owned(), value)),
            (true, None) => notes.left_out_of(params.group, "extra_headers", "a value is no text"),
            (false, _) => {
                let why = "a name cannot be that of a header";
                notes.left_out_of(params.group, "extra_headers", why);
            }
        }
    }
    headers
}

fn concurrency(params: &Params<'_>) -> Option<u64> {
    let number = params.number("max_parallel_requests")?;
    Some(number.round().max(1.0) as u64)
}

/// What a value of `model_info` says, if it is a number of tokens.
pub(super) fn tokens(info: &Value, key: &str) -> Option<u64> {
    info.get(key)?.as_u64().filter(|tokens| *tokens > 0)
}
