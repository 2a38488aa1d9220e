//! Codes, types and words by which errors are known, and what they mean.
//!
//! One table for all providers: an error that says `Arrearage` means the same whoever sends it. Its lines are tried
//! from the first to the last. Words are compared in small letters. Words that stand anywhere in a message must be so
//! particular that no prompt has them by chance, because providers echo prompts.

use super::fields::ErrorFields;
use crate::config::Meaning;
use crate::config::Meaning::{
    ContentRefused, ModelUnavailable, Overloaded, QuotaExhausted, RateLimited, ServerError,
    TooLong, Unauthorized, Unsupported,
};

/// By what an error is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sign {
    /// One of its codes or types.
    Code(&'static str),
    /// How its code begins.
    CodeBegins(&'static str),
    /// How its code ends.
    CodeEnds(&'static str),
    /// How its message begins.
    Begins(&'static str),
    /// How its message ends, but for punctuation.
    Ends(&'static str),
    /// What its message has somewhere.
    Says(&'static str),
}

use Sign::{Begins, Code, CodeBegins, CodeEnds, Ends, Says};

/// What the signs of one line mean.
pub(super) struct Line {
    meaning: Meaning,
    /// The statuses with which they mean that.
    statuses: Statuses,
    signs: &'static [Sign],
}

/// With which statuses a line holds.
#[derive(Clone, Copy, Debug)]
enum Statuses {
    /// One of these.
    OneOf(&'static [u16]),
    /// Any status of a refusal, 400 to 499.
    Refusal,
    /// Those, and by its code also any status of a failure.
    Any,
}

/// What an error with this status means; `None`: its status alone says it.
pub(super) fn meaning(status: u16, error: &ErrorFields) -> Option<Meaning> {
    let line = LINES.iter().find(|line| line.holds_for(status, error))?;
    Some(line.meaning)
}

/// What an error means whatever its status.
pub(super) fn meaning_of_words(error: &ErrorFields) -> Option<Meaning> {
    let mut signs = LINES
        .iter()
        .flat_map(|line| line.signs.iter().map(|sign| (line.meaning, sign)));
    let (meaning, _) = signs.find(|(_, sign)| error.shows(**sign))?;
    Some(meaning)
}

/// Whether it says that the request is longer than the model can take.
pub(super) fn says_too_long(error: &ErrorFields) -> bool {
    let mut lines = LINES.iter().filter(|line| line.meaning == TooLong);
    lines.any(|line| line.signs.iter().any(|sign| error.shows(*sign)))
}

impl Line {
    fn holds_for(&self, status: u16, error: &ErrorFields) -> bool {
        let may_hold = |sign: &Sign| match self.statuses {
            Statuses::OneOf(statuses) => statuses.contains(&status),
            Statuses::Refusal => status < 500,
            Statuses::Any => status < 500 || matches!(sign, Code(_)),
        };
        let mut signs = self.signs.iter().filter(|sign| may_hold(sign));
        signs.any(|sign| error.shows(*sign))
    }
}

const LINES: &[Line] = &[
    // Qianfan says with 401, and a code that it also has for a missing name, that the account may not use the model.
    Line {
        meaning: ModelUnavailable,
        statuses: Statuses::OneOf(&[401]),
        signs: &[Code("invalid_model")],
    },
    // OpenAI says so with codes of fields and values, too.
    Line {
        meaning: ModelUnavailable,
        statuses: Statuses::Refusal,
        signs: &[Says("your organization must be verified")],
    },
    // DashScope says so with the code `insufficient_quota`.
    Line {
        meaning: RateLimited,
        statuses: Statuses::Refusal,
        signs: &[Begins("allocated quota exceeded")],
    },
    Line {
        meaning: ContentRefused,
        statuses: Statuses::OneOf(&[400, 403, 422, 451]),
        signs: CONTENT,
    },
    Line {
        meaning: TooLong,
        statuses: Statuses::OneOf(&[400, 403, 413, 422, 429]),
        signs: LENGTH,
    },
    // More tokens than the account may send in a minute: waiting never helps, another account may.
    Line {
        meaning: Unsupported,
        statuses: Statuses::OneOf(&[413, 429]),
        signs: &[Begins("request too large for")],
    },
    Line {
        meaning: Unsupported,
        statuses: Statuses::OneOf(&[400, 404, 422]),
        signs: FEATURES,
    },
    Line {
        meaning: QuotaExhausted,
        statuses: Statuses::Any,
        signs: MONEY,
    },
    Line {
        meaning: Unauthorized,
        statuses: Statuses::Any,
        signs: KEYS,
    },
    Line {
        meaning: Unauthorized,
        statuses: Statuses::Refusal,
        signs: PLACES,
    },
    Line {
        meaning: ModelUnavailable,
        statuses: Statuses::Refusal,
        signs: MODELS,
    },
    Line {
        meaning: Overloaded,
        statuses: Statuses::Refusal,
        signs: LOAD,
    },
    Line {
        meaning: RateLimited,
        statuses: Statuses::Refusal,
        signs: PACE,
    },
    Line {
        meaning: ServerError,
        statuses: Statuses::OneOf(&[400]),
        signs: FAULTS,
    },
];

/// The content is refused: not about this.
const CONTENT: &[Sign] = &[
    Code("content_filter"),
    Code("invalid_prompt"),
    Code("content_policy_violation"),
    Code("ResponsibleAIPolicyViolation"),
    Code("moderation_blocked"),
    Code("bio_policy"),
    Code("cyber_policy"),
    Code("misalignment_policy_violation"),
    // DashScope
    Code("DataInspectionFailed"),
    Code("data_inspection_failed"),
    // Volcengine: `InputTextSensitiveContentDetected` and others
    CodeEnds("SensitiveContentDetected"),
    // Zhipu
    Code("1301"),
    // ZenMux
    Code("safety_check_failed"),
    // Qianfan: `input_unsafe` and others
    CodeEnds("_unsafe"),
    // Anthropic
    Begins("output blocked by content filtering policy"),
    // xAI
    Begins("content violates usage guidelines"),
];

/// Longer than the model's window.
const LENGTH: &[Sign] = &[
    Code("context_length_exceeded"),
    Code("exceed_context_size_error"),
    Code("tokens_too_long"),
    Code("characters_too_long"),
    // Zhipu
    Code("1261"),
    // Anthropic
    Begins("prompt is too long"),
    Begins("input length and `max_tokens` exceed context limit"),
    // vLLM, DeepSeek and kin
    Begins("this model's maximum context length is"),
    // OpenRouter
    Begins("this endpoint's maximum context length is"),
    // Mistral
    Begins("prompt contains"),
    // Together
    Begins("input token count"),
    // Bedrock
    Begins("input is too long"),
    // Gemini
    Begins("the input token count"),
    Says("exceeds the maximum number of tokens"),
    // DashScope
    Begins("range of input length should be"),
];

/// A field or a value that the model does not take.
const FEATURES: &[Sign] = &[
    Code("unsupported_parameter"),
    Code("unsupported_value"),
    Code("unknown_parameter"),
    Code("extra_forbidden"),
    Says("\"extra_forbidden\""),
    // Anthropic
    Ends("extra inputs are not permitted"),
    Begins("this model does not support assistant message prefill"),
    // Gemini
    Begins("invalid json payload received. unknown name"),
    // DeepSeek
    Begins("failed to deserialize the json body into the target type"),
    Begins("this response_format type is unavailable"),
    // Ollama
    Ends("does not support tools"),
    // Groq
    Ends("is unsupported"),
    // llama.cpp
    Begins("image input is not supported"),
    // OpenRouter, with 404
    Begins("no endpoints found that support"),
    // OpenAI
    Begins("function tools with reasoning_effort are not supported"),
    // OpenAI, with 404: the model is there, but not at this path.
    Begins("this is a chat model"),
    Begins("this is not a chat model"),
    Begins("this model is only supported in"),
    Begins("invalid url ("),
    // Azure: the model does not do this.
    Code("OperationNotSupported"),
];

/// Too many requests or tokens at a time, under another status or beside words about a quota.
const PACE: &[Sign] = &[
    Code("rate_limit_exceeded"),
    CodeEnds("rate_limit_exceeded"),
    Code("rate_limit_reached_error"),
    Code("too_many_requests"),
    // Google
    Code("rateLimitExceeded"),
    Code("userRateLimitExceeded"),
    // DashScope: `Throttling.RateQuota`, `Throttling.AllocationQuota`; `LimitRequests` in OpenAI's shape
    CodeBegins("Throttling"),
    Code("limit_requests"),
    Code("LimitRequests"),
    // Bedrock
    Code("ThrottlingException"),
];

/// No money, no allowance. They are not a matter of seconds.
const MONEY: &[Sign] = &[
    // OpenAI
    Code("insufficient_quota"),
    Code("billing_not_active"),
    Code("billing_hard_limit_reached"),
    Code("credit_balance_exhausted"),
    Code("organization_spend_limit_exceeded"),
    Code("project_spend_limit_exceeded"),
    Code("organization_usage_limit_exceeded"),
    Code("usage_limit_reached"),
    Begins("your account is not active, please check your billing details"),
    // Anthropic
    Code("billing_error"),
    Code("enforced_spend_limit_reached"),
    Code("contract_spend_limit_reached"),
    Begins("your credit balance is too low"),
    Begins("you have reached your specified api usage limits"),
    // Google
    Says("your prepayment credits are depleted"),
    Says("billing to be enabled"),
    Code("BILLING_DISABLED"),
    // DeepSeek
    Says("insufficient balance"),
    // Groq
    Code("blocked_api_access"),
    // DashScope, Alibaba
    Code("Arrearage"),
    Code("PrepaidBillOverdue"),
    Code("PostpaidBillOverdue"),
    Code("CommodityNotPurchased"),
    Says("make sure your account is in good standing"),
    // Qianfan, Baidu
    Code("account_overdue"),
    Code("BILLING_INSUFFICIENT_BALANCE"),
    Code("QuotaLimitExceeded"),
    Code("QuotaLimitExpired"),
    // Volcengine
    Code("AccountOverdueError"),
    Code("SetLimitExceeded"),
    // Tencent
    Code("ResourceUnavailable.InArrears"),
    Code("ResourceUnavailable.LowBalance"),
    Code("FailedOperation.ResourcePackExhausted"),
    // Zhipu: no balance, plan expired, plan used up
    Code("1113"),
    Code("1308"),
    Code("1309"),
    Code("1310"),
    // Moonshot
    Code("exceeded_current_quota_error"),
    // xAI
    Says("doesn't have any credits yet"),
    Says("used all available credits"),
    // OpenRouter
    Begins("insufficient credits"),
    Begins("key limit exceeded"),
    // Together
    Begins("credit limit exceeded"),
    // Fireworks, with 412
    Says("reaching the monthly spending limit"),
    // SiliconFlow
    Code("30001"),
    Says("account balance is insufficient"),
    // Novita
    Code("NOT_ENOUGH_BALANCE"),
    // ZenMux
    Code("insufficient_credit"),
    Code("reject_no_credit"),
    Code("quote_exceeded"),
    // Cohere
    Begins("you are using a trial key, which is limited to"),
    // LiteLLM
    Code("budget_exceeded"),
    // New API, One API
    Code("insufficient_user_quota"),
    Code("pre_consume_token_quota_failed"),
    // Bedrock
    Begins("too many tokens per day"),
];

/// The key, or the account behind it, is refused.
const KEYS: &[Sign] = &[
    Code("invalid_api_key"),
    Code("invalid_authentication_error"),
    Code("authentication_error"),
    Code("account_deactivated"),
    Code("organization_deactivated"),
    Code("access_terminated"),
    Code("ip_not_authorized"),
    Code("mismatched_organization"),
    Code("mismatched_project"),
    // Anthropic
    Code("organization_on_hold"),
    Code("cmek_key_disabled"),
    Begins("this organization has been disabled"),
    Begins("your organization has been disabled"),
    Begins("this credential is only authorized for use with"),
    // Google
    Code("API_KEY_INVALID"),
    Code("API_KEY_SERVICE_BLOCKED"),
    Code("CONSUMER_SUSPENDED"),
    Code("CONSUMER_INVALID"),
    Code("SERVICE_DISABLED"),
    Begins("api key not valid"),
    Begins("api key expired"),
    Begins("api key not found"),
    Says("your api key was reported as leaked"),
    // DashScope
    Code("InvalidApiKey"),
    Code("WorkSpace.AccessDenied"),
    Code("Workspace.AccessDenied"),
    // Qianfan, Baidu
    Code("invalid_iam_token"),
    Code("invalid_appid"),
    Code("TokenStatusInvalidError"),
    Code("AccountNotExistError"),
    // Groq
    Code("organization_restricted"),
    // xAI, with 400
    Begins("incorrect api key provided"),
    Begins("invalid api key"),
    // Azure
    Begins("access denied due to invalid subscription key"),
    Begins("public access is disabled"),
    // LiteLLM
    Code("expired_key"),
    Code("token_not_found_in_db"),
];

/// The country or the region is refused.
const PLACES: &[Sign] = &[
    Code("unsupported_country_region_territory"),
    Begins("country, region, or territory not supported"),
    Begins("user location is not supported"),
    Says("is not available in your country"),
    Says("is not available in your region"),
    Says("not available in your location"),
];

/// The model is not there, or not for this account.
const MODELS: &[Sign] = &[
    Code("model_not_found"),
    Code("model_not_available"),
    Code("model_not_supported"),
    Code("model_not_exist"),
    Code("unknown_model"),
    Code("unsupported_model"),
    Code("model_unavailable"),
    Code("model_deprecated"),
    // OpenAI
    Says("your organization must be verified"),
    // Groq
    Code("model_decommissioned"),
    Code("model_terms_required"),
    Code("model_permission_blocked_org"),
    Code("model_permission_blocked_project"),
    // DeepSeek
    Begins("model not exist"),
    // DashScope: `AccessDenied.Unpurchased`; a free quota that one model has used up
    Code("ModelNotFound"),
    Code("AccessDenied.Unpurchased"),
    Code("Model.AccessDenied"),
    Code("AllocationQuota.FreeTierOnly"),
    // Azure
    Code("DeploymentNotFound"),
    Code("DeploymentModelNotSupported"),
    Code("ModelDeprecated"),
    // Mistral
    Begins("invalid model: "),
    // Perplexity
    Begins("invalid model '"),
    // OpenRouter
    Ends("is not a valid model id"),
    Begins("no endpoints found for"),
    Begins("no endpoints found matching your"),
    // Together
    Begins("unable to access model"),
    Begins("unable to access non-serverless model"),
    // Volcengine
    Code("InvalidEndpointOrModel.NotFound"),
    Code("InvalidEndpoint.ClosedEndpoint"),
    Code("ModelNotOpen"),
    // Zhipu
    Code("1211"),
    // SiliconFlow
    Code("20012"),
    Code("30003"),
    Begins("model does not exist"),
    // Hugging Face, vLLM, Copilot
    Begins("the requested model"),
    // Bedrock
    Begins("the provided model identifier is invalid"),
    Begins("you don't have access to the model with the specified model id"),
    Begins("this model version has reached the end of its life"),
    Begins("invocation of model id"),
    // Fireworks
    Begins("model not found"),
    // Ollama
    Says("this model requires a subscription"),
    // LiteLLM
    Code("key_model_access_denied"),
    Code("team_model_access_denied"),
    Says("invalid model name passed in model="),
];

/// The provider has too much to do, or our requests grow too fast.
const LOAD: &[Sign] = &[
    Code("slow_down"),
    Code("ramp_limit_exceeded"),
    Code("Offline_batch_reasoning_refused"),
    Code("engine_overloaded_error"),
    Code("overloaded_error"),
    Code("server_is_overloaded"),
    Code("service_tier_capacity_exceeded"),
    // Cerebras
    Code("queue_exceeded"),
    // Volcengine
    Code("ServerOverloaded"),
    // Zhipu
    Code("1305"),
    // Qianfan: `cluster_rpm_limit_exceeded` and others
    CodeBegins("cluster_"),
    CodeBegins("preemptible_"),
];

/// The provider's own failures, although the status blames the client.
const FAULTS: &[Sign] = &[
    Code("server_error"),
    Code("internal_error"),
    Code("internal_server_error"),
    Code("InternalError"),
    Code("APIConnectionError"),
    Code("ServiceUnavailable"),
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

/// What a message says about a model by its name, if the model is not there.
pub(super) const MODEL_IS_GONE: [&str; 14] = [
    "not exist",
    "not found",
    "unknown model",
    "invalid model",
    "no such model",
    "decommissioned",
    "deprecated",
    "retired",
    "no longer",
    "not available",
    "does not have access",
    "don't have access",
    "no access",
    "end of life",
];

/// What gateways, firewalls and web frameworks say in JSON without knowing the API. Some are a mere status in words.
pub(super) const WORDS_OF_GATEWAYS: [&str; 15] = [
    "",
    "not found",
    "404 not found",
    "page not found",
    "404 page not found",
    "file not found",
    "resource not found",
    "forbidden",
    "403 forbidden",
    "bad request",
    "method not allowed",
    "request entity too large",
    "request blocked",
    "no route matched with those values",
    "missing authentication token",
];

/// What codes and types of an error inside a 200 mean as a status. Unknown ones are the upstream's fault.
pub(super) const STATUS_OF: [(&str, u16); 12] = [
    ("invalid_request_error", 400),
    ("BadRequestError", 400),
    ("permission_error", 403),
    ("not_found_error", 404),
    ("request_too_large", 413),
    ("requests", 429),
    ("tokens", 429),
    ("RESOURCE_EXHAUSTED", 429),
    ("overloaded_error", 529),
    ("server_is_overloaded", 503),
    ("slow_down", 503),
    ("UNAUTHENTICATED", 401),
];
