//! Speaking an upstream's API: what to send, and what a reply means.
//!
//! What clients say goes to an upstream of the same dialect byte for byte. For another one it is translated, and the reply
//! is turned back before anybody looks into it: `answer` and `stream` read the API that the client speaks.
//!
//! *Invariant:* no I/O, no keys.

mod answer;
pub mod anthropic;
mod arguments;
mod beginning;
mod call_ids;
mod chunks;
mod dropped;
mod finish;
mod foreign;
mod instruct;
pub mod messages;
mod names;
pub mod openai;
mod refusal;
pub mod responses;
pub mod stream;
mod translator;

use bytes::Bytes;

pub use answer::inspect;
pub use foreign::cleared;
pub use refusal::{begins_with_refusal, is_refusal};
pub use translator::Translator;

use self::anthropic::Glossary;
use self::dropped::{in_clients_words, left_out};
use self::names::Names;
use self::responses::Memo;
use crate::config::{Dialect, Manners, Prefill};
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
    /// Whether more of it is ours than the model's name.
    pub is_rewritten: bool,
}

/// Turns replies back into the client's API: first messages into a chat, then a chat into a response or a message, as far
/// as needed.
#[derive(Clone, Debug, Default)]
pub struct Interpreter {
    messages: Option<Glossary>,
    response: Option<Memo>,
    /// Where the client wants a message, and gets a chat: what the tools were called.
    message: Option<Names>,
    /// Whether the calls of a chat's stream have to be numbered.
    numbers_calls: bool,
}

/// What an upstream speaks.
#[derive(Clone, Copy, Debug)]
pub struct Language {
    /// Its API.
    pub dialect: Dialect,
    /// Whether it has `/responses`.
    pub has_responses: bool,
    /// How chats are put.
    pub manners: Manners,
    /// How the beginning of an answer is put.
    pub prefill: Prefill,
    /// Whether it takes the wish for usage in a stream.
    pub has_stream_usage: bool,
    /// The most tokens that an answer may have.
    pub max_output: Option<u32>,
}

impl Language {
    /// An API as its maker has it.
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            has_responses: true,
            manners: Manners::UNKNOWN,
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

    /// What a request of a kind that can be said needs that this model of the upstream has not; `None`: it can be said.
    pub fn lacks(self, endpoint: Endpoint, body: &[u8], model: &str) -> Option<&'static str> {
        if model.is_empty() && self.translates(endpoint) {
            return Some("a model");
        }
        match (self.dialect, endpoint) {
            (Dialect::OpenAi, Endpoint::Messages) => {
                messages::lacks(&serde_json::from_slice(body).ok()?)
            }
            (Dialect::OpenAi, Endpoint::Responses) if !self.has_responses => {
                responses::lacks(&serde_json::from_slice(body).ok()?, false)
            }
            (Dialect::Anthropic, Endpoint::ChatCompletions) => {
                anthropic::lacks(&serde_json::from_slice(body).ok()?, model)
            }
            (Dialect::Anthropic, Endpoint::Responses) => {
                responses::lacks(&serde_json::from_slice(body).ok()?, true).or_else(|| {
                    let chat = responses::request(body, true)?;
                    anthropic::lacks(&serde_json::from_slice(&chat.body).ok()?, model)
                })
            }
            _ => None,
        }
    }

    /// A request, which is in the client's words, in those of the upstream; `None` if they lack something. `model`: the
    /// upstream's name for the model, where it is another than the client's; the body has it already.
    pub fn speak(self, endpoint: Endpoint, body: Bytes, model: Option<&str>) -> Option<Speech> {
        let mut speech = Speech {
            path: None,
            headers: &[],
            body,
            interpreter: Interpreter::default(),
            dropped: Vec::new(),
            is_rewritten: false,
        };
        match self.dialect {
            Dialect::OpenAi => {
                if endpoint == Endpoint::Messages {
                    speech.chat_for_message(model, &self)?;
                } else if endpoint == Endpoint::Responses && !self.has_responses {
                    speech.chat_for_response(false)?;
                }
                let is_chat = endpoint == Endpoint::ChatCompletions || speech.path.is_some();
                speech.interpreter.numbers_calls =
                    endpoint == Endpoint::ChatCompletions && self.manners.numbers_calls_alike;
                if model.is_some() || speech.interpreter.changes() {
                    if is_chat {
                        speech.adapt_chat(&self);
                    } else if endpoint == Endpoint::Responses {
                        speech.adapt_response(&self);
                    }
                }
            }
            Dialect::Anthropic if endpoint == Endpoint::ChatCompletions => {
                speech.message_for_chat(model, self.max_output)?;
            }
            Dialect::Anthropic if endpoint == Endpoint::Responses => {
                speech.chat_for_response(true)?;
                speech.message_for_chat(model, self.max_output)?;
            }
            Dialect::Anthropic => {
                if let Some(model) = model {
                    speech.adapt_message(model, self.max_output);
                }
            }
        }
        if speech.interpreter.changes() {
            speech.is_rewritten = true;
            speech.dropped = in_clients_words(endpoint, speech.dropped);
        }
        Some(speech)
    }
}

