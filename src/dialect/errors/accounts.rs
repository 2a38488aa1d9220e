//! Marks of errors that are facts about an account: its money, its key, its country, its models.
//!
//! Words that stand anywhere in a message must be so particular that no prompt has them by chance, because providers
//! echo prompts.

use super::mark::Mark;
use super::mark::Mark::{Begins, Code, Ends, Says};

/// No money, no allowance. They are not a matter of seconds.
pub(super) const MONEY: &[Mark] = &[
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
    Begins("you're out of extra usage"),
    Begins("third-party apps now draw from your extra usage"),
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
pub(super) const KEYS: &[Mark] = &[
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
pub(super) const PLACES: &[Mark] = &[
    Code("unsupported_country_region_territory"),
    Begins("country, region, or territory not supported"),
    Begins("user location is not supported"),
    Says("is not available in your country"),
    Says("is not available in your region"),
    Says("not available in your location"),
];

/// The model is not there, or not for this account.
pub(super) const MODELS: &[Mark] = &[
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
    // Voyage
    Says("is not supported. supported models are"),
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
