//! What an error reply means.
//!
//! Status and error code decide. Message texts are read only where a provider gives nothing else, because providers
//! echo prompts in them.

mod fields;
mod known;
mod shape;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;

pub use shape::{error_of_event, shaped};

use self::fields::ErrorFields;
use crate::outcome::Outcome;

/// The outcome for an error status and its body.
pub fn classify(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Outcome {
    outcome(status, retry_after, &ErrorFields::read(body))
}

/// The outcome for any answer but 101 to a WebSocket handshake. An upstream without WebSockets has not failed, and
/// its model may serve other requests.
pub fn classify_handshake(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Outcome {
    let error = ErrorFields::read(body);
    match status {
        ..400 | 405 | 426 | 501 => Outcome::UpgradeRefused { status },
        404 | 410 if !error.is("model_not_found") => Outcome::UpgradeRefused { status },
        _ => outcome(status, retry_after, &error),
    }
}

/// The outcome for an error status of `/responses`. A missing path, or reasoning of another provider that it cannot
/// read, says nothing about the model.
pub fn classify_response(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Outcome {
    let error = ErrorFields::read(body);
    match status {
        400 | 404 if error.is_about_provider_bound_items() => {
            Outcome::ProviderBoundItems { status }
        }
        404 | 405 | 501 if error.names_no_model() => Outcome::EndpointMissing { status },
        _ => outcome(status, retry_after, &error),
    }
}

/// Whether an error object says that the request is longer than the model can take.
pub(in crate::dialect) fn says_too_long(error: &Value) -> bool {
    ErrorFields::read(error.to_string().as_bytes()).says_too_long()
}

/// The outcome for an error inside a success reply: by its code, else by its type; if both are unknown, it is the
/// upstream's fault.
pub(in crate::dialect) fn classify_inner(
    error: &RawValue,
    retry_after: Option<Duration>,
) -> Outcome {
    let error = ErrorFields::read(error.get().as_bytes());
    outcome(error.status(), retry_after, &error)
}

fn outcome(status: u16, retry_after: Option<Duration>, error: &ErrorFields) -> Outcome {
    let retry_after = retry_after.or(error.wait);
    match status {
        400 | 422 if error.is_about_provider_bound_history() => {
            Outcome::ProviderBoundItems { status }
        }
        401 if error.is("invalid_model") => Outcome::ModelUnavailable,
        400 | 403 | 422 if error.refuses_content() => Outcome::ContentRefused { status },
        400 | 403 | 413 | 422 | 429 if error.says_too_long() => Outcome::TooLong { status },
        400 | 404 | 422 if error.says_unsupported() => Outcome::Unsupported { status },
        // More tokens than the account may send in a minute: waiting never helps, another account may.
        413 | 429 if error.message.starts_with("Request too large for") => {
            Outcome::Unsupported { status }
        }
        400 if error.is_about_key => Outcome::Unauthorized { status },
        400 | 403 | 429 if error.says_no_money() => Outcome::QuotaExhausted,
        429 if error.is_daily => Outcome::QuotaExhausted,
        403 if error.is("model_not_found") => Outcome::ModelUnavailable,
        401 | 403 => Outcome::Unauthorized { status },
        // OpenRouter, while requests in flight use up the budget.
        402 if retry_after.is_some() => Outcome::RateLimited { retry_after },
        402 => Outcome::QuotaExhausted,
        404 if error.is_about_reference() => Outcome::RejectedRequest { status },
        404 | 410 => Outcome::ModelUnavailable,
        408 => Outcome::ServerError { status },
        429 if error.says_overloaded() => Outcome::Overloaded {
            status,
            retry_after,
        },
        429 => Outcome::RateLimited { retry_after },
        409 | 498 | 503 | 529 => Outcome::Overloaded {
            status,
            retry_after,
        },
        400..=499 => Outcome::RejectedRequest { status },
        _ => Outcome::ServerError { status },
    }
}
