//! The entries of `model_list`: who serves which model.

use anyhow::{Context, bail};
use serde_yaml::Value;

use super::models;
use super::notes::Notes;
use super::params::Params;
use super::place;
use super::upstreams::{self, Upstreams, tokens};
use super::values::{entries, number};

/// What `model_info` says about abilities, and our key for it.
const ABILITIES: [(&str, &str); 4] = [
    ("supports_function_calling", "tools"),
    ("supports_response_schema", "json_schema"),
    ("supports_vision", "vision"),
    ("supports_audio_input", "audio"),
];

/// One model at one upstream.
#[derive(Clone, Debug)]
pub(super) struct Deployment {
    /// What clients call it; several may have the same name. A `*` at the end stands for anything.
    pub(super) group: String,
    /// Its own name, by which a fallback may refer to it.
    pub(super) id: Option<String>,
    pub(super) upstream: String,
    /// The upstream's name for it; a `*` at the end stands for what the client's name has in place of its own.
    pub(super) model: String,
    /// The provider's name among ours.
    pub(super) provider: &'static str,
    /// Lower ones are tried first.
    pub(super) order: u64,
    pub(super) share: Share,
    /// In seconds.
    pub(super) timeout: Option<f64>,
    pub(super) stream_timeout: Option<f64>,
    /// Our keys of `capabilities`, with their values.
    pub(super) capabilities: Vec<(&'static str, String)>,
}

/// What a share of the requests may be measured by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    pub(super) weight: Option<f64>,
    pub(super) rpm: Option<f64>,
    pub(super) tpm: Option<f64>,
}

/// Reads `model_list`. Entries that cannot be imported are noted.
pub(super) fn read(
    file: &Value,
    notes: &mut Notes,
) -> anyhow::Result<(Upstreams, Vec<Deployment>)> {
    let list = file.get("model_list").and_then(Value::as_sequence);
    let list = list.context("it has no model_list: is it LiteLLM's configuration?")?;
    let (mut upstreams, mut deployments) = (Upstreams::default(), Vec::new());
    for (index, entry) in list.iter().enumerate() {
        let Some(group) = entry.get("model_name").and_then(Value::as_str) else {
            notes.left_out(format!("model_list[{index}]"), "it has no model_name");
            continue;
        };
        match read_entry(group, entry, file, &mut upstreams, notes) {
            Ok(read) => deployments.extend(read),
            Err(why) => notes.left_out(format!("model_list[{index}] ({group})"), why),
        }
    }
    if deployments.is_empty() {
        bail!("no entry of its model_list can be imported\n{notes}");
    }
    Ok((upstreams, deployments))
}

fn read_entry(
    group: &str,
    entry: &Value,
    file: &Value,
    upstreams: &mut Upstreams,
    notes: &mut Notes,
) -> Result<Vec<Deployment>, String> {
    if group.find('*').is_some_and(|at| at + 1 != group.len()) {
        return Err("a `*` may stand at the end of model_name only".to_owned());
    }
    let own = entry
        .get("litellm_params")
        .ok_or("it has no litellm_params")?;
    let params = Params::of(group, own, file, notes);
    let placed = models::place(&params)?;
    if placed.model.contains('*') && !group.contains('*') {
        return Err("its model has a `*`, and its model_name has none".to_owned());
    }
    let site = place::find(placed.known, &placed.model, &params, notes)?;
    let info = entry.get("model_info").unwrap_or(&Value::Null);
    let share = |key: &str| {
        let beside = || entry.get(key).and_then(number);
        params.number(key).or_else(beside)
    };
    let capabilities = capabilities(group, info, notes);
    if params.text("model").as_deref() == Some("*") {
        notes.tell("the model `*` is asked at openai, where LiteLLM finds the provider by the name: write routes for the models of others");
    }
    let deployment = |(provider, upstream)| Deployment {
        group: group.to_owned(),
        id: info.get("id").and_then(Value::as_str).map(str::to_owned),
        model: model_at(provider, &placed.model),
        upstream,
        provider,
        order: params.get("order").and_then(Value::as_u64).unwrap_or(1),
        share: Share {
            weight: share("weight"),
            rpm: share("rpm"),
            tpm: share("tpm"),
        },
        timeout: params
            .number("timeout")
            .or_else(|| params.number("request_timeout")),
        stream_timeout: params.number("stream_timeout"),
        capabilities: capabilities.clone(),
    };
    let all = upstreams::of(placed.known, site, &params, notes);
    let named = all
        .into_iter()
        .map(|upstream| (upstream.provider, upstreams.name_of(upstream)));
    Ok(named.map(deployment).collect())
}

/// What a model is called where `LiteLLM`'s name for it is not the provider's.
fn model_at(provider: &str, model: &str) -> String {
    match provider {
        "vertex" if !model.contains('/') => format!("google/{model}"),
        // huggingface/PROVIDER/VENDOR/MODEL
        "huggingface" if model.matches('/').count() == 2 => match model.split_once('/') {
            Some((host, model)) => format!("{model}:{host}"),
            None => model.to_owned(),
        },
        _ => model.to_owned(),
    }
}

fn capabilities(group: &str, info: &Value, notes: &mut Notes) -> Vec<(&'static str, String)> {
    let mut stated = Vec::new();
    if let Some(window) = tokens(info, "max_input_tokens") {
        stated.push(("context_window", window.to_string()));
    }
    if let Some(answer) = tokens(info, "max_output_tokens") {
        stated.push(("max_output", answer.to_string()));
    }
    for (key, ours) in ABILITIES {
        if let Some(can) = info.get(key).and_then(Value::as_bool) {
            stated.push((ours, can.to_string()));
        }
    }
    let is_read = |key: &str| {
        let silent = [
            "id",
            "mode",
            "max_input_tokens",
            "max_output_tokens",
            "max_tokens",
        ];
        silent.contains(&key) || ABILITIES.iter().any(|(known, _)| *known == key)
    };
    for (key, _) in entries(info).filter(|(key, _)| !is_read(key)) {
        let why = match key {
            "base_model" => {
                "backstop takes any request for a model that it does not know by name; `capabilities` say more"
            }
            _ if key.contains("cost") => "backstop does not count costs",
            _ => "backstop has nothing like it",
        };
        notes.left_out_of(group, &format!("model_info.{key}"), why);
    }
    stated
}
