//! The API that an upstream speaks.

use crate::config::{Dialect, Prefill, Quirks};
use crate::request::Endpoint;

/// The API of an upstream, and how it differs from the original.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamApi {
    /// Its API.
    pub dialect: Dialect,
    /// Whether it has `/responses`.
    pub has_responses: bool,
    /// Whether it speaks Anthropic's Messages besides.
    pub speaks_messages: bool,
    /// Whether it has Anthropic's `/messages/count_tokens` besides.
    pub counts_tokens: bool,
    /// How chat requests have to be adapted.
    pub quirks: Quirks,
    /// How a prefill (the start of an answer) is sent.
    pub prefill: Prefill,
    /// Whether it accepts the option to report usage in a stream.
    pub has_stream_usage: bool,
    /// The most output tokens that it accepts.
    pub max_output: Option<u32>,
}

impl UpstreamApi {
    /// The original API, without differences.
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            has_responses: true,
            speaks_messages: false,
            counts_tokens: false,
            quirks: Quirks::UNKNOWN,
            prefill: Prefill::None,
            has_stream_usage: true,
            max_output: None,
        }
    }

    /// Whether it supports requests of this kind, translated or not.
    pub fn has(self, endpoint: Endpoint) -> bool {
        match self.dialect {
            Dialect::OpenAi => endpoint != Endpoint::CountTokens || self.counts_tokens,
            Dialect::Anthropic => {
                endpoint.is_anthropic()
                    || matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Responses)
            }
        }
    }

    /// In which API requests of this kind are put to it: one that speaks both gets each in its own.
    pub fn dialect_for(self, endpoint: Endpoint) -> Dialect {
        match self.speaks_messages && endpoint.is_anthropic() {
            true => Dialect::Anthropic,
            false => self.dialect,
        }
    }

    /// Whether requests of this kind have to be translated.
    pub fn translates(self, endpoint: Endpoint) -> bool {
        match (self.dialect_for(endpoint), endpoint) {
            (Dialect::OpenAi, Endpoint::Messages) => true,
            (Dialect::OpenAi, Endpoint::Responses) => !self.has_responses,
            (Dialect::OpenAi, _) => false,
            (Dialect::Anthropic, endpoint) => !endpoint.is_anthropic(),
        }
    }
}
