//! Quirks: how a provider's chat API differs from `OpenAI`'s.
//!
//! They apply to requests that the proxy has rewritten: for a fallback with another model, or by translation. A
//! request that a client wrote for the model passes through as it is.

use serde::Deserialize;

use super::facts::Facts;
use super::refused::RefusedFields;

/// How chat requests must be written for a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// The name of the field that limits the tokens of an answer; `None`: the provider accepts either name.
    pub limit: Option<&'static str>,
    /// Whether it knows the role `developer`.
    pub has_developer: bool,
    /// Fields that it rejects with an error. They are only hints, so they can be dropped.
    pub refuses: RefusedFields,
    /// Further ones that it rejects in chats; in `/responses` they mean something to many.
    pub refuses_in_chats: RefusedFields,
    /// Whether it searches the web for a chat that asks for that (`web_search_options`), or hands it on to one who does.
    pub searches_in_chats: bool,
    /// Whether it rejects what does not go with a model that thinks, or with how it thinks.
    pub minds_thinking: bool,
    /// Further ones that its models that think reject, even while they do not.
    pub refuses_to_thinkers: RefusedFields,
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
    /// Whether the content of an answer is a list of parts where its model has thought. `OpenAI`'s clients expect a text.
    pub thinks_in_content: bool,
}

/// Which reasoning efforts a provider's models accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Efforts {
    /// Any.
    Any,
    /// `low`, `medium` or `high`.
    Three,
    /// Those that its models are known to take; others reject the field.
    Known,
    /// Any; but since gpt-5.4 only `none` where there are tools, and it must be stated: `Function tools with
    /// reasoning_effort are not supported`.
    NoneWithTools,
}

/// Which ids of tool calls a provider accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallIds {
    /// Any.
    Any,
    /// Up to 40 characters.
    Short,
    /// Nine letters and digits.
    Nine,
}

/// The fields of a message that strict providers know. Clients send back what they were given, `annotations` and
/// `reasoning_content` included.
const PLAIN_MESSAGE: &[&str] = &["role", "content", "tool_calls", "tool_call_id", "prefix"];

/// Those that Cerebras knows: `property 'messages.2.assistant.reasoning_content' is unsupported`, while it takes what it calls
/// `reasoning`.
const CEREBRAS_MESSAGE: &[&str] = &["role", "content", "tool_calls", "tool_call_id", "reasoning"];

/// What models that think do not end at.
const STOP: RefusedFields = RefusedFields::of(&["stop"]);
/// What cannot be set while a model thinks.
const REFUSED_WHILE_THINKING: RefusedFields = RefusedFields::of(&[
    "frequency_penalty",
    "presence_penalty",
    "temperature",
    "top_p",
]);
/// What no model of the o-series takes (`o3`, `o4-mini`).
const REFUSED_OF_O_SERIES: RefusedFields = RefusedFields::of(&["parallel_tool_calls"]);

/// What means something only at `OpenAI`: its programmes, its price classes, its cache.
const OF_OPENAI: RefusedFields = RefusedFields::of(&[
    "access_programs",
    "background_options",
    "moderation",
    "prompt_cache_breakpoint",
    "prompt_cache_options",
    "service_tier",
]);

/// What `OpenAI` and gateways in front of it know in a chat. Others ignore it at best: `property 'verbosity' is unsupported`
/// (Groq), `property 'metadata' is unsupported` (Cerebras).
const HINTS: RefusedFields = RefusedFields::of(&[
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "verbosity",
]);

impl Quirks {
    /// The newer name of the field that limits the tokens of an answer.
    pub(super) const NEW_LIMIT: &str = "max_completion_tokens";
    /// The older one.
    pub(super) const OLD_LIMIT: &str = "max_tokens";

    /// Whether it is `OpenAI` itself: only it knows the newer name of the limit alone, and all the hints.
    pub fn is_original(&self) -> bool {
        self.limit == Self::OPENAI.limit
    }

    /// What it rejects of a chat to this model, which is to think now or not.
    pub fn refused_of(&self, model: &Facts, is_thinking: bool) -> RefusedFields {
        let only_if = |is_so: bool, fields| match self.minds_thinking && is_so {
            true => fields,
            false => RefusedFields::NONE,
        };
        let of_thinkers = match model.thinks {
            true => self.refuses_to_thinkers,
            false => RefusedFields::NONE,
        };
        self.refuses
            .or(self.refuses_in_chats)
            .or(of_thinkers)
            .or(only_if(is_thinking, REFUSED_WHILE_THINKING))
            .or(only_if(!model.takes_parallel_choice, REFUSED_OF_O_SERIES))
    }

