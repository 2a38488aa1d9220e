//! `/models`: a list of the one model that every simulator has, and of the one that is its own.

use serde_json::{Value, json};

use super::{Ask, MODEL};

pub(super) fn list(ask: &Ask) -> Value {
    let own = format!("{}-model", ask.name);
    json!({ "object": "list", "data": [model(ask, MODEL), model(ask, &own)] })
}

/// Any model asked for by name exists.
pub(super) fn one(ask: &Ask) -> Value {
    let path = ask.path.split('?').next().unwrap_or_default();
    let name = path.split_once("/models/").map_or(MODEL, |(_, name)| name);
    model(ask, name)
}

pub(super) fn hollow() -> Value {
    json!({ "object": "list", "data": [] })
}

fn model(ask: &Ask, name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": 1_700_000_000, "owned_by": ask.name })
}
