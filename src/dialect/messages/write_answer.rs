//! Writes a whole answer.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::message::{Open, call, counts, message, redacted, sealed, stop};
use crate::dialect::conversation::{Asked, Begin, Event, Signature};

/// A whole message.
#[derive(Debug, Serialize)]
pub struct Message {
    /// All but its blocks.
    #[serde(flatten)]
    head: Value,
    content: Vec<Block>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Block {
    Call {
        #[serde(flatten)]
        head: Value,
        /// The JSON of an object, as the model wrote it: a tree would round its numbers.
        input: Box<RawValue>,
    },
    Said(Value),
}

/// Writes a whole answer; `None`: it has failed, or does not end.
pub fn write_answer(asked: &Asked, events: Vec<Event<'_>>) -> Option<Message> {
    let mut answer = Whole {
        asked,
        head: message(asked, Begin::default()),
        content: Vec::new(),
        input: String::new(),
        open: Open::None,
        has_refused: false,
        has_ended: false,
    };
    for event in events {
        answer.take(event)?;
    }
    answer.close();
    let mut head = answer.head;
    head.as_object_mut()?.shift_remove("content");
    let content = answer.content;
    answer.has_ended.then_some(Message { head, content })
}

/// A whole answer while it is written.
struct Whole<'a> {
    asked: &'a Asked,
    head: Value,
    content: Vec<Block>,
    /// The input so far of the call that is open.
    input: String,
    /// The kind of the last block, if it may go on.
    open: Open,
    has_refused: bool,
    has_ended: bool,
}

impl Whole<'_> {
    /// `None`: it has failed.
    fn take(&mut self, event: Event<'_>) -> Option<()> {
        match event {
            Event::Begin(begin) => self.head = message(self.asked, begin),
            Event::Text(text) => self.add(Open::Text, "text", &text),
            Event::Refusal(text) => {
                self.has_refused = true;
                self.add(Open::Refusal, "text", &text);
            }
            Event::Thought(text) if self.asked.shows_thoughts => {
                self.add(Open::Thinking, "thinking", &text);
            }
            Event::Signature(signature) if self.asked.shows_thoughts => self.sign(&signature),
            Event::Thought(_) | Event::Signature(_) | Event::Cited(_) | Event::Alive => {}
            Event::Call(head) => {
                self.close();
                self.open = Open::Call;
                let mut head = call(head);
                head.as_object_mut()?.shift_remove("input");
                let input = empty();
                self.content.push(Block::Call { head, input });
            }
            Event::Arguments(text) => self.input += &text,
            Event::Called => self.close(),
            Event::End { end, usage } => {
                self.has_ended = true;
                let (stop_reason, stop_sequence) = stop(end, self.has_refused);
                self.head["stop_reason"] = stop_reason.into();
                self.head["stop_sequence"] = stop_sequence.into();
                self.head["usage"] = counts(usage);
            }
            Event::Failed(_) => return None,
        }
        Some(())
    }

    fn add(&mut self, open: Open, field: &str, text: &str) {
        if self.open != open {
            self.close();
            self.open = open;
            self.content.push(Block::Said(open.block()));
        }
        if let Some(Block::Said(block)) = self.content.last_mut()
            && let Value::String(known) = &mut block[field]
        {
            known.push_str(text);
        }
    }

    fn sign(&mut self, signature: &Signature) {
        if signature.is_redacted {
            self.close();
            self.content.push(Block::Said(redacted(signature)));
        } else {
            self.add(Open::Thinking, "signature", &sealed(signature));
        }
        self.open = Open::None;
    }

    /// The input of a call is whole now; if the answer was cut, it may be no JSON, and the client sees by the reason that it
    /// was.
    fn close(&mut self) {
        let written = std::mem::take(&mut self.input);
        if std::mem::take(&mut self.open) == Open::Call
            && let Some(Block::Call { input, .. }) = self.content.last_mut()
        {
            let written = RawValue::from_string(written).ok();
            let object = written.filter(|written| written.get().starts_with('{'));
            *input = object.unwrap_or_else(empty);
        }
    }
}

fn empty() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).unwrap_or_default()
}
