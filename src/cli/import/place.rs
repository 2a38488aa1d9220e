//! Where upstreams lie: from `api_base` and its kin to our `base_url`.

use super::catalog::{Known, Place};
use super::notes::Notes;
use super::params::Params;
use super::values::{is_variable, variable};

/// Where an upstream lies.
#[derive(Debug, Default)]
pub(super) struct Site {
    /// Another provider than the name in the file stands for.
    pub(super) provider: Option<&'static str>,
    pub(super) base_url: Option<String>,
    pub(super) api_version: Option<String>,
    /// Whether the key comes from gcloud.
    pub(super) is_by_gcloud: bool,
}

impl Site {
    fn at(base_url: impl Into<String>) -> Self {
        Self {
            base_url: Some(base_url.into()),
            ..Self::default()
        }
    }
}

/// Where a model lies; the error says what is missing.
pub(super) fn find(
    known: Known,
    model: &str,
    params: &Params<'_>,
    notes: &mut Notes,
) -> Result<Site, String> {
    let base = params.api_base();
    if let Some(base) = &base
        && !base.contains("${")
        && !base.starts_with("http://")
        && !base.starts_with("https://")
    {
        return Err("api_base is no URL".to_owned());
    }
    let base = base.map(|base| {
        base.trim_end_matches('/')
            .replace("//0.0.0.0", "//127.0.0.1")
    });
    match (known.place, base) {
        (Place::Azure, base) => Ok(azure(base, params, notes)),
        (Place::Foundry, base) => foundry(base),
        (Place::Bedrock, base) => Ok(bedrock(base, model, params, notes)),
        (Place::Vertex, _) => vertex(model, params),
        (Place::OpenAi, Some(base)) if !is_openai(&base) => Ok(Site {
            provider: Some("openai-compatible"),
            ..Site::at(base)
        }),
        (Place::OpenAi | Place::Own | Place::BelowV1 | Place::HuggingFace, None)
        | (Place::OpenAi, Some(_)) => Ok(Site::default()),
        (Place::Own, Some(base)) => Ok(Site::at(base)),
        (Place::BelowV1, Some(base)) => Ok(Site::at(below_v1(&base, known.name, notes))),
        (Place::HuggingFace, Some(base)) => Ok(Site {
            provider: Some("tgi"),
            ..Site::at(below_v1(&base, known.name, notes))
        }),
        (Place::Given | Place::Cloudflare | Place::Databricks, Some(base)) => Ok(Site::at(base)),
        (Place::Given, None) => Err("api_base is missing: backstop has to know the URL".to_owned()),
        (Place::Cloudflare, None) => Ok(Site::at(
            "https://api.cloudflare.com/client/v4/accounts/${CLOUDFLARE_ACCOUNT_ID}/ai/v1",
        )),
        (Place::Databricks, None) => Ok(Site::at(variable("DATABRICKS_API_BASE"))),
    }
}

fn is_openai(base: &str) -> bool {
    base.starts_with("https://api.openai.com")
}

/// `LiteLLM` appends `/v1` here, and we do not.
fn below_v1(base: &str, name: &str, notes: &mut Notes) -> String {
    if base.ends_with("/v1") {
        return base.to_owned();
    }
    no_slash(base, name, notes);
    format!("{base}/v1")
}

/// What is put behind a variable needs that the variable does not end in a slash.
fn no_slash(base: &str, name: &str, notes: &mut Notes) {
    if is_variable(base) {
        notes.tell(format!(
            "{base} ({name}) must be a URL without a slash at its end: a path is put behind it"
        ));
    }
}

/// The older API has deployments in its paths and a version; the newer one lies below `/openai/v1`.
fn azure(base: Option<String>, params: &Params<'_>, notes: &mut Notes) -> Site {
    let base = base.unwrap_or_else(|| variable("AZURE_API_BASE"));
    let resource = before_path(&base, "/openai");
    no_slash(resource, "azure", notes);
    let version = params.text("api_version");
    let older = version.filter(|version| {
        let is_newer = ["v1", "preview", "latest"].contains(&version.as_str());
        !is_newer && !base.ends_with("/openai/v1")
    });
    Site {
        base_url: Some(match older {
            Some(_) => format!("{resource}/openai"),
            None => format!("{resource}/openai/v1"),
        }),
        api_version: older,
        ..Site::default()
    }
}

/// A URL up to this path; the host may begin with the same letters.
fn before_path<'a>(url: &'a str, path: &str) -> &'a str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find(path).map_or(url.len(), |at| host + at);
    &url[..end]
}

/// Only resources that have `OpenAI`'s API are of use.
fn foundry(base: Option<String>) -> Result<Site, String> {
    let base = base.unwrap_or_else(|| variable("AZURE_AI_API_BASE"));
    let paths = ["/openai", "/models", "/anthropic"];
    let resource = paths
        .iter()
        .fold(base.as_str(), |base, path| before_path(base, path));
    match resource.ends_with(".azure.com") {
        true => Ok(Site::at(format!("{resource}/openai/v1"))),
        false => Err(
            "backstop asks Azure AI Foundry at https://NAME.services.ai.azure.com: write that in api_base"
                .to_owned(),
        ),
    }
}

/// Claude has an API of its own there.
fn bedrock(base: Option<String>, model: &str, params: &Params<'_>, notes: &mut Notes) -> Site {
    let region = params
        .text("aws_region_name")
        .unwrap_or_else(|| "${AWS_REGION:-us-east-1}".to_owned());
    notes.tell(
        "Bedrock is asked with a Bedrock API key (AWS_BEARER_TOKEN_BEDROCK), at its OpenAI-compatible endpoint: see whether it has your models there, with backstop check --live",
    );
    let is_claude = model.contains("claude");
    let own = match is_claude {
        true => format!("https://bedrock-mantle.{region}.api.aws/v1"),
        false => format!("https://bedrock-runtime.{region}.amazonaws.com/openai/v1"),
    };
    let given = base.or_else(|| params.text("aws_bedrock_runtime_endpoint"));
    Site {
        provider: is_claude.then_some("bedrock-mantle"),
        ..Site::at(given.unwrap_or(own))
    }
}

fn vertex(model: &str, params: &Params<'_>) -> Result<Site, String> {
    if model.contains("claude") {
        return Err("backstop does not ask Vertex AI for Claude".to_owned());
    }
    let project = params
        .text("vertex_project")
        .unwrap_or_else(|| variable("VERTEXAI_PROJECT"));
    let location = params
        .text("vertex_location")
        .unwrap_or_else(|| "${VERTEXAI_LOCATION:-us-central1}".to_owned());
    let host = match location.as_str() {
        "global" => "aiplatform.googleapis.com".to_owned(),
        location => format!("{location}-aiplatform.googleapis.com"),
    };
    Ok(Site {
        is_by_gcloud: true,
        ..Site::at(format!(
            "https://{host}/v1/projects/{project}/locations/{location}/endpoints/openapi"
        ))
    })
}
