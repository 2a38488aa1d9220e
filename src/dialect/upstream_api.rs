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
    /// How chat requests have to be adapted.
    pub quirks: Quirks,
    /// How a prefill (the start of an answer) is sent.
    pub prefill: Prefill,
    /// Whether it accepts the option to report usage in a stream.
    pub has_stream_usage: bool,
    /// The most output tokens that it accepts.
    pub max_output: Option<u32>,
    /// Whether a prompt is marked for its cache where the client marks nothing.
    pub marks_cache: bool,
}

impl UpstreamApi {
    /// The original API, without differences.
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            has_responses: true,
            quirks: Quirks::UNKNOWN,
            prefill: Prefill::None,
            has_stream_usage: true,
            max_output: None,
            marks_cache: true,
        }
    }

    /// Whether it supports requests of this kind, translated or not.
    pub fn has(self, endpoint: Endpoint) -> bool {
        match self.dialect {
            Dialect::OpenAi => endpoint != Endpoint::CountTokens,
            Dialect::Anthropic => {
                endpoint.is_anthropic()
                    || matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Responses)
            }
        }
    }

    /// Whether requests of this kind have to be translated.
    pub fn translates(self, endpoint: Endpoint) -> bool {
        match (self.dialect, endpoint) {
            (Dialect::OpenAi, Endpoint::Messages) => true,
            (Dialect::OpenAi, Endpoint::Responses) => !self.has_responses,
            (Dialect::OpenAi, _) => false,
            (Dialect::Anthropic, endpoint) => !endpoint.is_anthropic(),
        }
    }
}
