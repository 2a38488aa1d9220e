//! The body and the path to send.

use bytes::Bytes;

use crate::request::ModelRequest;
use crate::wire::json::replace_model;
use crate::wire::query::with_parameter;

/// The client's body, with the upstream's name for the model.
pub fn body(request: &ModelRequest, model: Option<&str>) -> Bytes {
    let field = request.model.as_ref();
    match (field.and_then(|field| field.span.as_ref()), model) {
        (Some(span), Some(model)) if request.model_name() != model => {
            replace_model(&request.body, span, model)
        }
        _ => request.body.clone(),
    }
}

/// The client's path and query. A handshake has the model in its query, which is replaced by the upstream's name for
/// it.
pub fn path(request: &ModelRequest, model: Option<&str>) -> String {
    match model {
        Some(model) => with_parameter(&request.path, "model", model),
        None => request.path.clone(),
    }
}
