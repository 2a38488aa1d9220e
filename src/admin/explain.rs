//! `POST /api/explain`: who would be tried for a request now, and why in this order.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::failover::{Explained, RoutingRequest, explain};
use crate::health::AdmissionPreview;
use crate::request::{Endpoint, Needs, peek};
use crate::routing::RouteTable;
use crate::wire::json::fingerprint;

/// The question.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// The model that a client would name.
    model: String,
    /// The endpoint, by its label or its path; if it is left out, the body shows it.
    #[serde(default)]
    endpoint: String,
    /// The client's `prompt_cache_key` or `user`, if it sends one.
    #[serde(default)]
    session: String,
    /// A whole body, if what the request needs should be considered.
    #[serde(default)]
    request: Option<Box<RawValue>>,
}

/// The answer, or why there is none.
pub(super) fn json(body: &[u8], routes: &RouteTable, now: Instant) -> Result<Value, String> {
    let question: Question = serde_json::from_slice(body)
        .map_err(|error| format!("write for example {{\"model\": \"gpt-4o\"}}: {error}"))?;
    let rule = routes
        .find(&question.model)
        .ok_or_else(|| format!("no route is for model `{}`", question.model))?;
    let session = fingerprint(format!("\"{}\"", question.session).as_bytes());
    let body = question.request.as_ref().map_or("", |body| body.get());
    let endpoint = match &*question.endpoint {
        "" => guessed(body),
        name => named(name)?,
    };
    let seen = peek(body.as_bytes()).unwrap_or_default();
    let mut routed = RoutingRequest::new(endpoint, &question.model, session);
    routed.needs = Needs {
        demands: seen.demands,
        body: body.as_bytes(),
    };
    let candidates = explain(rule, routed, now);
    Ok(json!({
        "model": question.model,
        "endpoint": endpoint.label(),
        "route": &*rule.route,
        "pattern": &**rule.pattern.as_str(),
        "candidates": candidates.iter().enumerate().map(candidate).collect::<Vec<_>>(),
    }))
}

/// The endpoints that can be explained.
const ENDPOINTS: [Endpoint; 5] = [
    Endpoint::ChatCompletions,
    Endpoint::Completions,
    Endpoint::Embeddings,
    Endpoint::Responses,
    Endpoint::Messages,
];

fn named(name: &str) -> Result<Endpoint, String> {
    let path = name.trim_start_matches('/');
    let label = path.strip_prefix("v1/").unwrap_or(path).replace('/', "_");
    let mut known = ENDPOINTS.into_iter();
    known
        .find(|endpoint| endpoint.label() == label)
        .ok_or_else(|| {
            let labels = ENDPOINTS.map(Endpoint::label).join(", ");
            format!("no endpoint `{name}` can be explained; there are: {labels}")
        })
}

/// The endpoint of a body, by fields that only one of the APIs has.
///
/// `input` is a field of embeddings too, so embeddings must be named. Anthropic's `system` stands beside the
/// messages, and its tools have an `input_schema`, or a `type` with a date (`web_search_20250305`).
fn guessed(body: &str) -> Endpoint {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let has = |field: &str| body.get(field).is_some();
    if !has("messages") {
        return if has("input") {
            Endpoint::Responses
        } else {
            Endpoint::ChatCompletions
        };
    }
    let mut tools = body["tools"].as_array().into_iter().flatten();
    if has("system") || tools.any(is_anthropic) {
        Endpoint::Messages
    } else {
        Endpoint::ChatCompletions
    }
}

/// Tools of chats have the types `function` and `custom`, neither of which ends in a date.
fn is_anthropic(tool: &Value) -> bool {
    let kind = tool["type"].as_str().unwrap_or_default();
    let version = kind.rsplit_once('_').map_or("", |(_, version)| version);
    let is_date = version.len() == 8 && version.bytes().all(|byte| byte.is_ascii_digit());
    tool.get("input_schema").is_some() || is_date
}

pub(super) fn candidate((index, explained): (usize, &Explained)) -> Value {
    json!({
        "place": explained.is_open().then_some(index + 1),
        "upstream": explained.upstream.as_ref(),
        "model": explained.model,
        "tier": explained.tier,
        "why": why(explained),
    })
}

fn why(explained: &Explained) -> String {
    if let Some(skipped) = explained.skipped {
        return format!("never: {}", skipped.reason());
    }
    let previews: Vec<String> = explained.previews.iter().map(in_words).collect();
    match previews.as_slice() {
        [only] => only.clone(),
        several => several
            .iter()
            .enumerate()
            .map(|(index, preview)| format!("key {}: {preview}", index + 1))
            .collect::<Vec<_>>()
            .join("; "),
    }
}

fn in_words(preview: &AdmissionPreview) -> String {
    match preview {
        AdmissionPreview::Admitted => "healthy".to_owned(),
        AdmissionPreview::SlowStart { fraction } => {
            format!("slow start: {:.0} % of its requests", fraction * 100.0)
        }
        AdmissionPreview::HalfOpenProbe => {
            "half-open: a few requests at a time, as probes".to_owned()
        }
        AdmissionPreview::Out {
            cause, retry_in, ..
        } => {
            format!(
                "out of rotation for {cause}, next half-open probe within {:.0} s",
                retry_in.as_secs_f32().ceil()
            )
        }
        AdmissionPreview::CoolingDown { reason, ends_in } => {
            format!(
                "cooling down ({}), {:.0} s to go",
                reason.in_words(),
                ends_in.as_secs_f32().ceil()
            )
        }
        AdmissionPreview::TakenOut { since } => format!(
            "taken out by hand {:.0} s ago, until it is put back",
            since.as_secs_f32()
        ),
    }
}
