//! What was left out of a request: hints without which the answer is still what was asked for.

use serde_json::{Map, Value};

use super::api::Api;

/// The names of what was left out, in the client's words, each once.
#[derive(Clone, Debug)]
pub struct Dropped {
    origin: Api,
    names: Vec<String>,
}

/// More than anybody would read.
const MOST: usize = 32;
/// No field has a longer name.
const LONGEST: usize = 64;

impl Dropped {
    /// Nothing, of a request in this API.
    pub fn nothing(origin: Api) -> Self {
        Self {
            origin,
            names: Vec::new(),
        }
    }

    /// A field that APIs have under different names.
    pub fn field(&mut self, field: Field) {
        self.named(field.in_words_of(self.origin));
    }

    /// Something that has this name in the client's API. Names that are not allowed in a header are left out, and so are
    /// more than anybody would read.
    pub fn named(&mut self, name: &str) {
        let is_printable =
            name.len() <= LONGEST && name.bytes().all(|byte| byte.is_ascii_graphic());
        let is_known = self.names.iter().any(|known| known == name);
        if is_printable && !is_known && self.names.len() < MOST {
            self.names.push(name.to_owned());
        }
    }

    /// Every field that nobody has taken out of a request; null says nothing.
    pub fn rest(&mut self, fields: &Map<String, Value>) {
        for (name, value) in fields {
            if !value.is_null() {
                self.named(name);
            }
        }
    }

    /// The names.
    pub fn into_names(self) -> Vec<String> {
        self.names
    }
}

/// A field that a target may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Marks of where a part of the prompt ends that is to be cached.
    CacheControl,
    /// How closely the model looks at an image.
    Detail,
    /// How hard the model reasons.
    Effort,
    /// The form of the answer.
    Format,
    /// How much less likely a token becomes each time it is used.
    FrequencyPenalty,
    /// Whether the model may call several tools in one answer.
    Parallel,
    /// How much less likely a token becomes once it is used.
    PresencePenalty,
    /// Which requests the provider sends to the same cache.
    PromptCacheKey,
    /// How long a prompt stays in the cache.
    PromptCacheRetention,
    /// Who is served, where the provider looks for abuse.
    SafetyIdentifier,
    /// What makes the choice of tokens repeatable.
    Seed,
    /// What the form of the answer is for.
    SchemaDescription,
    /// The name of the form of the answer.
    SchemaName,
    /// How much of what a search finds the model gets to read.
    SearchContextSize,
    /// How fast the answer comes, and what it costs.
    ServiceTier,
    /// Texts that end the answer.
    Stop,
    /// Whether the arguments of a call, or the answer, must keep to their schema.
    Strict,
    /// How freely the next token is chosen.
    Temperature,
    /// Reasoning of earlier turns.
    Thoughts,
    /// Among how many of the likeliest tokens it is chosen.
    TopK,
    /// Among how much of the probability it is chosen.
    TopP,
    /// Who is served, by the client's own name for it.
    User,
    /// How long the answer is.
    Verbosity,
}

impl Field {
    /// Its name in a request of this API.
    fn in_words_of(self, api: Api) -> &'static str {
        let (chat, messages, responses) = match self {
            Self::CacheControl => (
                "cache_control",
                "cache_control",
                "input.content.prompt_cache_breakpoint",
            ),
            Self::Detail => ("image_url.detail", "detail", "input_image.detail"),
            Self::Effort => ("reasoning_effort", "thinking", "reasoning"),
            Self::Format => ("response_format", "output_config.format", "text.format"),
            Self::FrequencyPenalty => (
                "frequency_penalty",
                "frequency_penalty",
                "frequency_penalty",
            ),
            Self::Parallel => ("parallel_tool_calls", "tool_choice", "parallel_tool_calls"),
            Self::PresencePenalty => ("presence_penalty", "presence_penalty", "presence_penalty"),
            Self::PromptCacheKey => ("prompt_cache_key", "prompt_cache_key", "prompt_cache_key"),
            Self::PromptCacheRetention => (
                "prompt_cache_retention",
                "prompt_cache_retention",
                "prompt_cache_retention",
            ),
            Self::SafetyIdentifier => ("safety_identifier", "metadata", "safety_identifier"),
            Self::Seed => ("seed", "seed", "seed"),
            Self::SchemaDescription => (
                "response_format.json_schema.description",
                "output_config.format.description",
                "text.format.description",
            ),
            Self::SchemaName => (
                "response_format.json_schema.name",
                "output_config.format.name",
                "text.format.name",
            ),
            Self::SearchContextSize => (
                "web_search_options.search_context_size",
                "tools.search_context_size",
                "tools.search_context_size",
            ),
            Self::ServiceTier => ("service_tier", "service_tier", "service_tier"),
            Self::Stop => ("stop", "stop_sequences", "stop"),
            Self::Strict => ("strict", "strict", "strict"),
            Self::Temperature => ("temperature", "temperature", "temperature"),
            Self::Thoughts => (
                "messages.reasoning_content",
                "messages.thinking",
                "input.reasoning",
            ),
            Self::TopK => ("top_k", "top_k", "top_k"),
            Self::TopP => ("top_p", "top_p", "top_p"),
            Self::User => ("user", "metadata", "user"),
            Self::Verbosity => ("verbosity", "verbosity", "text.verbosity"),
        };
        match api {
            Api::Chat => chat,
            Api::Messages => messages,
            Api::Responses => responses,
        }
    }
}
