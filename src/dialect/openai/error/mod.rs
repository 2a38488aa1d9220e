//! What an error reply means.
//!
//! Status and error code decide. Message texts are read only where a provider gives nothing else, because providers
//! echo prompts in them.

mod fields;
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

/// Codes and types for a request that is longer than the context window.
const TOO_LONG: [&str; 4] = [
    "context_length_exceeded",
    "exceed_context_size_error",
    "tokens_too_long",
    "characters_too_long",
];

/// Starts of messages that mean the same, where there is no code.
const TOO_LONG_IN_WORDS: [&str; 8] = [
    // Anthropic
    "prompt is too long",
    "input length and `max_tokens` exceed context limit",
    // vLLM, DeepSeek and others
    "This model's maximum context length is",
    // OpenRouter
    "This endpoint's maximum context length is",
    // Mistral
    "Prompt contains",
    // Together
    "Input token count",
    // Bedrock
    "Input is too long",
    // Gemini
    "The input token count",
];

/// Starts of messages that mean: another model's messages cannot be continued as they are.
const PROVIDER_BOUND_IN_WORDS: [&str; 7] = [
    // Mistral
    "Tool call id was ",
    "Unexpected role 'user' after role 'tool'",
    // Gemini 3
    "Function call is missing a thought_signature",
    "Function call is missing a `thought_signature`",
    // DeepSeek
    "The `reasoning_content` in the thinking mode must be passed back",
    "The reasoning_content in the thinking mode must be passed back",
    "Missing `reasoning_content` field",
];

/// Codes for a field or value that the model does not accept.
const UNSUPPORTED: [&str; 4] = [
    "unsupported_parameter",
    "unsupported_value",
    "unknown_parameter",
    "extra_forbidden",
];

/// Starts and ends of messages that mean the same, where there is no code.
const UNSUPPORTED_IN_WORDS: [(&str, &str); 13] = [
    // Anthropic
    ("", "Extra inputs are not permitted"),
    ("This model does not support assistant message prefill", ""),
    // Gemini
    ("Invalid JSON payload received. Unknown name", ""),
    // DeepSeek
    (
        "Failed to deserialize the JSON body into the target type",
        "",
    ),
    ("This response_format type is unavailable", ""),
    // Ollama
    ("", "does not support tools"),
    // Groq
    ("", "is unsupported"),
    // llama.cpp
    ("image input is not supported", ""),
    // OpenAI
    ("Function tools with reasoning_effort are not supported", ""),
    // OpenAI, with 404: the model exists, but not at this path.
    ("This is a chat model", ""),
    ("This is not a chat model", ""),
    ("This model is only supported in", ""),
    ("Invalid URL (", ""),
];

/// Codes and types for refused content.
const REFUSED: [&str; 8] = [
    "content_filter",
    "invalid_prompt",
    "content_policy_violation",
    "ResponsibleAIPolicyViolation",
    "moderation_blocked",
    "bio_policy",
    "cyber_policy",
    "misalignment_policy_violation",
];

/// Codes and types for an account without money or quota. These do not pass in seconds.
const QUOTA: [&str; 13] = [
    "billing_error",
    "organization_on_hold",
    "cmek_key_disabled",
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
    "billing_hard_limit_reached",
    "blocked_api_access",
    "usage_limit_reached",
];

/// Starts of Anthropic's messages that mean the same with 400.
const QUOTA_IN_WORDS: [&str; 2] = [
    "Your credit balance is too low",
    "You have reached your specified API usage limits",
];

/// Codes of a 429 that mean: the provider has too much to do, or our requests grow too fast.
const OVERLOADED: [&str; 3] = [
    "slow_down",
    "ramp_limit_exceeded",
    "Offline_batch_reasoning_refused",
];

/// The status that fits the code or type of an error inside a 200. Unknown ones are the upstream's fault.
const STATUS_OF: [(&str, u16); 16] = [
    ("invalid_request_error", 400),
    ("BadRequestError", 400),
    ("authentication_error", 401),
    ("invalid_api_key", 401),
    ("permission_error", 403),
    ("not_found_error", 404),
    ("model_not_found", 404),
    ("request_too_large", 413),
    ("too_many_requests", 429),
    ("rate_limit_error", 429),
    ("requests", 429),
    ("tokens", 429),
    ("RESOURCE_EXHAUSTED", 429),
    ("overloaded_error", 529),
    ("server_is_overloaded", 503),
    ("slow_down", 503),
];
