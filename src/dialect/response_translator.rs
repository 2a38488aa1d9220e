//! Puts an upstream's reply back into the client's API.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::answer::{Inspected, inspect};
use super::stream_translator::StreamTranslator;
use super::translation::{Translation, WholeAnswer};
use super::{chat, messages, responses};
use crate::outcome::{Defect, Outcome};
use crate::request::Endpoint;
use crate::wire::json::{self, Field, Wanted, pick, wanted};

/// Puts replies back into the client's API, where the upstream speaks another one.
#[derive(Clone, Debug, Default)]
pub struct ResponseTranslator {
    translation: Option<Arc<Translation>>,
    /// Whether the tool calls in a chat stream have to be numbered.
    pub(super) numbers_calls: bool,
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
            let Inspected { is_silent, tokens } = inspect(asked, &body, retry_after)?;
            return Ok(WholeAnswer {
                body,
                is_silent,
                tokens,
            });
        };
        let body = json::mended(&body).unwrap_or(body);
        inspect(translation.spoken.endpoint(), &body, retry_after)?;
        translation.answer(&body)
    }

    /// A whole answer that is one as the events of a stream in the client's API; else the outcome that it stands for. `request`: the
    /// client's.
    pub fn streamed(
        &self,
        asked: Endpoint,
        body: &Bytes,
        request: &[u8],
    ) -> Result<Bytes, Outcome> {
        match &self.translation {
            Some(translation) => {
                let body = json::mended(body).unwrap_or_else(|| body.clone());
                Ok(translation.streamed(&body)?.into())
            }
            // What an upstream of the client's own API proves of its thoughts would not survive in other APIs' words.
            None => {
                let events = match asked {
                    Endpoint::ChatCompletions => chat::as_events(body, wants_usage(request)),
                    Endpoint::Completions => chat::completion_as_events(body),
                    Endpoint::Messages => messages::as_events(body),
                    Endpoint::Responses => responses::as_events(body),
                    _ => None,
                };
                let events = events.ok_or(Outcome::InvalidReply(Defect::Unstreamed))?;
                Ok(events.into())
            }
        }
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

wanted!(
    /// What a request says about the form of a stream.
    Options: stream_options
);

/// Whether a request for a chat wants to know what its stream costs.
fn wants_usage(request: &[u8]) -> bool {
    let request: Options<'_> = pick(request).unwrap_or_default();
    let options = request.stream_options.get().map(serde_json::from_str);
    let options: Value = options.and_then(Result::ok).unwrap_or_default();
    options["include_usage"] == true
}
