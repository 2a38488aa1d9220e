//! From an upstream's reply back to the API that the client speaks.

use bytes::Bytes;

use super::names::Names;
use super::stream_translator::StreamTranslator;
use super::{anthropic, messages, openai, responses};
use crate::wire::json;

/// Turns replies back into the client's API: first messages into a chat, then a chat into a response or a message, as far
/// as needed.
#[derive(Clone, Debug, Default)]
pub struct ResponseTranslator {
    pub(super) messages: Option<anthropic::RequestContext>,
    pub(super) response: Option<responses::RequestContext>,
    /// Where the client wants a message, and gets a chat: what the tools were called.
    pub(super) message: Option<Names>,
    /// Whether the calls of a chat's stream have to be numbered.
    pub(super) numbers_calls: bool,
}

impl ResponseTranslator {
    /// Whether replies are turned into something else.
    pub fn changes(&self) -> bool {
        self.messages.is_some() || self.response.is_some() || self.message.is_some()
    }

    /// A whole answer. What is none stays as it is, to be seen as what it is.
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
    pub fn translator(&self) -> Option<StreamTranslator> {
        (self.changes() || self.numbers_calls).then(|| {
            let (messages, response) = (self.messages.clone(), self.response.clone());
            StreamTranslator::new(messages, response, self.message.clone(), self.numbers_calls)
        })
    }
}
