//! Puts the events of a stream into the client's API.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::adapt::Numbers;
use super::conversation::{Api, Assembly, End, Event, Piece, ReadEvents, WriteEvents};
use super::form::readable;
use super::text_events::TextEvents;
use super::translation::{Translation, outcome_of};
use crate::event::Tokens;
use crate::outcome::{Defect, Outcome};
use crate::wire::json::Halves;
use crate::wire::sse;

/// Changes the events of one stream.
#[derive(Debug)]
pub enum StreamTranslator {
    /// Into another API.
    Between(Box<Way>),
    /// Only the numbers of the calls in a chat.
    Numbering(Numbers),
}

/// From one API to another.
#[derive(Debug)]
pub struct Way {
    translation: Arc<Translation>,
    reader: Box<dyn ReadEvents>,
    halves: Halves,
    texts: TextEvents,
    assembly: Assembly,
    writer: Box<dyn WriteEvents>,
    has_refused: bool,
}

/// What some events have become.
#[derive(Debug, Default)]
pub struct Translated {
    /// The events in the client's API, up to the one that reports a failure.
    pub events: Vec<u8>,
    /// How many of them have content.
    pub content: usize,
    /// How many steps the answer has made that the client does not see.
    pub hidden_progress: usize,
    /// Whether the model has shown that it thinks.
    pub thinks: bool,
    /// How the answer failed, and the data of an error event that says so in the client's API.
    pub failure: Option<(Outcome, Bytes)>,
}

impl StreamTranslator {
    pub(super) fn between(translation: &Arc<Translation>) -> Self {
        let asked = translation.asked.clone();
        Self::Between(Box::new(Way {
            reader: (translation.spoken.form().reader)(&translation.reading),
            halves: Halves::default(),
            texts: TextEvents::default(),
            assembly: Assembly::new(translation.reading.names.clone()),
            writer: (asked.api.form().writer)(asked),
            translation: translation.clone(),
            has_refused: false,
        }))
    }

    pub(super) fn numbering() -> Self {
        Self::Numbering(Numbers::default())
    }
}

impl Way {
    /// The client has a part of the answer already, so nothing need follow it.
    pub fn expect_rest(&mut self) {
        self.assembly.expect_rest();
    }

    /// Translates some whole events.
    pub fn translate(&mut self, events: &[u8]) -> Translated {
        // Of about the same size in any API; each growth would copy it.
        let mut translated = Translated {
            events: Vec::with_capacity(2 * events.len()),
            ..Translated::default()
        };
        let mut at = 0;
        while at < events.len() && translated.failure.is_none() {
            if let Some((text, length)) = self.texts.read(&events[at..]) {
                self.reader.said(text);
                at += length;
                self.take(Piece::Text(text.into()), &mut Vec::new(), &mut translated);
                continue;
            }
            let event = sse::event_at(events, at);
            at = event.end;
            let data = self.halves.join(event.data.clone().unwrap_or_default());
            let data = readable(&data);
            let (mut pieces, mut sent) = (Vec::new(), Vec::new());
            if data.is_empty() {
                // A comment.
                pieces.push(Piece::Alive);
            } else {
                self.reader.read(event.name, &data, &mut pieces);
                self.texts.note(&event, &pieces);
            }
            for piece in pieces {
                self.take(piece, &mut sent, &mut translated);
            }
        }
        translated.hidden_progress += self.assembly.take_unseen();
        translated.thinks |= self.assembly.has_thought();
        translated
    }

    /// What is still to be sent when no more events come.
    pub fn finish(&mut self) -> Translated {
        let mut translated = Translated::default();
        let mut sent = Vec::new();
        self.assembly.finish(&mut sent);
        self.write(sent, &mut translated);
        translated
    }

    /// Whether the model has refused to answer, or its provider has.
    pub fn has_refused(&self) -> bool {
        self.has_refused
    }

    /// Whether the whole answer except its end has come.
    pub fn is_ending(&self) -> bool {
        self.assembly.is_ending()
    }

    /// Whether the whole answer has been sent.
    pub fn is_complete(&self) -> bool {
        self.assembly.is_over()
    }

    /// What the answer costs, if the upstream has said so.
    pub fn tokens(&self) -> Option<Tokens> {
        self.assembly.usage().map(Tokens::from)
    }

    /// A sign of life behind what was sent.
    pub fn heartbeat(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.writer.write(Event::Alive, &mut out);
        out
    }

    /// The end of a stream that broke. `error`: an error object in `OpenAI`'s shape.
    pub fn interruption(&mut self, error: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        let error = self
            .translation
            .asked
            .api
            .error_from(Api::Chat, None, error);
        self.writer.write(Event::Failed(error), &mut out);
        out
    }

