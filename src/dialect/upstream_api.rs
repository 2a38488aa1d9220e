//! The API that an upstream speaks.

use super::conversation::Api;
use crate::catalogue::{
    Dialect, Facts, InChats, Prefill, Quirks, Sampling, claude_facts, facts, in_chats,
};
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
    /// What is known of the model, where the configuration says something about it; `None`: what the catalogue knows.
    pub facts: Option<Facts>,
    /// Whether a prompt is marked for its cache where the client marks nothing.
    pub marks_cache: bool,
}

/// What decides in which API a request is put.
#[derive(Clone, Copy, Debug)]
pub struct RequestKind<'a> {
    /// The endpoint that the client calls.
    pub endpoint: Endpoint,
    /// The upstream's name for the model.
    pub model: &'a str,
    /// Whether there are tools to call.
    pub has_tools: bool,
    /// Whether a chat names an effort; it counts only where tools and thoughts do not go together in chats.
    pub names_effort: bool,
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
            facts: None,
            marks_cache: true,
        }
    }

    /// What is known of a model there.
    pub fn facts_of(&self, model: &str) -> Facts {
        self.facts.unwrap_or_else(|| facts(model))
    }

    /// The same where it speaks Anthropic's API.
    pub fn claude_facts_of(&self, model: &str) -> Facts {
        self.facts.unwrap_or_else(|| claude_facts(model))
    }

    /// What a model there takes in chats.
    pub fn in_chats(&self, model: &str) -> InChats {
        self.facts
            .map_or_else(|| in_chats(model), |facts| facts.in_chats)
    }

    /// Whether the model takes this in `/responses` alone.
    fn needs_responses(&self, kind: RequestKind<'_>) -> bool {
        match self.in_chats(kind.model) {
            InChats::All => false,
            // A chat for a model that thinks only when it is asked to passes as it is.
            InChats::ToolsUnthinking if kind.endpoint == Endpoint::ChatCompletions => {
                let thinks_if_asked = self.facts_of(kind.model).sampling == Sampling::Unthinking;
                kind.has_tools && (kind.names_effort || !thinks_if_asked)
            }
            InChats::ToolsUnthinking | InChats::NoTools => kind.has_tools,
            InChats::Nothing => true,
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

    /// The API in which a request is put to it; `None`: it is no conversation.
    pub fn api_for(self, ask: RequestKind<'_>) -> Option<Api> {
        let asked = Api::of(ask.endpoint)?;
        Some(match (self.dialect_for(ask.endpoint), asked) {
            (Dialect::Anthropic, _) => Api::Messages,
            (Dialect::OpenAi, Api::Responses) if self.has_responses => Api::Responses,
            (Dialect::OpenAi, Api::Chat | Api::Messages)
                if self.has_responses && self.needs_responses(ask) =>
            {
                Api::Responses
            }
            (Dialect::OpenAi, _) => Api::Chat,
        })
    }

    /// Whether a request has to be translated.
    pub fn translates(self, ask: RequestKind<'_>) -> bool {
        self.api_for(ask) != Api::of(ask.endpoint)
    }
}
