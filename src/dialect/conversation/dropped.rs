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
/// "Invalid 'user': string too long. Expected a string with maximum length 64", and so for all of them. Claude Code's user has
/// twice as many.
const LONGEST_HINT: usize = 64;

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
        self.rest_of("", fields);
    }

    /// The same for an object in it, whose name with a dot is `within`.
    pub fn rest_of(&mut self, within: &str, fields: &Map<String, Value>) {
        for (name, value) in fields {
            if !value.is_null() {
                self.named(&format!("{within}{name}"));
            }
        }
    }

    /// The value of a field if it is taken there, else its name is noted.
    pub fn keep<T>(&mut self, value: Option<T>, field: Field, is_taken: bool) -> Option<T> {
        if value.is_some() && !is_taken {
            self.field(field);
        }
        value.filter(|_| is_taken)
    }

    /// The name of a user, or of a cache, if it is as short as `OpenAI` wants it, else its field is noted.
    pub fn keep_short(&mut self, value: Option<String>, field: Field) -> Option<String> {
        let is_short = |value: &String| value.chars().count() <= LONGEST_HINT;
        let is_short = value.as_ref().is_none_or(is_short);
        self.keep(value, field, is_short)
    }

    /// The names.
    pub fn into_names(self) -> Vec<String> {
        self.names
    }
}

/// Declares the fields with their names in a chat, and where others call them otherwise.
macro_rules! fields {
    ($($(#[$about:meta])* $field:ident: $chat:literal $(, messages: $messages:literal)? $(, responses: $responses:literal)?;)*) => {
        /// A field that a target may lack.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Field {
            $($(#[$about])* $field,)*
        }

        impl Field {
            /// Its name in a request of this API.
            fn in_words_of(self, api: Api) -> &'static str {
                match (self, api) {
                    $($((Self::$field, Api::Messages) => $messages,)?
                    $((Self::$field, Api::Responses) => $responses,)?
                    (Self::$field, _) => $chat,)*
                }
            }

            /// The field that has this name in a chat; `None`: it is none of these.
            pub fn of_chat(name: &str) -> Option<Self> {
                match name {
                    $($chat => Some(Self::$field),)*
                    _ => None,
                }
            }
        }
    };
}

fields! {
    /// Marks of where a part of the prompt ends that is to be cached.
    CacheControl: "cache_control", responses: "input.content.prompt_cache_breakpoint";
    /// How closely the model looks at an image.
    Detail: "image_url.detail", messages: "detail", responses: "input_image.detail";
    /// How hard the model reasons.
    Effort: "reasoning_effort", messages: "thinking", responses: "reasoning";
    /// The form of the answer.
    Format: "response_format", messages: "output_config.format", responses: "text.format";
    /// How much less likely a token becomes each time it is used.
    FrequencyPenalty: "frequency_penalty";
    /// Whether the model may call several tools in one answer.
    Parallel: "parallel_tool_calls", messages: "tool_choice";
    /// How much less likely a token becomes once it is used.
    PresencePenalty: "presence_penalty";
    /// Which requests the provider sends to the same cache.
    PromptCacheKey: "prompt_cache_key";
    /// How long a prompt stays in the cache.
    PromptCacheRetention: "prompt_cache_retention";
    /// Who is served, where the provider looks for abuse.
    SafetyIdentifier: "safety_identifier", messages: "metadata";
    /// What makes the choice of tokens repeatable.
    Seed: "seed";
    /// What the form of the answer is for.
    SchemaDescription: "response_format.json_schema.description", messages: "output_config.format.description", responses: "text.format.description";
    /// The name of the form of the answer.
    SchemaName: "response_format.json_schema.name", messages: "output_config.format.name", responses: "text.format.name";
    /// How much of what a search finds the model gets to read.
    SearchContextSize: "web_search_options.search_context_size", messages: "tools.search_context_size", responses: "tools.search_context_size";
    /// How fast the answer comes, and what it costs.
    ServiceTier: "service_tier";
    /// Texts that end the answer.
    Stop: "stop", messages: "stop_sequences";
    /// Whether the arguments of a call, or the answer, must keep to their schema.
    Strict: "strict";
    /// How freely the next token is chosen.
    Temperature: "temperature";
    /// Reasoning of earlier turns.
    Thoughts: "messages.reasoning_content", messages: "messages.thinking", responses: "input.reasoning";
    /// Among how many of the likeliest tokens it is chosen.
    TopK: "top_k";
    /// Among how much of the probability it is chosen.
    TopP: "top_p";
    /// Who is served, by the client's own name for it.
    User: "user", messages: "metadata";
    /// How long the answer is.
    Verbosity: "verbosity", responses: "text.verbosity";
}
