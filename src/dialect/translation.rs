//! One translation: from the upstream's API back into the client's.

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::to_raw_value;

use super::conversation::{Api, Asked, Assembly, Event, Reading, TOO_LARGE, UNSOUND};
use super::errors;
use crate::event::Tokens;
use crate::outcome::{Defect, Outcome};

/// A whole answer in the client's API.
#[derive(Debug)]
pub struct WholeAnswer {
    /// Its body.
    pub body: Bytes,
    /// Whether nothing is said in it, without a reason for that.
    pub is_silent: bool,
    /// What it costs, if the upstream says so.
    pub tokens: Option<Tokens>,
}

const NO_ANSWER: Outcome = Outcome::InvalidReply(Defect::NoAnswer);

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

impl Translation {
    /// A whole answer of the upstream, in the client's API; else the outcome that it stands for.
    pub(super) fn answer(&self, body: &[u8]) -> Result<WholeAnswer, Outcome> {
        let (events, assembly) = self.events(body)?;
        let answer = (self.asked.api.form().write_answer)(&self.asked, events);
        Ok(WholeAnswer {
            body: answer.ok_or(NO_ANSWER)?.into(),
            is_silent: assembly.is_empty(),
            tokens: assembly.usage().map(Tokens::from),
        })
    }

    /// The same as the events of a stream.
    pub(super) fn streamed(&self, body: &[u8]) -> Result<Vec<u8>, Outcome> {
        let (events, _) = self.events(body)?;
        let mut writer = (self.asked.api.form().writer)(self.asked.clone());
        let mut out = Vec::with_capacity(2 * body.len());
        for event in events {
            writer.write(event, &mut out);
        }
        Ok(out)
    }

    fn events<'b>(&self, body: &'b [u8]) -> Result<(Vec<Event<'b>>, Assembly), Outcome> {
        let pieces = (self.spoken.form().read_answer)(body, &self.reading).ok_or(NO_ANSWER)?;
        let mut assembly = Assembly::new(self.reading.names.clone());
        let mut events = Vec::with_capacity(pieces.len());
        for piece in pieces {
            assembly.take(piece, &mut events);
        }
        assembly.finish(&mut events);
        if let Some(Event::Failed(error)) = events.last() {
            return Err(outcome_of(error));
        }
        match assembly.is_over() {
            true => Ok((events, assembly)),
            false => Err(NO_ANSWER),
        }
    }

    /// An error body of the upstream, in the client's API.
    pub(super) fn error(&self, status: u16, body: Bytes) -> Bytes {
        let error = match self.spoken {
            Api::Messages => body,
            Api::Chat | Api::Responses => errors::shaped(status, body),
        };
        let error: Value = serde_json::from_slice(&error).unwrap_or_default();
        self.error_body(Some(status), &error["error"])
            .to_string()
            .into()
    }

    /// The body of an error for the client. `status`: that of the reply; `None`: the error came within a 200. `error`: the upstream's.
    pub(super) fn error_body(&self, status: Option<u16>, error: &Value) -> Value {
        let api = self.asked.api;
        api.error_body(api.error_from(self.spoken, status, error))
    }
}

/// What an error object within an answer stands for.
pub(super) fn outcome_of(error: &Value) -> Outcome {
    match error["code"].as_str() {
        Some(UNSOUND) => Outcome::InvalidReply(Defect::BadCall),
        Some(TOO_LARGE) => Outcome::InvalidReply(Defect::TooLarge),
        Some(_) | None => errors::failure(to_raw_value(error).ok().as_deref(), None),
    }
}
