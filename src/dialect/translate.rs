//! Translates a client's request into the upstream's API.

use bytes::Bytes;

use super::dropped::in_clients_words;
use super::response_translator::ResponseTranslator;
use super::upstream_api::UpstreamApi;
use super::{anthropic, messages, openai, responses};
use crate::config::Dialect;
use crate::request::Endpoint;
use crate::wire::json;

/// A request in an upstream's API.
#[derive(Debug)]
pub struct UpstreamRequest {
    /// Its path, if it differs from the client's.
    pub path: Option<&'static str>,
    /// Headers that the API requires.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: Bytes,
    /// Translates the reply back.
    pub translator: ResponseTranslator,
    /// Fields that were left out.
    pub dropped: Vec<String>,
    /// Whether we changed more than the model's name.
    pub is_rewritten: bool,
}

/// For which model a request goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery<'a> {
    /// For the model that the client wrote it for: where no translation is needed, it passes byte for byte.
    Verbatim,
    /// For another model, whose quirks are minded.
    Fallback {
        /// The upstream's name for it.
        model: &'a str,
    },
}

impl<'a> Delivery<'a> {
    /// To a candidate that names a model of its own, or none.
    pub fn of(model: Option<&'a str>) -> Self {
        match model {
            Some(model) => Self::Fallback { model },
            None => Self::Verbatim,
        }
    }

    /// The name that replaces the client's.
    fn model(self) -> Option<&'a str> {
        match self {
            Self::Verbatim => None,
            Self::Fallback { model } => Some(model),
        }
    }
}

/// Why a request cannot be translated into an upstream's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untranslatable {
    /// The API does not support a feature that the request needs.
    Unsupported(&'static str),
    /// Its JSON cannot be parsed into a tree: it is nested too deeply, or has numbers that are out of range.
    Unreadable,
}

impl UpstreamApi {
    /// Why a request cannot be translated for this model of the upstream; `None` if it can. The upstream must support
    /// the endpoint.
    pub fn unsupported_feature(
        self,
        endpoint: Endpoint,
        body: &[u8],
        model: &str,
    ) -> Option<Untranslatable> {
        if !self.translates(endpoint) {
            return None;
        }
        if model.is_empty() {
            return Some(Untranslatable::Unsupported("a model"));
        }
        let mended = json::mended(body);
        let body = mended.as_deref().unwrap_or(body);
        let Ok(tree) = serde_json::from_slice(body) else {
            return Some(Untranslatable::Unreadable);
        };
        let lack = match (self.dialect, endpoint) {
            (Dialect::OpenAi, Endpoint::Messages) => messages::unsupported_feature(&tree),
            (Dialect::OpenAi, Endpoint::Responses) => responses::unsupported_feature(&tree, false),
            (Dialect::Anthropic, Endpoint::ChatCompletions) => {
                anthropic::unsupported_feature(&tree, model)
            }
            (Dialect::Anthropic, Endpoint::Responses) => {
                responses::unsupported_feature(&tree, true).or_else(|| {
                    drop(tree);
                    let chat = responses::request(body, true)?;
                    anthropic::unsupported_feature(&serde_json::from_slice(&chat.body).ok()?, model)
                })
            }
            _ => None,
        };
        lack.map(Untranslatable::Unsupported)
    }

    /// The client's request in the upstream's API; `None` if the API lacks something that the request needs. The body has
    /// the upstream's name for the model already.
    pub fn translate(
        self,
        endpoint: Endpoint,
        body: Bytes,
        delivery: Delivery<'_>,
    ) -> Option<UpstreamRequest> {
        // A body that need not be parsed passes unchanged.
        let model = delivery.model();
        let is_fallback = delivery != Delivery::Verbatim;
        let is_read = is_fallback || self.translates(endpoint);
        let mended = is_read.then(|| json::mended(&body)).flatten();
        let mut translated = UpstreamRequest {
            path: None,
            headers: &[],
            body: mended.unwrap_or_else(|| body.clone()),
            translator: ResponseTranslator::default(),
            dropped: Vec::new(),
            is_rewritten: false,
        };
        match self.dialect_for(endpoint) {
            Dialect::OpenAi => {
                if endpoint == Endpoint::Messages {
                    translated.chat_for_message(model, &self)?;
                } else if endpoint == Endpoint::Responses && !self.has_responses {
                    translated.chat_for_response(false)?;
                }
                let is_chat = endpoint == Endpoint::ChatCompletions || translated.path.is_some();
                translated.translator.numbers_calls =
                    endpoint == Endpoint::ChatCompletions && self.quirks.numbers_calls_alike;
                if is_fallback || translated.translator.changes() {
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
                if let Delivery::Fallback { model } = delivery {
                    translated.adapt_message(model, self.max_output);
                }
            }
        }
        if translated.translator.changes() {
            translated.is_rewritten = true;
            translated.dropped = in_clients_words(endpoint, translated.dropped);
        }
        if !translated.is_rewritten {
            translated.body = body;
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

    /// `can_search`: whether the upstream supports web search.
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
                // We added this field, not the client.
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
