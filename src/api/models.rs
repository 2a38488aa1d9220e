//! What backstop answers by itself: the list of models, and a greeting at the root.

use serde_json::{Value, json};

use super::reject::Rejection;
use crate::routing::RouteTable;

/// The answer to a `GET` of ours, `None` if the path is not ours.
pub(super) fn own_answer(path: &str, routes: &RouteTable) -> Option<Result<Value, Rejection>> {
    match path {
        "/" => Some(Ok(greeting())),
        "/models" | "/models/" => Some(Ok(list(routes))),
        _ => path
            .strip_prefix("/models/")
            .map(|model| one(model, routes)),
    }
}

fn greeting() -> Value {
    json!({
        "name": "backstop",
        "version": env!("CARGO_PKG_VERSION"),
        "message": "Point OPENAI_BASE_URL at this address followed by /v1.",
    })
}

/// The models that routes name; a pattern stands for names that nobody can list.
fn list(routes: &RouteTable) -> Value {
    let names = routes
        .rules()
        .iter()
        .filter_map(|rule| rule.pattern.exact());
    json!({"object": "list", "data": names.map(model).collect::<Vec<_>>()})
}

fn one(name: &str, routes: &RouteTable) -> Result<Value, Rejection> {
    match routes.find(name) {
        Some(_) => Ok(model(name)),
        None => Err(Rejection::unknown_model(name, routes)),
    }
}

fn model(name: &str) -> Value {
    // When a model was made is not known here; the field must be there for SDKs.
    json!({"id": name, "object": "model", "created": 0, "owned_by": "backstop"})
}
