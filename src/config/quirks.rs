//! What a provider takes of OpenAI's chat requests, where it differs.
//!
//! Requests that a client wrote for a model pass as they are. These are the manners of a provider that stands in for
//! another one, or is asked in words that the proxy has chosen.

/// How chat requests are put to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// The name of the limit of an answer's tokens; `None`: it takes either.
    pub limit: Option<&'static str>,
    /// Whether it knows the role `developer`.
    pub has_developer: bool,
    /// Hints that it answers with an error.
    pub refuses: &'static [&'static str],
    /// Further ones, if the model is one that thinks.
    pub refuses_of_thinkers: &'static [&'static str],
    /// Further ones, if the model is one of `OpenAI`'s o-series (`o3`, `o4-mini`).
    pub refuses_of_o_models: &'static [&'static str],
    /// The only fields of a message that it takes; `None`: any.
    pub message_fields: Option<&'static [&'static str]>,
    /// How hard its models can be asked to think.
    pub efforts: Efforts,
    /// As long as the description of a tool may be, in bytes.
    pub longest_description: Option<usize>,
    /// Which ids of calls it takes.
    pub call_ids: CallIds,
    /// Whether its models want calls in the history to be signed.
    pub wants_signed_calls: bool,
    /// Whether its texts are no lists of parts, and the system speaks at the beginning only: templates of many models refuse
    /// anything else.
    pub has_plain_turns: bool,
    /// Whether it wants to answer the results of tools before a user speaks again.
    pub answers_tools: bool,
    /// Whether its models think unasked, and refuse a conversation that does not give their thoughts back with their calls.
    pub wants_thoughts_back: bool,
    /// Whether all calls of a streamed answer have the same number.
    pub numbers_calls_alike: bool,
}

/// How hard a provider's models can be asked to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Efforts {
    /// As anybody likes.
    Any,
    /// `low`, `medium` or `high`.
    Three,
    /// As anybody likes; but since gpt-5.4 `none` where there are tools, which must be said: `Function tools with
    /// reasoning_effort are not supported`.
    NoneWithTools,
}

/// The ids of calls that a provider takes.
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

/// What strict providers know of a message. Clients send back what they were given, `annotations` and
/// `reasoning_content` included.
const PLAIN_MESSAGE: &[&str] = &["role", "content", "tool_calls", "tool_call_id", "prefix"];

impl Quirks {
    /// `OpenAI` itself: models that think take no other sampling than their own, and end where they like.
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
    /// Nobody knows: as it was written.
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
    /// Most others: the older names, and what they do not know is not minded. `messages.0.content : value must be a string`
    /// (Groq), `invalid type: sequence, expected a string` (`DeepSeek`).
    pub const OLDER: Self = Self {
        limit: Some(OLD_LIMIT),
        has_developer: false,
        efforts: Efforts::Three,
        has_plain_turns: true,
        ..Self::UNKNOWN
    };
    /// Names the fields that it does not know (`Unknown name "store": Cannot find field.`).
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
    /// Forbids what it does not know (`extra_forbidden`); usage ends its streams without being asked for. `Unexpected role
    /// 'user' after role 'tool'`.
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
