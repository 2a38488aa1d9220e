//! Translation between APIs: what to send to an upstream, and what its reply means.
//!
//! A request to an upstream that speaks the client's dialect passes byte for byte. For another dialect it is
//! translated, and the reply is translated back before it is read: `answer` and `stream` read the client's API.
//!
//! *Invariant:* no I/O, no keys.

mod answer;
pub mod anthropic;
mod arguments;
mod call_ids;
mod chunks;
mod dropped;
mod finish;
mod instruct;
pub mod messages;
mod names;
pub mod openai;
mod prefill;
mod provider_state;
mod refusal;
pub mod responses;
pub mod stream;
mod stream_translator;

use bytes::Bytes;

pub use answer::inspect;
pub use provider_state::strip_provider_state;
pub use refusal::{begins_with_refusal, is_refusal};
pub use stream_translator::StreamTranslator;

use self::dropped::{in_clients_words, left_out};
use self::names::Names;
use crate::config::{Dialect, Prefill, Quirks};
use crate::request::Endpoint;

/// A request in an upstream's API.
#[derive(Debug)]
pub struct UpstreamRequest {
    /// Its path, if it is not the client's.
    pub path: Option<&'static str>,
    /// Headers that the API requires.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: Bytes,
    /// Translates the reply back.
    pub translator: ResponseTranslator,
    /// Fields that were dropped.
    pub dropped: Vec<String>,
    /// Whether it differs from the client's by more than the model's name.
    pub is_rewritten: bool,
}

/// Translates replies into the client's API: first a message into a chat, then a chat into a response or a message,
/// as far as needed.
#[derive(Clone, Debug, Default)]
pub struct ResponseTranslator {
    messages: Option<anthropic::RequestContext>,
    response: Option<responses::RequestContext>,
    /// Set if the client wants a message and the upstream sends a chat: the names of the tools.
    message: Option<Names>,
    /// Whether the tool calls of a chat's stream must be renumbered.
    numbers_calls: bool,
}

/// The API of an upstream.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamApi {
    /// Its dialect.
    pub dialect: Dialect,
    /// Whether it has `/responses`.
    pub has_responses: bool,
    /// How its chat API differs from `OpenAI`'s.
    pub quirks: Quirks,
    /// How it is asked to continue the start of an answer.
    pub prefill: Prefill,
    /// Whether it accepts `stream_options.include_usage`.
    pub has_stream_usage: bool,
    /// The largest answer, in tokens.
    pub max_output: Option<u32>,
}

impl UpstreamApi {
    /// The API of a dialect, without quirks.
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

    /// Whether it can serve this endpoint at all.
    pub fn has(self, endpoint: Endpoint) -> bool {
        match self.dialect {
            Dialect::OpenAi => endpoint != Endpoint::CountTokens,
            Dialect::Anthropic => {
                endpoint.is_anthropic()
                    || matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Responses)
            }
        }
    }

    /// Whether requests for this endpoint must be translated.
    pub fn translates(self, endpoint: Endpoint) -> bool {
        match (self.dialect, endpoint) {
            (Dialect::OpenAi, Endpoint::Messages) => true,
            (Dialect::OpenAi, Endpoint::Responses) => !self.has_responses,
            (Dialect::OpenAi, _) => false,
            (Dialect::Anthropic, endpoint) => !endpoint.is_anthropic(),
        }
    }

    /// A feature that a request needs and that this model of the upstream does not have; `None`: the request can be
    /// sent.
    pub fn unsupported_feature(
        self,
        endpoint: Endpoint,
        body: &[u8],
        model: &str,
    ) -> Option<&'static str> {
        if model.is_empty() && self.translates(endpoint) {
            return Some("a model");
        }
        match (self.dialect, endpoint) {
            (Dialect::OpenAi, Endpoint::Messages) => {
                messages::unsupported_feature(&serde_json::from_slice(body).ok()?)
            }
            (Dialect::OpenAi, Endpoint::Responses) if !self.has_responses => {
                responses::unsupported_feature(&serde_json::from_slice(body).ok()?, false)
            }
            (Dialect::Anthropic, Endpoint::ChatCompletions) => {
                anthropic::unsupported_feature(&serde_json::from_slice(body).ok()?, model)
            }
            (Dialect::Anthropic, Endpoint::Responses) => responses::unsupported_feature(
                &serde_json::from_slice(body).ok()?,
                true,
            )
            .or_else(|| {
                let chat = responses::request(body, true)?;
                anthropic::unsupported_feature(&serde_json::from_slice(&chat.body).ok()?, model)
            }),
            _ => None,
        }
    }

    /// Translates a client's request; `None` if the upstream cannot express it. `model`: the upstream's name for the
    /// model, if it differs from the client's; the body has it already.
    pub fn translate(
        self,
        endpoint: Endpoint,
        body: Bytes,
        model: Option<&str>,
    ) -> Option<UpstreamRequest> {
        let mut translated = UpstreamRequest {
            path: None,
            headers: &[],
            body,
            translator: ResponseTranslator::default(),
            dropped: Vec::new(),
            is_rewritten: false,
        };
        match self.dialect {
            Dialect::OpenAi => {
                if endpoint == Endpoint::Messages {
                    translated.chat_for_message(model, &self)?;
                } else if endpoint == Endpoint::Responses && !self.has_responses {
                    translated.chat_for_response(false)?;
                }
                let is_chat = endpoint == Endpoint::ChatCompletions || translated.path.is_some();
                translated.translator.numbers_calls =
                    endpoint == Endpoint::ChatCompletions && self.quirks.numbers_calls_alike;
                if model.is_some() || translated.translator.changes() {
                    if is_chat {
                        translated.adapt_chat(&self);
                    } else if endpoint == Endpoint::Responses {
                        translated.adapt_response(&self);
                    }
                }
            }
            Dialect::Anthropic if endpoint == Endpoint::ChatCompletions => {
                translated.message_for_chat(model, self.max_output)?;
            }
            Dialect::Anthropic if endpoint == Endpoint::Responses => {
                translated.chat_for_response(true)?;
                translated.message_for_chat(model, self.max_output)?;
            }
            Dialect::Anthropic => {
                if let Some(model) = model {
                    translated.adapt_message(model, self.max_output);
                }
            }
        }
        if translated.translator.changes() {
            translated.is_rewritten = true;
            translated.dropped = in_clients_words(endpoint, translated.dropped);
        }
        Some(translated)
    }
}

