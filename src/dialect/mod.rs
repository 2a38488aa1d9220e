//! Speaking an upstream's API: what to send, and what a reply means.
//!
//! What clients say goes to an upstream of the same dialect byte for byte. For another one it is translated, and the reply
//! is turned back before anybody looks into it: `answer` and `stream` read the API that the client speaks.
//!
//! *Invariant:* no I/O, no keys.

mod answer;
pub mod anthropic;
mod chunks;
mod instruct;
pub mod messages;
pub mod openai;
mod refusal;
pub mod responses;
pub mod stream;
mod translator;

use bytes::Bytes;

pub use answer::inspect;
pub use refusal::{begins_with_refusal, is_refusal};
pub use translator::Translator;

use self::anthropic::Glossary;
use self::responses::Memo;
use crate::config::Dialect;
use crate::request::Endpoint;

/// A request in an upstream's words.
#[derive(Debug)]
pub struct Speech {
    /// Where it goes, if not where the client sent it.
    pub path: Option<&'static str>,
    /// Headers that the API wants.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: Bytes,
    /// How the reply is turned back.
    pub interpreter: Interpreter,
    /// Fields that were left out.
    pub dropped: Vec<String>,
}

/// Turns replies back into the client's API: first messages into a chat, then a chat into a response or a message, as far
/// as needed.
#[derive(Clone, Debug, Default)]
pub struct Interpreter {
    messages: Option<Glossary>,
    response: Option<Memo>,
    /// Whether the client wants a message, and gets a chat.
    wants_message: bool,
}

/// What an upstream speaks.
#[derive(Clone, Copy, Debug)]
pub struct Language {
    /// Its API.
    pub dialect: Dialect,
    /// Whether it has `/responses`.
    pub has_responses: bool,
}

impl Language {
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

    /// What a request of a kind that can be said needs that no upstream of this language has; `None`: it can be said.
    pub fn lacks(self, endpoint: Endpoint, body: &[u8]) -> Option<&'static str> {
        match self.dialect {
            Dialect::OpenAi if endpoint == Endpoint::Messages => {
                messages::lacks(&serde_json::from_slice(body).ok()?)
            }
            Dialect::OpenAi if endpoint == Endpoint::Responses && !self.has_responses => {
                let body = serde_json::from_slice(body).ok()?;
                responses::lacks(&body)
            }
            Dialect::OpenAi => None,
            Dialect::Anthropic => match endpoint {
                Endpoint::ChatCompletions => anthropic::lacks(&serde_json::from_slice(body).ok()?),
                Endpoint::Responses => responses::lacks(&serde_json::from_slice(body).ok()?)
                    .or_else(|| {
                        let chat = responses::request(body, "max_tokens")?;
                        anthropic::lacks(&serde_json::from_slice(&chat.body).ok()?)
                    }),
                _ => None,
            },
        }
    }

    /// A request, which is in the client's words, in those of the upstream; `None` if they lack something.
    pub fn speak(self, endpoint: Endpoint, body: Bytes, model: Option<&str>) -> Option<Speech> {
        let mut speech = Speech {
            path: None,
            headers: &[],
            body,
            interpreter: Interpreter::default(),
            dropped: Vec::new(),
        };
        let is_claude = self.dialect == Dialect::Anthropic;
        // What all understand, and what `OpenAI` has put in its place.
        let limit = if self.has_responses {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        if endpoint == Endpoint::Messages && !is_claude {
            let translated = messages::request(&speech.body, model, limit)?;
            speech.path = Some("/chat/completions");
            speech.body = translated.body;
            speech.interpreter.wants_message = true;
            speech.dropped = translated.dropped;
        }
        if endpoint == Endpoint::Responses && (is_claude || !self.has_responses) {
            let translated = responses::request(&speech.body, limit)?;
            speech.path = Some("/chat/completions");
            speech.body = translated.body;
            speech.interpreter.response = Some(translated.memo);
            speech.dropped = translated.dropped;
        }
        if is_claude && matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Responses) {
            let translated = anthropic::request(&speech.body, model)?;
            speech.path = Some("/messages");
            speech.headers = &[("anthropic-version", anthropic::VERSION)];
            speech.body = translated.body;
            speech.interpreter.messages = Some(translated.glossary);
            speech.dropped.extend(translated.dropped);
        }
        Some(speech)
    }
}

impl Interpreter {
    /// Whether replies are turned into something else.
    pub fn changes(&self) -> bool {
        self.messages.is_some() || self.response.is_some() || self.wants_message
    }

    /// A whole answer. What is none stays as it is, to be seen as what it is.
    pub fn answer(&self, mut body: Bytes) -> Bytes {
        if let Some(glossary) = &self.messages {
            body = anthropic::answer(&body, glossary).unwrap_or(body);
        }
        if let Some(memo) = &self.response {
            body = responses::answer(&body, memo).unwrap_or(body);
        }
        if self.wants_message {
            body = messages::answer(&body).unwrap_or(body);
        }
        body
    }

    /// An error body.
    pub fn error(&self, body: Bytes) -> Bytes {
        if self.messages.is_some() {
            anthropic::error(&body)
        } else if self.wants_message {
            messages::error(&body)
        } else {
            body
        }
    }

    /// For the events of a stream.
    pub fn translator(&self) -> Option<Translator> {
        self.changes().then(|| Translator::new(self))
    }
}
