//! Translates an upstream's reply back into the client's API.

use bytes::Bytes;

use super::names::Names;
use super::stream_translator::StreamTranslator;
use super::{anthropic, messages, openai, responses};
use crate::wire::json;

/// Translates replies back into the client's API: first a message into a chat completion, then a chat completion into a
/// response or a message, as needed.
#[derive(Clone, Debug, Default)]
pub struct ResponseTranslator {
    pub(super) messages: Option<anthropic::RequestContext>,
    pub(super) response: Option<responses::RequestContext>,
    /// For a client of the Messages API whose upstream returns chat completions: the names of the tools.
    pub(super) message: Option<Names>,
    /// Whether the tool calls in a chat stream have to be numbered.
    pub(super) numbers_calls: bool,
}

impl ResponseTranslator {
    /// Whether replies are changed.
    pub fn changes(&self) -> bool {
        self.messages.is_some() || self.response.is_some() || self.message.is_some()
    }

    /// Translates a whole answer. A body that is not an answer stays unchanged, so that it is recognised as such.
    pub fn answer(&self, mut body: Bytes) -> Bytes {
        if self.changes()
            && let Some(mended) = json::mended(&body)
        {
            body = mended;
        }
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
        (self.changes() || self.numbers_calls).then(|| {
            let (messages, response) = (self.messages.clone(), self.response.clone());
            StreamTranslator::new(messages, response, self.message.clone(), self.numbers_calls)
        })
    }
}
