//! What backstop answers by itself: the list of models, and a greeting at the root.

use http::HeaderMap;
use serde_json::{Value, json};

use super::reject::Rejection;
use crate::routing::RouteTable;

/// The answer to a `GET` of ours, `None` if the path is not ours. Clients of Anthropic's API are known by a header.
pub(super) fn own_answer(
    headers: &HeaderMap,
    path: &str,
    routes: &RouteTable,
) -> Option<Result<Value, Rejection>> {
    let shape = if headers.contains_key("anthropic-version") {
        Shape::Anthropic
    } else {
        Shape::OpenAi
    };
    match path {
        "/" => Some(Ok(greeting())),
        "/models" | "/models/" => Some(Ok(shape.list(routes))),
        _ => path
            .strip_prefix("/models/")
            .map(|model| shape.one(model, routes)),
    }
}

fn greeting() -> Value {
    json!({
        "name": "backstop",
        "version": env!("CARGO_PKG_VERSION"),
        "message": "Point OPENAI_BASE_URL at this address followed by /v1, or ANTHROPIC_BASE_URL at this address.",
    })
}

/// Whose words a list is in.
#[derive(Clone, Copy)]
enum Shape {
    OpenAi,
    Anthropic,
}

impl Shape {
    /// The models that routes name; a pattern stands for names that nobody can list.
    fn list(self, routes: &RouteTable) -> Value {
        let names = routes
            .rules()
            .iter()
            .filter_map(|rule| rule.pattern.exact());
        let models: Vec<Value> = names.map(|name| self.model(name)).collect();
        match self {
            Self::OpenAi => json!({ "object": "list", "data": models }),
            Self::Anthropic => json!({
                "first_id": models.first().map(|model| model["id"].clone()),
                "last_id": models.last().map(|model| model["id"].clone()),
                "has_more": false,
                "data": models,
            }),
        }
    }

    fn one(self, name: &str, routes: &RouteTable) -> Result<Value, Rejection> {
        match routes.find(name) {
            Some(_) => Ok(self.model(name)),
            None => Err(Rejection::unknown_model(name, routes)),
        }
    }

    /// When a model was made is not known here; the field must be there for SDKs.
    fn model(self, name: &str) -> Value {
        match self {
            Self::OpenAi => {
                json!({ "id": name, "object": "model", "created": 0, "owned_by": "backstop" })
            }
            Self::Anthropic => json!({
                "id": name,
                "type": "model",
                "display_name": name,
                "created_at": "1970-01-01T00:00:00Z",
            }),
        }
    }
}
