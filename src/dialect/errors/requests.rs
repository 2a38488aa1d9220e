//! Marks of errors about one request, and about how many there are.
//!
//! Words that stand anywhere in a message must be so particular that no prompt has them by chance, because providers
//! echo prompts.

use super::mark::Mark;
use super::mark::Mark::{Begins, Code, CodeBegins, CodeEnds, Ends, Says};

/// The content is refused: not about this.
pub(super) const CONTENT: &[Mark] = &[
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

/// Longer than the model's window, with what it may answer.
pub(super) const LENGTH: &[Mark] = &[
    Code("context_length_exceeded"),
    Code("exceed_context_size_error"),
    Code("tokens_too_long"),
    Code("characters_too_long"),
    // Perplexity
    Code("too_many_prompt_tokens"),
    // Zhipu
    Code("1261"),
    // GitHub
    Code("model_max_prompt_tokens_exceeded"),
    Code("tokens_limit_reached"),
    Begins("prompt token count of"),
    // Anthropic
    Begins("prompt is too long"),
    Begins("input length and `max_tokens` exceed context limit"),
    // OpenAI, Azure
    Begins("your input exceeds the context window of this model"),
    Begins("input tokens exceed the configured limit of"),
    // vLLM, DeepSeek and kin
    Begins("this model's maximum context length is"),
    Begins("'max_tokens' or 'max_completion_tokens' is too large: "),
    Says("is longer than the maximum model length of"),
    // SGLang, Together
    Begins("requested token count exceeds the model's maximum context length"),
    Says(" tokens) is longer than the model's context length ("),
    Says(" tokens) exceeds the maximum allowed length ("),
    // OpenRouter, Poolside
    Begins("this endpoint's maximum context length is"),
    Says("exceeds the maximum allowed input length of"),
    // xAI
    Begins("this model's maximum prompt length is"),
    // Groq, Cerebras
    Begins("please reduce the length of the messages"),
    // Mistral
    Says(", too large for model with "),
    // Together
    Begins("input token count"),
    // Fireworks
    Begins("the prompt is too long: "),
    // MiniMax
    Begins("invalid params, context window exceeds limit"),
    // Moonshot
    Says("your request exceeded model token limit: "),
    // Cohere
    Begins("too many tokens: "),
    // Bedrock
    Begins("input is too long"),
    // Ollama
    Begins("prompt too long; exceeded max context length"),
    // LM Studio
    Begins(
        "the number of tokens to keep from the initial prompt is greater than the context length",
    ),
    Begins("trying to keep the first"),
    // LiteLLM
    Begins("litellm.contextwindowexceedederror"),
    // Gemini
    Begins("the input token count"),
    Says("exceeds the maximum number of tokens"),
    // DashScope
    Begins("range of input length should be"),
];

/// The model does not answer in events, or not this account.
pub(super) const STREAMS: &[Mark] = &[
    // Bedrock: `This model doesn't support tool use in streaming mode.`
    Ends("in streaming mode"),
    Ends("unsupported for streaming"),
    Says("does not support streaming"),
    Says("doesn't support streaming"),
    Says("do not support streaming"),
    Says("does not support stream mode"),
    Says("streaming is not supported"),
    Says("streaming not supported"),
    Says("stream is not supported"),
    Says("stream mode is not supported"),
    Says("streaming is not available"),
    Says("streaming is not enabled"),
    Says("streaming is disabled"),
    Says("must be verified to stream"),
];

/// A field or a value that the model does not take.
pub(super) const FEATURES: &[Mark] = &[
    Code("unsupported_parameter"),
    Code("unsupported_value"),
    Code("unknown_parameter"),
    Code("extra_forbidden"),
    Says("\"extra_forbidden\""),
    // vLLM, as Python writes it
    Says("'type': 'extra_forbidden'"),
    // Fireworks
    Begins("extra inputs are not permitted, field: "),
    // Anthropic
    Ends("extra inputs are not permitted"),
    Says(" for the `anthropic-beta` header"),
    // Bedrock
    Begins("invalid beta flag"),
    // Gemini
    Begins("invalid json payload received. unknown name"),
    // DeepSeek
    Begins("failed to deserialize the json body into the target type"),
    Begins("this response_format type is unavailable"),
    // Ollama
    Ends("does not support tools"),
    // Groq
    Ends("is unsupported"),
    Says("' is unsupported, did you mean '"),
    // OpenAI: `Unsupported parameter: 'temperature' is not supported with this model.`; Anthropic: `tool_choice: type "tool"
    // and "any" are not supported for this model.`
    Says("not supported with this model"),
    Says("not supported for this model"),
    Says("not supported by this model"),
    Says("not supported on this model"),
    Says("not supported when using this model"),
    Says("is deprecated for this model"),
    Says("cannot both be specified for this model"),
    Says("this model does not support"),
    Says("does not support effort level"),
    // xAI
    Says(" does not support parameter "),
    Begins("unsupported parameter: "),
    // OpenAI, for a field of chats that it does not know
    Begins("unrecognized request argument"),
    Begins("unsupported value: "),
    // llama.cpp
    Begins("image input is not supported"),
    // OpenAI
    Begins("invalid content type. image_url is only supported by certain models"),
    // SGLang, vLLM
    Begins("the model is not multimodal"),
    Says(" is not a multimodal model"),
    Says("(s) may be provided in one "),
    // What vLLM and llama.cpp make of a schema
    Says("contains features not supported by xgrammar"),
    Begins("grammar error: "),
    Begins("failed to initialize samplers"),
    // The model's chat template, or that there is none
    Says("system message must be at the beginning"),
    Says("no longer allowed, so you must provide a chat template"),
    Begins("unable to generate parser for this template"),
    // More tokens than the model answers with, in the words of OpenAI, Anthropic, DeepSeek, Groq and DashScope.
    Begins("max_tokens is too large: "),
    Says("which is the maximum allowed number of output tokens for "),
    Begins("invalid max_tokens value, the valid range of max_tokens is "),
    Begins("`max_tokens` must be less than or equal to "),
    Says("range of max_tokens should be "),
    // OpenAI takes 128 tools.
    Code("array_above_max_length"),
    // DeepSeek's models behind a server
    Begins("only a tool_choice of 'auto' is supported"),
    // vLLM, as it was started
    Says("tool choice requires --enable-auto-tool-choice"),
    // Ollama
    Ends("does not support thinking"),
    // DeepSeek
    Ends("does not support this tool_choice"),
    // Moonshot
    Ends("is incompatible with thinking enabled"),
    Ends(" is allowed for this model"),
    // DashScope
    Begins("this model only support stream mode"),
    Ends("must be set to false for non-streaming calls"),
    Ends("being set to required or object in thinking mode"),
    // Bedrock
    Begins("this model doesn't support"),
    // Groq
    Begins("json mode cannot be combined with tool"),
    // Azure's older API
    Says(" is enabled only for api versions "),
    // Anthropic has narrower limits than others.
    Begins("the long context beta is not yet available"),
    Begins("schema is too complex"),
    Says("does not support oneof, allof, or anyof at the top level"),
    Ends("may not be enabled when tool_choice forces tool use"),
    Ends(" pdf pages may be provided"),
    Begins("too many images and documents: "),
    Says("image dimensions exceed max allowed size"),
    Says(": image exceeds "),
    Says(" media type, but the image appears to be "),
    // OpenRouter, with 404
    Begins("no endpoints found that support"),
    // OpenAI
    Begins("function tools with reasoning_effort are not supported"),
    // OpenAI, with 404: the model is there, but not at this path.
    Begins("this is a chat model"),
    Begins("this is not a chat model"),
    Begins("this model is only supported in"),
    Begins("invalid url ("),
    // LM Studio, with 200
    Begins("unexpected endpoint or method"),
    // Azure: the model does not do this.
    Code("OperationNotSupported"),
];

/// Too many requests or tokens at a time, under another status or beside words about a quota.
pub(super) const PACE: &[Mark] = &[
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

/// The limit of a day, beside a 429.
pub(super) const DAILY: &[Mark] = &[
    // OpenRouter, for all free models together; also `free-models-per-day-high-balance`
    Begins("rate limit exceeded: free-models-per-day"),
    // Cloudflare's Workers AI
    Says("used up your daily free allocation"),
    // Groq and OpenAI: `on tokens per day (TPD): Limit 100000, Used 97050, …`
    Says("on tokens per day (tpd)"),
    Says("on requests per day (rpd)"),
];

/// The provider has too much to do, or our requests grow too fast.
pub(super) const LOAD: &[Mark] = &[
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

/// The model has written a call, or JSON, that its provider does not hand on.
pub(super) const SLIPS: &[Mark] = &[
    // Groq
    Code("tool_use_failed"),
    Code("json_validate_failed"),
];

/// The provider's own failures, although the status blames the client.
pub(super) const FAULTS: &[Mark] = &[
    Code("server_error"),
    // Anthropic
    Code("api_error"),
    Code("internal_error"),
    Code("internal_server_error"),
    Code("InternalError"),
    Code("APIConnectionError"),
    Code("ServiceUnavailable"),
];
