//! Turning a stream back into the client's API, in one step or two.

use bytes::Bytes;

use super::anthropic::{self, Glossary};
use super::responses::{self, Memo};

/// Translates the events of one stream.
#[derive(Debug)]
pub struct Translator {
    messages: Option<anthropic::Translator>,
    response: Option<responses::Translator>,
}

impl Translator {
    pub(super) fn new(messages: Option<Glossary>, response: Option<Memo>) -> Self {
        Self {
            messages: messages.map(anthropic::Translator::new),
            response: response.map(responses::Translator::new),
        }
    }

    /// What some whole events become.
    pub fn translate(&mut self, events: Bytes) -> Bytes {
        let mut events = events;
        if let Some(messages) = &mut self.messages {
            events = messages.translate(&events);
        }
        if let Some(response) = &mut self.response {
            events = response.translate(&events);
        }
        events
    }

    /// Whether all of the answer has come, though its end is not said yet.
    pub fn is_ending(&self) -> bool {
        self.response
            .as_ref()
            .is_some_and(responses::Translator::is_ending)
    }

    /// What is still to be said when no more events come.
    pub fn finish(&mut self) -> Bytes {
        match &mut self.response {
            Some(response) => response.finish(),
            None => Bytes::new(),
        }
    }
}
