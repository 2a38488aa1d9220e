//! The API that an upstream speaks.

use memchr::memmem::find;

use super::conversation::Api;
use super::own_words;
use crate::catalogue::{Dialect, Facts, InChats, Prefill, Quirks, Sampling, claude_facts, facts};
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
    /// Whether the client has written it for another model, or the upstream has a name of its own for the model.
    pub is_fallback: bool,
    /// Whether the client has named another model.
    pub is_renamed: bool,
    /// Its body as the client wrote it: where tools and thoughts do not go together in chats, it counts whether it names an
    /// effort.
    pub body: &'a [u8],
}

/// How an upstream is asked. Models are looked up for it, so it is found once for an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The upstream's API.
    pub api: UpstreamApi,
    /// What is asked.
    pub(super) kind: RequestKind<'a>,
    /// The API in which that is put; `None`: it is no conversation.
    pub(super) spoken: Option<Api>,
    /// Whether it is a chat in words that another maker's chats do not have.
    pub(super) is_in_own_words: bool,
    /// Whether it is a chat whose answer would not be in words that the client knows.
    answers_in_own_words: bool,
}

impl Asking<'_> {
    /// Whether the request has to be translated.
    pub fn translates(&self) -> bool {
        self.is_in_own_words
            || self.answers_in_own_words
            || self.spoken != Api::of(self.kind.endpoint)
    }

    /// Whether the upstream is asked in Responses.
    pub fn is_in_responses(&self) -> bool {
        self.spoken == Some(Api::Responses)
    }
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

    /// How it is asked this.
    pub fn asking(self, kind: RequestKind<'_>) -> Asking<'_> {
        let spoken = self.api_for(kind);
        let is_chat = kind.endpoint == Endpoint::ChatCompletions && spoken == Some(Api::Chat);
        Asking {
            api: self,
            kind,
            spoken,
            is_in_own_words: is_chat
                && kind.is_fallback
                && own_words::are_in_chat(kind.body, &self.quirks),
            answers_in_own_words: is_chat
                && kind.is_renamed
                && self.quirks.thinks_in_content
                && (self.facts_of(kind.model).thinks || names_effort(kind.body)),
        }
    }

    /// Whether the model takes this in `/responses` alone.
    fn needs_responses(&self, kind: RequestKind<'_>) -> bool {
        match self.facts_of(kind.model).in_chats {
            InChats::All => false,
            // A chat for a model that thinks only when it is asked to passes as it is.
            InChats::ToolsUnthinking if kind.endpoint == Endpoint::ChatCompletions => {
                let thinks_if_asked = self.facts_of(kind.model).sampling == Sampling::Unthinking;
                kind.has_tools && (!thinks_if_asked || names_effort(kind.body))
            }
            InChats::ToolsUnthinking | InChats::NoTools => kind.has_tools,
            InChats::Nothing => true,
        }
    }

    /// Whether its `/responses` does not know what a client has written there for another maker.
    fn lacks_words(&self, kind: RequestKind<'_>) -> bool {
        kind.is_fallback && own_words::are_in_response(kind.body, &self.quirks)
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
    fn api_for(self, kind: RequestKind<'_>) -> Option<Api> {
        let asked = Api::of(kind.endpoint)?;
        Some(match (self.dialect_for(kind.endpoint), asked) {
            (Dialect::Anthropic, _) => Api::Messages,
            (Dialect::OpenAi, Api::Responses) if self.has_responses && !self.lacks_words(kind) => {
                Api::Responses
            }
            (Dialect::OpenAi, Api::Chat | Api::Messages)
                if self.has_responses && self.needs_responses(kind) =>
            {
                Api::Responses
            }
            (Dialect::OpenAi, _) => Api::Chat,
        })
    }
}

/// Whether a chat asks its model to think.
fn names_effort(body: &[u8]) -> bool {
    let effort = find(body, b"\"reasoning_effort\"");
    let rest = effort.map_or(&[][..], |at| &body[at..]);
    let value = rest
        .splitn(3, |byte| matches!(byte, b':' | b',' | b'}'))
        .nth(1);
    value.is_some_and(|value| !matches!(value.trim_ascii(), b"null" | b"\"none\""))
}

#[cfg(test)]
mod tests {
    use super::names_effort;

    #[test]
    fn an_effort_counts_unless_it_is_none() {
        for (body, names) in [
            (r#"{"reasoning_effort": "low","model":"m"}"#, true),
            (r#"{"model":"m","reasoning_effort":"none"}"#, false),
            (r#"{"reasoning_effort" : null}"#, false),
            (r#"{"model":"m"}"#, false),
        ] {
            assert_eq!(names_effort(body.as_bytes()), names, "{body}");
        }
    }
}
