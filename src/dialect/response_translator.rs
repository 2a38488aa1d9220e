//! Puts an upstream's reply back into the client's API.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::to_raw_value;

use super::answer::inspect;
use super::conversation::{Api, Asked, Assembly, Event, Reading, UNSOUND};
use super::errors;
use super::stream_translator::StreamTranslator;
use crate::outcome::{Defect, Outcome};
use crate::request::Endpoint;
use crate::wire::json;

/// A whole answer in the client's API.
#[derive(Debug)]
pub struct WholeAnswer {
    /// Its body.
    pub body: Bytes,
    /// Whether nothing is said in it, without a reason for that.
    pub is_silent: bool,
}

fn is_silent(inspected: Result<(), Outcome>) -> Result<bool, Outcome> {
    match inspected {
        Ok(()) => Ok(false),
        Err(Outcome::InvalidReply(Defect::Silent)) => Ok(true),
        Err(outcome) => Err(outcome),
    }
}

/// Puts replies back into the client's API, where the upstream speaks another one.
#[derive(Clone, Debug, Default)]
pub struct ResponseTranslator {
    translation: Option<Arc<Translation>>,
    /// Whether the tool calls in a chat stream have to be numbered.
    pub(super) numbers_calls: bool,
}

/// The way from one API to another.
#[derive(Debug)]
pub(super) struct Translation {
    /// What the client asked for.
    pub(super) asked: Asked,
    /// The upstream's API.
    pub(super) spoken: Api,
    /// What was sent.
    pub(super) reading: Reading,
}

impl ResponseTranslator {
    pub(super) fn of(translation: Translation) -> Self {
        Self {
            translation: Some(Arc::new(translation)),
            numbers_calls: false,
        }
    }

    /// Whether replies are changed.
    pub fn changes(&self) -> bool {
        self.translation.is_some()
    }

    /// The endpoint in whose form the upstream answers.
    pub fn endpoint(&self, asked: Endpoint) -> Endpoint {
        let translation = self.translation.as_ref();
        translation.map_or(asked, |translation| translation.spoken.endpoint())
    }

    /// Checks a whole answer that came with 200, and puts it into the client's API; else the outcome that it stands for.
    pub fn answer(
        &self,
        asked: Endpoint,
        body: Bytes,
        retry_after: Option<Duration>,
    ) -> Result<WholeAnswer, Outcome> {
        let Some(translation) = &self.translation else {
            let is_silent = is_silent(inspect(asked, &body, retry_after))?;
            return Ok(WholeAnswer { body, is_silent });
        };
        let body = json::mended(&body).unwrap_or(body);
        is_silent(inspect(translation.spoken.endpoint(), &body, retry_after))?;
        translation.answer(&body)
    }

    /// An error body in the shape of the client's API.
    pub fn error(&self, status: u16, body: Bytes) -> Bytes {
        match &self.translation {
            Some(translation) => translation.error(status, body),
            None => body,
        }
    }

    /// A translator for the events of a stream.
    pub fn translator(&self) -> Option<StreamTranslator> {
        match &self.translation {
            Some(translation) => Some(StreamTranslator::between(translation)),
            None => self.numbers_calls.then(StreamTranslator::numbering),
        }
    }
}

impl Translation {
    fn answer(&self, body: &[u8]) -> Result<WholeAnswer, Outcome> {
        let no_answer = || Outcome::InvalidReply(Defect::NoAnswer);
        let pieces = (self.spoken.form().read_answer)(body, &self.reading).ok_or_else(no_answer)?;
        let mut assembly = Assembly::new(self.reading.names.clone());
        let mut events = Vec::with_capacity(pieces.len());
        for piece in pieces {
            assembly.take(piece, &mut events);
        }
        assembly.finish(&mut events);
        if let Some(Event::Failed(error)) = events.last() {
            return Err(outcome_of(error));
        }
        if !assembly.is_over() {
            return Err(no_answer());
        }
        let answer = (self.asked.api.form().write_answer)(&self.asked, events);
        Ok(WholeAnswer {
            body: answer.ok_or_else(no_answer)?.to_string().into(),
            is_silent: assembly.is_empty(),
        })
    }

    fn error(&self, status: u16, body: Bytes) -> Bytes {
        let error = match self.spoken {
            Api::Messages => body,
            Api::Chat | Api::Responses => errors::shaped(status, body),
        };
        let error: Value = serde_json::from_slice(&error).unwrap_or_default();
        self.error_body(&error["error"]).to_string().into()
    }

    /// The body of an error for the client. `error`: the upstream's.
    pub(super) fn error_body(&self, error: &Value) -> Value {
        let api = self.asked.api;
        api.error_body(api.error_from(self.spoken, error))
    }
}

/// What an error object within an answer stands for.
pub(super) fn outcome_of(error: &Value) -> Outcome {
    if error["code"] == UNSOUND {
        return Outcome::InvalidReply(Defect::BadCall);
    }
    match to_raw_value(error) {
        Ok(error) => errors::classify_inner(&error, None),
        Err(_) => Outcome::ServerError { status: 500 },
    }
}