    /// What it may reject of a chat, whatever the model.
    pub fn may_refuse(&self) -> RefusedFields {
        let known = self
            .refuses
            .or(self.refuses_in_chats)
            .or(self.refuses_to_thinkers);
        match self.minds_thinking {
            true => known.or(REFUSED_WHILE_THINKING).or(REFUSED_OF_O_SERIES),
            false => known,
        }
    }

    /// `OpenAI` itself: models that think accept no sampling parameters and no stop sequences.
    pub const OPENAI: Self = Self {
        limit: Some(Self::NEW_LIMIT),
        has_developer: true,
        refuses: RefusedFields::NONE,
        refuses_to_thinkers: STOP,
        minds_thinking: true,
        efforts: Efforts::NoneWithTools,
        call_ids: CallIds::Short,
        ..Self::UNKNOWN
    };
    /// An unknown provider: the request stays as it was written, but for what means something only at `OpenAI`.
    pub const UNKNOWN: Self = Self {
        limit: None,
        has_developer: true,
        refuses: OF_OPENAI,
        refuses_in_chats: RefusedFields::NONE,
        searches_in_chats: true,
        refuses_to_thinkers: RefusedFields::NONE,
        minds_thinking: false,
        message_fields: None,
        efforts: Efforts::Any,
        longest_description: None,
        call_ids: CallIds::Any,
        wants_signed_calls: false,
        has_plain_turns: false,
        answers_tools: false,
        wants_thoughts_back: false,
        numbers_calls_alike: false,
        thinks_in_content: false,
    };
    /// Most others: they know the older names, and ignore what they do not know. `messages.0.content : value must be
    /// a string` (Groq), `invalid type: sequence, expected a string` (`DeepSeek`).
    pub const OLDER: Self = Self {
        limit: Some(Self::OLD_LIMIT),
        has_developer: false,
        refuses_in_chats: HINTS,
        searches_in_chats: false,
        efforts: Efforts::Three,
        has_plain_turns: true,
        ..Self::UNKNOWN
    };
    /// Rejects fields that it does not know, by name (`Unknown name "store": Cannot find field.`).
    pub const GEMINI: Self = Self {
        refuses: OF_OPENAI.or(RefusedFields::of(&[
            "frequency_penalty",
            "logit_bias",
            "parallel_tool_calls",
            "presence_penalty",
            "seed",
            "user",
        ])),
        wants_signed_calls: true,
        numbers_calls_alike: true,
        ..Self::OLDER
    };
    /// Forbids fields that it does not know (`extra_forbidden`); its streams end with usage without being asked.
    /// `Unexpected role 'user' after role 'tool'`.
    pub const MISTRAL: Self = Self {
        refuses: OF_OPENAI.or(RefusedFields::of(&[
            "logit_bias",
            "modalities",
            "seed",
            "stream_options",
            "user",
        ])),
        refuses_in_chats: HINTS.without(RefusedFields::of(&["prediction", "prompt_cache_key"])),
        message_fields: Some(PLAIN_MESSAGE),
        call_ids: CallIds::Nine,
        answers_tools: true,
        efforts: Efforts::Known,
        thinks_in_content: true,
        ..Self::OLDER
    };
    /// `The reasoning_content in the thinking mode must be passed back to the API.` Kimi: `thinking is enabled but
    /// reasoning_content is missing in assistant tool call message`.
    pub const DEEPSEEK: Self = Self {
        wants_thoughts_back: true,
        ..Self::OLDER
    };
    /// `invalid temperature: only 1 is allowed for this model`: of models that think, and 0.6 while they do not.
    pub const MOONSHOT: Self = Self {
        refuses_to_thinkers: REFUSED_WHILE_THINKING,
        ..Self::DEEPSEEK
    };
    /// `Model grok-4.6 does not support parameter presencePenalty.`
    pub const XAI: Self = Self {
        refuses: OF_OPENAI.or(RefusedFields::of(&["presence_penalty"])),
        refuses_to_thinkers: STOP.or(RefusedFields::of(&["frequency_penalty"])),
        ..Self::OLDER
    };
    /// Documents these as errors; `property 'metadata' is unsupported`.
    pub const CEREBRAS: Self = Self {
        refuses: OF_OPENAI.or(RefusedFields::of(&[
            "frequency_penalty",
            "logit_bias",
            "modalities",
            "presence_penalty",
        ])),
        message_fields: Some(CEREBRAS_MESSAGE),
        ..Self::OLDER
    };
    /// Documents `logit_bias` and the `name` of a message as errors.
    pub const GROQ: Self = Self {
        limit: None,
        refuses: OF_OPENAI.or(RefusedFields::of(&["logit_bias", "modalities"])),
        message_fields: Some(PLAIN_MESSAGE),
        ..Self::OLDER
    };
    /// Searches the web for every answer.
    pub const PERPLEXITY: Self = Self {
        searches_in_chats: true,
        ..Self::OLDER
    };
}