    fn take<'a>(
        &mut self,
        piece: Piece<'a>,
        sent: &mut Vec<Event<'a>>,
        translated: &mut Translated,
    ) {
        if piece == Piece::Unreadable {
            let outcome = Outcome::InvalidReply(Defect::Unparsable);
            translated.failure = Some((outcome, Bytes::new()));
            return;
        }
        self.assembly.take(piece, sent);
        self.write(sent.drain(..), translated);
    }

    fn write<'a>(
        &mut self,
        sent: impl IntoIterator<Item = Event<'a>>,
        translated: &mut Translated,
    ) {
        for event in sent {
            let is_thought = matches!(event, Event::Thought(_) | Event::Signature(_));
            translated.thinks |= is_thought;
            self.has_refused |= match &event {
                Event::Refusal(_) => true,
                Event::End { end, .. } => *end == End::Filtered,
                _ => false,
            };
            match event {
                Event::Failed(error) => {
                    let outcome = outcome_of(&error);
                    let body = self.translation.error_body(None, &error).to_string();
                    translated.failure = Some((outcome, body.into()));
                }
                // The client gets signs of life of our own, when it has waited for long enough.
                Event::Alive => {}
                event => {
                    if is_thought && !self.translation.asked.shows_thoughts {
                        translated.hidden_progress += 1;
                    } else {
                        let is_content = event.is_content() && !self.assembly.is_empty();
                        translated.content += usize::from(is_content);
                    }
                    // Who may not read a thought may want what proves it: the writer knows.
                    self.writer.write(event, &mut translated.events);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::{StreamTranslator, Way};
    use crate::catalogue::Dialect;
    use crate::dialect::conversation::{Api, Asked, Target};
    use crate::dialect::translation::Translation;
    use crate::dialect::upstream_api::UpstreamApi;

    /// For the answer of an upstream to a client's request.
    fn way(asked: Api, body: Value, spoken: Api) -> Way {
        let mut conversation = (asked.form().read_request)(body).unwrap();
        let asked = Asked::of(&mut conversation);
        let upstream = &UpstreamApi::new(Dialect::OpenAi);
        let target = Target {
            model: "m",
            upstream,
        };
        let written = (spoken.form().write_request)(conversation, &target).unwrap();
        let translation = Arc::new(Translation {
            asked,
            spoken,
            reading: written.reading,
        });
        match StreamTranslator::between(&translation) {
            StreamTranslator::Between(way) => *way,
            StreamTranslator::Numbering(_) => panic!("a stream that is not translated"),
        }
    }

    #[test]
    fn a_call_that_waits_for_the_rest_of_its_name_is_progress_and_no_thought() {
        let tools = ["edit", "edit_file"].map(|name| json!({ "name": name, "input_schema": {} }));
        let body = json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }], "tools": tools });
        for (delta, thinks) in [
            (
                json!({ "tool_calls": [{ "index": 0, "id": "a", "function": { "name": "edit" } }] }),
                false,
            ),
            (
                json!({ "reasoning_details": [{ "type": "reasoning.encrypted", "data": "x" }] }),
                true,
            ),
        ] {
            let event = json!({ "choices": [{ "delta": delta }] });
            let mut way = way(Api::Messages, body.clone(), Api::Chat);
            let translated = way.translate(format!("data: {event}\n\n").as_bytes());
            assert!(translated.hidden_progress > 0, "{event}");
            assert_eq!(translated.thinks, thinks, "{event}");
        }
    }

    #[test]
    fn what_proves_a_thought_comes_to_who_wants_it_without_the_thought() {
        let events = [
            json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "thinking", "thinking": "" } }),
            json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "thinking_delta", "thinking": "hm" } }),
            json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "signature_delta", "signature": "proof" } }),
            json!({ "type": "content_block_stop", "index": 0 }),
        ];
        let stream = events.map(|event| format!("data: {event}\n\n")).concat();
        for (include, comes) in [
            (json!([]), false),
            (json!(["reasoning.encrypted_content"]), true),
        ] {
            let body = json!({ "model": "m", "input": "hi", "stream": true, "include": include });
            let mut way = way(Api::Responses, body, Api::Messages);
            let translated = way.translate(stream.as_bytes());
            let sent = String::from_utf8(translated.events).unwrap();
            assert_eq!(
                sent.contains("\"encrypted_content\":\"backstop1.m..proof\""),
                comes,
                "{sent}"
            );
            assert!(!sent.contains("hm"), "{sent}");
            // It can still be replaced.
            assert_eq!(translated.content, 0);
            assert!(translated.hidden_progress > 0);
        }
    }
}
