//! Errors about what is stored at one upstream only, or at none.

use super::error::ErrorResponse;
use crate::config::UpstreamId;

/// No route leads to the owner.
pub(super) fn owner_unavailable(owner: &UpstreamId) -> ErrorResponse {
    let message = format!(
        "what the request refers to lives at {owner}, to which no route of the proxy leads any more"
    );
    ErrorResponse::new(404, "owner_unavailable", message)
}

/// After these words of `OpenAI`'s, clients send the conversation again.
pub(super) fn unstored(id: &str) -> ErrorResponse {
    let message = not_found("Previous response", id) + "; send the whole conversation";
    ErrorResponse::new(400, "previous_response_not_found", message).about("previous_response_id")
}

pub(super) fn no_response(id: &str) -> ErrorResponse {
    ErrorResponse::new(404, "response_not_found", not_found("Response", id))
}

fn not_found(what: &str, id: &str) -> String {
    format!("{what} with id '{id}' not found: it was translated, and nobody stores it")
}

/// In Anthropic's words, after which clients send the conversation again.
pub(super) fn no_thread(id: &str) -> ErrorResponse {
    let message =
        format!("no upstream is known to have the thread of `{id}`; send the whole conversation");
    ErrorResponse::new(404, "thread_not_found", message).about("thread")
}
