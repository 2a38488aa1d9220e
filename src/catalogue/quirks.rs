//! Quirks: how a provider's chat API differs from `OpenAI`'s.
//!
//! They apply to requests that the proxy has rewritten: for a fallback with another model, or by translation. A
//! request that a client wrote for the model passes through as it is.

/// How chat requests must be written for a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// The name of the field that limits the tokens of an answer; `None`: the provider accepts either name.
    pub limit: Option<&'static str>,
    /// Whether it knows the role `developer`.
    pub has_developer: bool,
    /// Fields that it rejects with an error. They are only hints, so they can be dropped.
    pub refuses: &'static [&'static str],
    /// Further ones, if the model is a reasoning model.
    pub refuses_of_thinkers: &'static [&'static str],
    /// Further ones, if the model is one of `OpenAI`'s o-series (`o3`, `o4-mini`).
    pub refuses_of_o_models: &'static [&'static str],
    /// The only fields of a message that it accepts; `None`: any.
    pub message_fields: Option<&'static [&'static str]>,
    /// Which reasoning efforts its models accept.
    pub efforts: Efforts,
    /// The longest description of a tool that it accepts, in bytes.
    pub longest_description: Option<usize>,
    /// Which ids of tool calls it accepts.
    pub call_ids: CallIds,
    /// Whether its models require that tool calls in the history are signed.
    pub wants_signed_calls: bool,
    /// Whether a message must be one text instead of a list of parts, and a system message must come first: the chat
    /// templates of many models reject anything else.
    pub has_plain_turns: bool,
    /// Whether an assistant message must come between tool results and the next user message.
    pub answers_tools: bool,
    /// Whether its models reason without being asked, and reject a conversation without the reasoning that belongs to
    /// their tool calls.
    pub wants_thoughts_back: bool,
    /// Whether all tool calls of a streamed answer have the same index.
    pub numbers_calls_alike: bool,
}

/// Which reasoning efforts a provider's models accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Efforts {
    /// Any.
    Any,
    /// `low`, `medium` or `high`.
    Three,
    /// Any; but since gpt-5.4 only `none` where there are tools, and it must be stated: `Function tools with
    /// reasoning_effort are not supported`.
    NoneWithTools,
}

/// Which ids of tool calls a provider accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallIds {
    /// Any.
    Any,
    /// Up to 40 characters.
    Short,
    /// Nine letters and digits.
    Nine,
}

const NEW_LIMIT: &str = "max_completion_tokens";
const OLD_LIMIT: &str = "max_tokens";

/// The fields of a message that strict providers know. Clients send back what they were given, `annotations` and
/// `reasoning_content` included.
const PLAIN_MESSAGE: &[&str] = &["role", "content", "tool_calls", "tool_call_id", "prefix"];

impl Quirks {
    /// `OpenAI` itself: reasoning models accept no sampling parameters and no stop sequences.
    pub const OPENAI: Self = Self {
        limit: Some(NEW_LIMIT),
        has_developer: true,
        refuses: &[],
        refuses_of_thinkers: &[
            "temperature",
            "top_p",
            "presence_penalty",
            "frequency_penalty",
            "stop",
        ],
        refuses_of_o_models: &["parallel_tool_calls"],
        efforts: Efforts::NoneWithTools,
        longest_description: Some(1024),
        call_ids: CallIds::Short,
        ..Self::UNKNOWN
    };
    /// An unknown provider: the request stays as it was written.
    pub const UNKNOWN: Self = Self {
        limit: None,
        has_developer: true,
        refuses: &[],
        refuses_of_thinkers: &[],
        refuses_of_o_models: &[],
        message_fields: None,
        efforts: Efforts::Any,
        longest_description: None,
        call_ids: CallIds::Any,
        wants_signed_calls: false,
        has_plain_turns: false,
        answers_tools: false,
        wants_thoughts_back: false,
        numbers_calls_alike: false,
    };
    /// Most others: they know the older names, and ignore what they do not know. `messages.0.content : value must be
    /// a string` (Groq), `invalid type: sequence, expected a string` (`DeepSeek`).
    pub const OLDER: Self = Self {
        limit: Some(OLD_LIMIT),
        has_developer: false,
        efforts: Efforts::Three,
        has_plain_turns: true,
        ..Self::UNKNOWN
    };
    /// Rejects fields that it does not know, by name (`Unknown name "store": Cannot find field.`).
    pub const GEMINI: Self = Self {
        refuses: &[
            "frequency_penalty",
            "logit_bias",
            "metadata",
            "moderation",
            "parallel_tool_calls",
            "prediction",
            "presence_penalty",
            "prompt_cache_key",
            "prompt_cache_retention",
            "safety_identifier",
            "seed",
            "service_tier",
            "store",
            "user",
            "verbosity",
        ],
        wants_signed_calls: true,
        numbers_calls_alike: true,
        ..Self::OLDER
    };
    /// Forbids fields that it does not know (`extra_forbidden`); its streams end with usage without being asked.
    /// `Unexpected role 'user' after role 'tool'`.
    pub const MISTRAL: Self = Self {
        refuses: &[
            "logit_bias",
            "metadata",
            "modalities",
            "moderation",
            "prompt_cache_key",
            "prompt_cache_retention",
            "reasoning_effort",
            "safety_identifier",
            "seed",
            "service_tier",
            "store",
            "stream_options",
            "user",
            "verbosity",
        ],
        message_fields: Some(PLAIN_MESSAGE),
        call_ids: CallIds::Nine,
        answers_tools: true,
        ..Self::OLDER
    };
    /// `The reasoning_content in the thinking mode must be passed back to the API.`
    pub const DEEPSEEK: Self = Self {
        wants_thoughts_back: true,
        ..Self::OLDER
    };
    /// Documents `logit_bias` and the `name` of a message as errors.
    pub const GROQ: Self = Self {
        limit: None,
        refuses: &["logit_bias"],
        message_fields: Some(PLAIN_MESSAGE),
        ..Self::OLDER
    };
}
