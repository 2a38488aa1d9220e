//! The errors for clients that may not ask for something, or not now.

use super::error::ErrorResponse;
use crate::clients::{Client, Exceeded};
use crate::routing::Pattern;

/// A limit is reached. The words are those of `OpenAI`'s API, because programs read the wait from them.
pub(super) fn exceeded(exceeded: &Exceeded) -> ErrorResponse {
    let Exceeded {
        limit,
        most,
        used,
        wanted,
        wait,
        ..
    } = exceeded;
    let limit = limit.label();
    let Some(wait) = wait else {
        let message = format!(
            "Request too large for this client's {limit}: limit {most}, and the prompt alone has about {wanted}. \
             The prompt must be shorter."
        );
        return ErrorResponse::new(429, "rate_limit_exceeded", message).in_vain();
    };
    let seconds = wait.as_secs_f64();
    let message = format!(
        "Rate limit reached for this client's {limit}: limit {most}, used {used}, requested {wanted}. \
         Please try again in {seconds}s."
    );
    ErrorResponse::new(429, "rate_limit_exceeded", message).after(*wait)
}

/// The client's key was accepted until a time that is over.
pub(super) fn expired() -> ErrorResponse {
    let message =
        "this API key has expired (`expires` in the proxy's `clients`); ask for a new one";
    ErrorResponse::new(401, "expired_api_key", message)
}

/// The client may use other models.
pub(super) fn model_not_allowed(model: &str, allowed: &str) -> ErrorResponse {
    let message = match model {
        "" => format!(
            "the request does not show which model it is for, and this client may use these only: {allowed}"
        ),
        model => format!("this client may not use model `{model}`; it may use: {allowed}"),
    };
    ErrorResponse::new(403, "model_not_allowed", message).about("model")
}

/// The patterns of the models that a client may use.
pub(super) fn allowed(client: &Client) -> String {
    let models = client.models().unwrap_or_default().iter();
    let models: Vec<&str> = models.map(|model: &Pattern| &**model.as_str()).collect();
    models.join(", ")
}