impl Speech {
    fn chat_for_message(&mut self, model: Option<&str>, language: &Language) -> Option<()> {
        let translated = messages::request(&self.body, model, language)?;
        self.path = Some("/chat/completions");
        self.body = translated.body;
        self.interpreter.message = Some(translated.names);
        self.dropped = translated.dropped;
        Some(())
    }

    /// `can_search`: where it goes, the web can be searched.
    fn chat_for_response(&mut self, can_search: bool) -> Option<()> {
        let translated = responses::request(&self.body, can_search)?;
        self.path = Some("/chat/completions");
        self.body = translated.body;
        self.interpreter.response = Some(translated.memo);
        self.dropped = translated.dropped;
        Some(())
    }

    fn message_for_chat(&mut self, model: Option<&str>, max_output: Option<u32>) -> Option<()> {
        let translated = anthropic::request(&self.body, model, max_output)?;
        self.path = Some("/messages");
        self.headers = &[("anthropic-version", anthropic::VERSION)];
        self.body = translated.body;
        self.interpreter.messages = Some(translated.glossary);
        self.dropped.extend(translated.dropped);
        Some(())
    }

    fn adapt_chat(&mut self, language: &Language) {
        let is_ours = self.interpreter.changes();
        if let Some(mut adapted) = openai::adapt_chat(&self.body, language, is_ours) {
            if is_ours {
                // The client has never asked for that.
                adapted.dropped.retain(|field| field != "stream_options");
            }
            self.take(adapted.body, adapted.dropped);
        }
    }

    fn adapt_response(&mut self, language: &Language) {
        if let Some(adapted) = openai::adapt_response(&self.body, &language.manners) {
            self.take(adapted.body, adapted.dropped);
        }
    }

    fn adapt_message(&mut self, model: &str, max_output: Option<u32>) {
        if let Some((body, dropped)) = anthropic::adapt(&self.body, model, max_output) {
            self.take(body, dropped);
        }
    }

    fn take(&mut self, body: Bytes, dropped: Vec<String>) {
        self.body = body;
        self.is_rewritten = true;
        self.dropped.extend(dropped);
    }
}

impl Interpreter {
    /// Whether replies are turned into something else.
    pub fn changes(&self) -> bool {
        self.messages.is_some() || self.response.is_some() || self.message.is_some()
    }

    /// A whole answer. What is none stays as it is, to be seen as what it is.
    pub fn answer(&self, mut body: Bytes) -> Bytes {
        if let Some(glossary) = &self.messages {
            body = anthropic::answer(&body, glossary).unwrap_or(body);
        }
        if let Some(memo) = &self.response {
            body = responses::answer(&body, memo).unwrap_or(body);
        }
        if let Some(names) = &self.message {
            body = messages::answer(&body, names).unwrap_or(body);
        }
        body
    }

    /// An error body.
    pub fn error(&self, status: u16, body: Bytes) -> Bytes {
        if self.messages.is_some() {
            anthropic::error(&body)
        } else if self.message.is_some() {
            messages::error(&openai::shaped(status, body))
        } else {
            body
        }
    }

    /// For the events of a stream.
    pub fn translator(&self) -> Option<Translator> {
        (self.changes() || self.numbers_calls).then(|| Translator::new(self))
    }
}
