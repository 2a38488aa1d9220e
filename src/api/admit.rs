//! Whether a client may ask for this: its key has not expired, it may use the model, and its limits leave room.
//!
//! What is free: `/`, `/models`, and whatever is refused here. Everything else counts as a request. Tokens count where the
//! answer says what it cost; a token count costs none, and what a WebSocket or a forwarded request costs is not known.

use http::Method;

use super::record::RequestRecord;
use super::reject::Rejection;
use crate::clients::{Client, Cost};
use crate::request::{Endpoint, ModelRequest, models_of_tools, tokens_in};
use crate::wire::query;

/// The first segments of paths below which no model runs, whatever is posted there.
const STORES: [&str; 5] = [
    "files",
    "uploads",
    "vector_stores",
    "conversations",
    "containers",
];

/// Segments of paths behind which a model is named, or of requests that hold others with models of their own. What the body
/// says of a model besides need not be true of them.
const WITH_OTHER_MODELS: [&str; 7] = [
    "batches",
    "deployments",
    "engines",
    "evals",
    "graders",
    "model",
    "models",
];

/// Notes who the client is, and checks that its key is still accepted.
pub(super) fn identified(client: &Client, record: &mut RequestRecord) -> Result<(), Rejection> {
    record.client = Some(client.name.clone());
    match client.has_expired() {
        true => Err(Rejection::ExpiredKey),
        false => Ok(()),
    }
}

/// Takes what a request costs of its client's limits.
pub(super) fn admit(
    client: Option<&Client>,
    request: &ModelRequest,
    record: &mut RequestRecord,
) -> Result<(), Rejection> {
    let Some(client) = client else {
        return Ok(());
    };
    check_model(client, request)?;
    let cost = match client.counts_tokens() {
        true => cost(request),
        false => Cost::default(),
    };
    let taken = client.take(cost, request.received_at);
    record.taken = taken.map_err(Box::new)?.map(Box::new);
    Ok(())
}

/// Whether the client may use the model, and whatever else may run in its place. A request that does not show which one it is
/// for is for any.
fn check_model(client: &Client, request: &ModelRequest) -> Result<(), Rejection> {
    let model = match has_hidden_model(request) {
        true => "",
        false => request.model_name(),
    };
    let is_without = model.is_empty() && !may_run_a_model(request);
    if !is_without && !client.may_use(model) {
        return Err(Rejection::model_not_allowed(model, client));
    }
    let in_query = in_query(request);
    let others = request.alternatives.iter().chain(&in_query);
    let mut others = others.cloned().chain(of_tools(client, request));
    match others.find(|other| !client.may_use(other)) {
        Some(other) => Err(Rejection::model_not_allowed(&other, client)),
        None => Ok(()),
    }
}

/// The model that its query names; an empty name if there are several.
fn in_query(request: &ModelRequest) -> Option<String> {
    if !may_run_a_model(request) {
        return None;
    }
    match query::is_repeated(&request.path, "model") {
        true => Some(String::new()),
        false => query::parameter(&request.path, "model").filter(|name| !name.is_empty()),
    }
}

/// The models that its tools run. They are looked for only where it matters: lists of tools are long.
fn of_tools(client: &Client, request: &ModelRequest) -> Vec<String> {
    match client.models() {
        Some(_) => models_of_tools(&request.body),
        None => Vec::new(),
    }
}

/// Whether the model that runs may be another one than the request shows: each frame of a WebSocket names its own, and so do
/// some paths.
fn has_hidden_model(request: &ModelRequest) -> bool {
    match request.endpoint {
        Endpoint::Realtime => request.path.starts_with("/responses"),
        Endpoint::Other => names_other_models(&request.path),
        _ => false,
    }
}

fn names_other_models(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    // What cannot be read has been refused.
    let read = query::unescaped(path).unwrap_or_default();
    let is_one = |segment: &str| {
        let mut known = WITH_OTHER_MODELS.iter();
        known.any(|known| known.eq_ignore_ascii_case(segment))
    };
    read.split('/').any(is_one)
}

fn may_run_a_model(request: &ModelRequest) -> bool {
    let changes = !matches!(request.method, Method::GET | Method::HEAD | Method::DELETE);
    let path = request.path.split('?').next().unwrap_or_default();
    let first = path.split('/').nth(1).unwrap_or_default();
    let is_harmless = STORES.contains(&first) || path.ends_with("/cancel");
    request.endpoint == Endpoint::Realtime || changes && !is_harmless
}

fn cost(request: &ModelRequest) -> Cost {
    match request.endpoint {
        Endpoint::ChatCompletions
        | Endpoint::Completions
        | Endpoint::Embeddings
        | Endpoint::Responses
        | Endpoint::Messages => Cost {
            prompt: tokens_in(&request.body),
            output: request.max_output,
        },
        Endpoint::CountTokens | Endpoint::Realtime | Endpoint::Other => Cost::default(),
    }
}
