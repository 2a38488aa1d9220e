//! Translates a stream into the client's API, in one step or two.

use bytes::Bytes;

use super::names::Names;
use super::openai::Numbers;
use super::{anthropic, messages, responses};

/// Translates the events of one stream.
#[derive(Debug)]
pub struct StreamTranslator {
    messages: Option<anthropic::Translator>,
    response: Option<responses::Translator>,
    message: Option<messages::Translator>,
    numbers: Option<Numbers>,
}

impl StreamTranslator {
    pub(super) fn new(
        messages: Option<anthropic::RequestContext>,
        response: Option<responses::RequestContext>,
        message: Option<Names>,
        numbers_calls: bool,
    ) -> Self {
        Self {
            messages: messages.map(anthropic::Translator::new),
            response: response.map(responses::Translator::new),
            message: message.map(messages::Translator::new),
            numbers: numbers_calls.then(Numbers::default),
        }
    }

    /// Translates some whole events.
    pub fn translate(&mut self, events: Bytes) -> Bytes {
        let mut events = events;
        if let Some(messages) = &mut self.messages {
            events = messages.translate(&events);
        }
        if let Some(response) = &mut self.response {
            events = response.translate(&events);
        }
        if let Some(message) = &mut self.message {
            events = message.translate(&events);
        }
        if let Some(numbers) = &mut self.numbers {
            events = numbers.translate(events);
        }
        events
    }

    /// How many pieces since the last call are progress that the client does not see: reasoning, and text that is sent
    /// only at the end.
    pub fn take_hidden_progress(&mut self) -> usize {
        let response = self
            .response
            .as_mut()
            .map(|response| &mut response.hidden_progress);
        let message = self
            .message
            .as_mut()
            .map(|message| &mut message.hidden_progress);
        let hidden_progress = response.into_iter().chain(message);
        hidden_progress.map(std::mem::take).sum()
    }

    /// Whether the whole answer except its end has arrived.
    pub fn is_ending(&self) -> bool {
        let response = self.response.as_ref();
        let message = self.message.as_ref();
        response.is_some_and(responses::Translator::is_ending)
            || message.is_some_and(messages::Translator::is_ending)
    }

    /// The events that are still to be sent when no more events arrive.
    pub fn finish(&mut self) -> Bytes {
        match (&mut self.response, &mut self.message) {
            (Some(response), _) => response.finish(),
            (None, Some(message)) => message.finish(),
            (None, None) => Bytes::new(),
        }
    }
}
