//! `/models`: a list of the one model that every simulator has, and of the one that is its own.

use serde_json::{Value, json};

use super::asked::{Asked, MODEL};

pub(super) fn list(asked: &Asked) -> Value {
    let own = format!("{}-model", asked.name);
    json!({ "object": "list", "data": [model(asked, MODEL), model(asked, &own)] })
}

/// Any model asked for by name exists.
pub(super) fn one(asked: &Asked) -> Value {
    let path = asked.path.split('?').next().unwrap_or_default();
    let name = path.split_once("/models/").map_or(MODEL, |(_, name)| name);
    model(asked, name)
}

pub(super) fn empty_answer() -> Value {
    json!({ "object": "list", "data": [] })
}

fn model(asked: &Asked, name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": 1_700_000_000, "owned_by": asked.name })
}
