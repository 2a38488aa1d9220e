//! Whom a model of `LiteLLM`'s file is at, and what it is called there.

use super::catalog::{Known, by_model, by_name};
use super::params::Params;

/// A model at a provider.
pub(super) struct Placed {
    pub(super) known: Known,
    /// The provider's name for it; a `*` at the end stands for what a client's name has in place of its own.
    pub(super) model: String,
}

/// Reads `model` and `custom_llm_provider`; the error says why the model cannot be imported.
pub(super) fn place(params: &Params<'_>) -> Result<Placed, String> {
    let written = params.text("model").ok_or("it has no model")?;
    if let Some(name) = params.text("custom_llm_provider") {
        let known = by_name(&name).ok_or_else(|| unknown(&name))?;
        let own_prefix = format!("{name}/");
        let model = written.strip_prefix(&own_prefix).unwrap_or(&written);
        return placed(known, model);
    }
    if written == "*" {
        return by_name("openai")
            .map_or_else(|| Err(unknown("openai")), |known| placed(known, &written));
    }
    match written.split_once('/') {
        Some((name, model)) => match by_name(name) {
            Some(known) => placed(known, model),
            None => Err(unknown(name)),
        },
        None => by_model(&written).map_or_else(
            || Err(format!("nothing says which provider has `{written}`: write openai/{written} in `model`, with api_base, for a server with OpenAI's API")),
            |known| placed(known, &written),
        ),
    }
}

fn placed(known: Known, model: &str) -> Result<Placed, String> {
    // Words of LiteLLM that choose an API of the provider; ours follows from the client's.
    let prefixes = ["responses/", "converse/", "chat/", "openai/responses/"];
    let is_routed = known.provider != "openrouter" && known.provider != "vercel";
    let rest = prefixes
        .iter()
        .find_map(|prefix| model.strip_prefix(prefix));
    let model = rest.filter(|_| is_routed).unwrap_or(model);
    match model.find('*') {
        Some(at) if at + 1 != model.len() => Err("a `*` may stand at the end only".to_owned()),
        _ if model.is_empty() => Err("it has no model".to_owned()),
        _ => Ok(Placed {
            known,
            model: model.to_owned(),
        }),
    }
}

fn unknown(provider: &str) -> String {
    format!(
        "backstop does not know the provider `{provider}`; if it has OpenAI's API, write openai/ in its place, with api_base"
    )
}
