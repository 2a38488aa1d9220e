//! The API that an upstream speaks.

use crate::config::{Dialect, Prefill, Quirks};
use crate::request::Endpoint;

/// What an upstream speaks.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamApi {
    /// Its API.
    pub dialect: Dialect,
    /// Whether it has `/responses`.
    pub has_responses: bool,
    /// How chats are put.
    pub quirks: Quirks,
    /// How the beginning of an answer is put.
    pub prefill: Prefill,
    /// Whether it takes the wish for usage in a stream.
    pub has_stream_usage: bool,
    /// The most tokens that an answer may have.
    pub max_output: Option<u32>,
}

impl UpstreamApi {
    /// An API as its maker has it.
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            has_responses: true,
            quirks: Quirks::UNKNOWN,
            prefill: Prefill::None,
            has_stream_usage: true,
            max_output: None,
        }
    }

    /// Whether requests of this kind can be said at all.
    pub fn has(self, endpoint: Endpoint) -> bool {
        match self.dialect {
            Dialect::OpenAi => endpoint != Endpoint::CountTokens,
            Dialect::Anthropic => {
                endpoint.is_anthropic()
                    || matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Responses)
            }
        }
    }

    /// Whether requests of this kind are said in other words than the client's.
    pub fn translates(self, endpoint: Endpoint) -> bool {
        match (self.dialect, endpoint) {
            (Dialect::OpenAi, Endpoint::Messages) => true,
            (Dialect::OpenAi, Endpoint::Responses) => !self.has_responses,
            (Dialect::OpenAi, _) => false,
            (Dialect::Anthropic, endpoint) => !endpoint.is_anthropic(),
        }
    }
}
