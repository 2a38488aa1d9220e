//! Speaking an upstream's API: what to send, and what a reply means.
//!
//! What clients say goes to an upstream of the same dialect byte for byte. For another one it is translated, and the reply
//! is turned back before anybody looks into it: `answer` and `stream` read the API that the client speaks.
//!
//! *Invariant:* no I/O, no keys.

mod answer;
pub mod anthropic;
pub mod openai;
pub mod stream;

use bytes::Bytes;

pub use answer::inspect;

use self::anthropic::{Glossary, Translator};
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

/// Turns replies back into the client's API.
#[derive(Clone, Debug)]
pub enum Interpreter {
    /// They are in it already.
    None,
    /// Messages become chat completions.
    Chat(Glossary),
}

/// What a request needs that no upstream of this dialect has; `None`: it can be said.
pub fn lacks(dialect: Dialect, endpoint: Endpoint, body: &[u8]) -> Option<&'static str> {
    match (dialect, endpoint) {
        (Dialect::OpenAi, Endpoint::Messages | Endpoint::CountTokens) => Some("this endpoint"),
        (Dialect::OpenAi, _) | (Dialect::Anthropic, Endpoint::Messages | Endpoint::CountTokens) => {
            None
        }
        (Dialect::Anthropic, Endpoint::ChatCompletions) => {
            serde_json::from_slice(body).map_or(None, |body| anthropic::lacks(&body))
        }
        (Dialect::Anthropic, _) => Some("this endpoint"),
    }
}

/// A request, which is in the client's words, in those of a dialect; `None` if they lack something.
pub fn speak(
    dialect: Dialect,
    endpoint: Endpoint,
    body: Bytes,
    model: Option<&str>,
) -> Option<Speech> {
    match (dialect, endpoint) {
        (Dialect::Anthropic, Endpoint::ChatCompletions) => {
            let translated = anthropic::request(&body, model)?;
            Some(Speech {
                path: Some("/messages"),
                headers: &[("anthropic-version", anthropic::VERSION)],
                body: translated.body,
                interpreter: Interpreter::Chat(translated.glossary),
                dropped: translated.dropped,
            })
        }
        _ => Some(Speech {
            path: None,
            headers: &[],
            body,
            interpreter: Interpreter::None,
            dropped: Vec::new(),
        }),
    }
}

impl Interpreter {
    /// Whether replies are turned into something else.
    pub fn changes(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// A whole answer. What is none stays as it is, to be seen as what it is.
    pub fn answer(&self, body: Bytes) -> Bytes {
        match self {
            Self::None => body,
            Self::Chat(glossary) => anthropic::answer(&body, glossary).unwrap_or(body),
        }
    }

    /// An error body.
    pub fn error(&self, body: Bytes) -> Bytes {
        match self {
            Self::None => body,
            Self::Chat(_) => anthropic::error(&body),
        }
    }

    /// For the events of a stream.
    pub fn translator(&self) -> Option<Translator> {
        match self {
            Self::None => None,
            Self::Chat(glossary) => Some(Translator::new(glossary.clone())),
        }
    }
}
