//! Codes, types and messages by which errors are known.

/// Codes and types that say: longer than the model's window.
pub(super) const TOO_LONG: [&str; 4] = [
    "context_length_exceeded",
    "exceed_context_size_error",
    "tokens_too_long",
    "characters_too_long",
];

/// How messages begin that say the same, where no code does.
pub(super) const TOO_LONG_IN_WORDS: [&str; 8] = [
    // Anthropic
    "prompt is too long",
    "input length and `max_tokens` exceed context limit",
    // vLLM, DeepSeek and kin
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

/// How messages begin that say: another model's turns cannot be gone on with as they are.
pub(super) const PROVIDER_BOUND_IN_WORDS: [&str; 7] = [
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

/// Codes that say: a field or a value that the model does not take.
pub(super) const UNSUPPORTED: [&str; 4] = [
    "unsupported_parameter",
    "unsupported_value",
    "unknown_parameter",
    "extra_forbidden",
];

/// How messages begin, and how they end, that say the same, where no code does.
pub(super) const UNSUPPORTED_IN_WORDS: [(&str, &str); 13] = [
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
    // OpenAI, with 404: the model is there, but not at this path.
    ("This is a chat model", ""),
    ("This is not a chat model", ""),
    ("This model is only supported in", ""),
    ("Invalid URL (", ""),
];

/// Codes and types that say: not about this.
pub(super) const REFUSED: [&str; 8] = [
    "content_filter",
    "invalid_prompt",
    "content_policy_violation",
    "ResponsibleAIPolicyViolation",
    "moderation_blocked",
    "bio_policy",
    "cyber_policy",
    "misalignment_policy_violation",
];

/// Codes and types that say: no money, no allowance. They are not a matter of seconds.
pub(super) const QUOTA: [&str; 13] = [
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

/// How messages of Anthropic begin that say the same with 400.
pub(super) const QUOTA_IN_WORDS: [&str; 2] = [
    "Your credit balance is too low",
    "You have reached your specified API usage limits",
];

/// Codes of a 429 that say: it is the provider that has too much to do, or our requests grow too fast.
pub(super) const OVERLOADED: [&str; 3] = [
    "slow_down",
    "ramp_limit_exceeded",
    "Offline_batch_reasoning_refused",
];

/// What codes and types of an error inside a 200 mean as a status. Unknown ones are the upstream's fault.
pub(super) const STATUS_OF: [(&str, u16); 16] = [
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
