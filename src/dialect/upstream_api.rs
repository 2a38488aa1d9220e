//! The API that an upstream speaks.

use super::next::conversation::Api;
use crate::catalogue::{Dialect, Prefill, Quirks, calls_tools_unthinking};
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

/// What decides in which API a request is put.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The endpoint that the client calls.
    pub endpoint: Endpoint,
    /// The upstream's name for the model.
    pub model: &'a str,
    /// Whether there are tools to call.
    pub has_tools: bool,
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

    /// The API in which a request is put to it; `None`: it is no conversation.
    pub fn api_for(self, ask: Ask<'_>) -> Option<Api> {
        let asked = Api::of(ask.endpoint)?;
        Some(match (self.dialect, asked) {
            (Dialect::Anthropic, _) => Api::Messages,
            (Dialect::OpenAi, Api::Responses) if self.has_responses => Api::Responses,
            // OpenAI's current models take tools there alone.
            (Dialect::OpenAi, Api::Chat | Api::Messages)
                if self.has_responses && ask.has_tools && calls_tools_unthinking(ask.model) =>
            {
                Api::Responses
            }
            (Dialect::OpenAi, _) => Api::Chat,
        })
    }

    /// Whether a request has to be translated.
    pub fn translates(self, ask: Ask<'_>) -> bool {
        self.api_for(ask) != Api::of(ask.endpoint)
    }
}
