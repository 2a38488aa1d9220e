//! Puts a client's request into the upstream's API.

use bytes::Bytes;
use serde_json::Value;

use super::adapt::fields::put;
use super::adapt::without_foreign_thoughts;
use super::adapt::{self, Adapted};
use super::conversation::{Api, Asked, Target, Unsaid};
use super::messages::read_tree;
use super::response_translator::ResponseTranslator;
use super::translation::Translation;
use super::upstream_api::{Asking, UpstreamApi};
use crate::catalogue::Dialect;
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
    /// Whether the answer is asked for in one piece, though the client wants a stream.
    pub is_in_one_piece: bool,
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
}

/// Why a request cannot be translated into an upstream's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untranslatable {
    /// The API does not support a feature that the request needs.
    Unsupported(&'static str),
    /// Its JSON cannot be parsed into a tree: it is nested too deeply, or has numbers that are out of range.
    Unreadable,
}

impl From<Unsaid> for Untranslatable {
    fn from(unsaid: Unsaid) -> Self {
        Self::Unsupported(unsaid.0)
    }
}

impl Asking<'_> {
    /// The client's request in the upstream's API, or why it cannot be put so. Where no translation is needed, the body has the
    /// upstream's name for the model already.
    pub fn translate(
        self,
        body: Bytes,
        delivery: Delivery<'_>,
    ) -> Result<UpstreamRequest, Untranslatable> {
        match self.translated(&body) {
            Some(translated) => translated,
            None => Ok(self.api.adapted(self.kind.endpoint, body, delivery)),
        }
    }

    /// The same for a request that has to be translated; `None`: it has not. What cannot be translated stays as it is, where the
    /// upstream has the client's API, too: it knows best what its model takes.
    pub fn translated(self, body: &[u8]) -> Option<Result<UpstreamRequest, Untranslatable>> {
        if !self.translates() {
            return None;
        }
        let Self { api, kind, .. } = self;
        let (asked, spoken) = (Api::of(kind.endpoint)?, self.spoken?);
        match api.between(asked, spoken, body, kind.model) {
            Err(_) if self.can_stay(asked, spoken) => None,
            translated => Some(translated),
        }
    }

    fn can_stay(self, asked: Api, spoken: Api) -> bool {
        match (asked, spoken) {
            (Api::Chat, Api::Chat | Api::Responses) => !self.is_in_own_words,
            (Api::Responses, Api::Chat) => self.api.has_responses,
            _ => false,
        }
    }
}

impl UpstreamApi {
    /// The request in another API: parsed once and written once.
    fn between(
        self,
        asked: Api,
        spoken: Api,
        body: &[u8],
        model: &str,
    ) -> Result<UpstreamRequest, Untranslatable> {
        if model.is_empty() {
            return Err(Untranslatable::Unsupported("a model"));
        }
        let mended = json::mended(body);
        let body = mended.as_deref().unwrap_or(body);
        let tree: serde_json::Result<Value> = match asked {
            Api::Messages => read_tree(body),
            Api::Chat | Api::Responses => serde_json::from_slice(body),
        };
        let tree = tree.map_err(|_| Untranslatable::Unreadable)?;
        let mut conversation = (asked.form().read_request)(tree)?;
        let asked = Asked::of(&mut conversation);
        let target = Target {
            model,
            upstream: &self,
        };
        let form = spoken.form();
        let written = (form.write_request)(conversation, &target)?;
        Ok(UpstreamRequest {
            path: Some(form.path),
            headers: form.headers,
            body: written.body.into(),
            translator: ResponseTranslator::of(Translation {
                asked,
                spoken,
                reading: written.reading,
            }),
            dropped: written.dropped.into_names(),
            is_rewritten: true,
            is_in_one_piece: false,
        })
    }

    /// The request in the same API. For the model that the client wrote it for it passes as it is.
    fn adapted(self, endpoint: Endpoint, body: Bytes, delivery: Delivery<'_>) -> UpstreamRequest {
        let mut request = UpstreamRequest {
            path: None,
            headers: &[],
            body,
            translator: ResponseTranslator::default(),
            dropped: Vec::new(),
            is_rewritten: false,
            is_in_one_piece: false,
        };
        if self.dialect == Dialect::OpenAi && endpoint == Endpoint::ChatCompletions {
            request.translator.numbers_calls = self.quirks.numbers_calls_alike;
        }
        if let Some((body, dropped)) = without_foreign_thoughts(endpoint, &request.body) {
            request.take(body, dropped);
        }
        let Delivery::Fallback { model } = delivery else {
            return request;
        };
        let mended = json::mended(&request.body);
        let body = mended.as_ref().unwrap_or(&request.body);
        let adapted = match (self.dialect_for(endpoint), endpoint) {
            (Dialect::OpenAi, Endpoint::ChatCompletions) => adapt::adapt_chat(body, &self),
            (Dialect::OpenAi, Endpoint::Responses) => adapt::adapt_response(body, &self),
            (Dialect::Anthropic, _) => adapt::adapt_message(body, model, self.max_output)
                .map(|(body, dropped)| Adapted { body, dropped }),
            (Dialect::OpenAi, _) => None,
        };
        if let Some(adapted) = adapted {
            request.take(adapted.body, adapted.dropped);
        }
        request
    }
}

impl UpstreamRequest {
    /// The same for an answer in one piece; `None`: it cannot be put so.
    #[must_use]
    pub fn in_one_piece(self) -> Option<Self> {
        let mut fields: json::Fields<'_> = serde_json::from_slice(&self.body).ok()?;
        put(&mut fields, "stream", &false);
        fields.shift_remove("stream_options");
        let body = serde_json::to_vec(&fields).ok()?.into();
        Some(Self {
            body,
            is_in_one_piece: true,
            is_rewritten: true,
            ..self
        })
    }

    fn take(&mut self, body: Bytes, dropped: Vec<String>) {
        self.body = body;
        self.dropped.extend(dropped);
        self.is_rewritten = true;
    }
}