impl UpstreamRequest {
    fn chat_for_message(&mut self, model: Option<&str>, api: &UpstreamApi) -> Option<()> {
        let translated = messages::request(&self.body, model, api)?;
        self.path = Some("/chat/completions");
        self.body = translated.body;
        self.translator.message = Some(translated.names);
        self.dropped = translated.dropped;
        Some(())
    }

    /// `can_search`: the upstream can search the web.
    fn chat_for_response(&mut self, can_search: bool) -> Option<()> {
        let translated = responses::request(&self.body, can_search)?;
        self.path = Some("/chat/completions");
        self.body = translated.body;
        self.translator.response = Some(translated.context);
        self.dropped = translated.dropped;
        Some(())
    }

    fn message_for_chat(&mut self, model: Option<&str>, max_output: Option<u32>) -> Option<()> {
        let translated = anthropic::request(&self.body, model, max_output)?;
        self.path = Some("/messages");
        self.headers = &[("anthropic-version", anthropic::VERSION)];
        self.body = translated.body;
        self.translator.messages = Some(translated.context);
        self.dropped.extend(translated.dropped);
        Some(())
    }

    fn adapt_chat(&mut self, api: &UpstreamApi) {
        let is_ours = self.translator.changes();
        if let Some(mut adapted) = openai::adapt_chat(&self.body, api, is_ours) {
            if is_ours {
                // The client has not asked for this field, so it is not reported as dropped.
                adapted.dropped.retain(|field| field != "stream_options");
            }
            self.take(adapted.body, adapted.dropped);
        }
    }

    fn adapt_response(&mut self, api: &UpstreamApi) {
        if let Some(adapted) = openai::adapt_response(&self.body, &api.quirks) {
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

impl ResponseTranslator {
    /// Whether replies are translated.
    pub fn changes(&self) -> bool {
        self.messages.is_some() || self.response.is_some() || self.message.is_some()
    }

    /// Translates a whole answer. A body that is not an answer stays as it is, so that it is recognised as that.
    pub fn answer(&self, mut body: Bytes) -> Bytes {
        if let Some(context) = &self.messages {
            body = anthropic::answer(&body, context).unwrap_or(body);
        }
        if let Some(context) = &self.response {
            body = responses::answer(&body, context).unwrap_or(body);
        }
        if let Some(names) = &self.message {
            body = messages::answer(&body, names).unwrap_or(body);
        }
        body
    }

    /// Translates an error body.
    pub fn error(&self, status: u16, body: Bytes) -> Bytes {
        if self.messages.is_some() {
            anthropic::error(&body)
        } else if self.message.is_some() {
            messages::error(&openai::shaped(status, body))
        } else {
            body
        }
    }

    /// A translator for the events of a stream.
    pub fn translator(&self) -> Option<StreamTranslator> {
        (self.changes() || self.numbers_calls).then(|| StreamTranslator::new(self))
    }
}
