//! Writes a whole answer.

use serde_json::{Value, json};

use super::message::{Open, call, counts, message, redacted, sealed, stop};
use crate::dialect::conversation::{Asked, Begin, Event, Signature};

/// Writes a whole answer; `None`: it has failed, or does not end.
pub fn write_answer(asked: &Asked, events: Vec<Event<'_>>) -> Option<Value> {
    let mut answer = Whole {
        asked,
        message: message(asked, Begin::default()),
        content: Vec::new(),
        open: Open::None,
        has_refused: false,
        has_ended: false,
    };
    for event in events {
        answer.take(event)?;
    }
    answer.close();
    answer.message["content"] = answer.content.into();
    answer.has_ended.then_some(answer.message)
}

/// A whole answer while it is written.
struct Whole<'a> {
    asked: &'a Asked,
    message: Value,
    content: Vec<Value>,
    /// The kind of the last block, if it may go on.
    open: Open,
    has_refused: bool,
    has_ended: bool,
}

impl Whole<'_> {
    /// `None`: it has failed.
    fn take(&mut self, event: Event<'_>) -> Option<()> {
        match event {
            Event::Begin(begin) => self.message = message(self.asked, begin),
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
                let mut call = call(head);
                call["input"] = "".into();
                self.content.push(call);
            }
            Event::Arguments(text) => self.append("input", &text),
            Event::Called => self.close(),
            Event::End { end, usage } => {
                self.has_ended = true;
                let (stop_reason, stop_sequence) = stop(end, self.has_refused);
                self.message["stop_reason"] = stop_reason.into();
                self.message["stop_sequence"] = stop_sequence.into();
                self.message["usage"] = counts(usage);
            }
            Event::Failed(_) => return None,
        }
        Some(())
    }

    fn add(&mut self, open: Open, field: &str, text: &str) {
        if self.open != open {
            self.close();
            self.open = open;
            self.content.push(open.block());
        }
        self.append(field, text);
    }

    fn append(&mut self, field: &str, text: &str) {
        if let Some(Value::String(known)) = self.content.last_mut().map(|block| &mut block[field]) {
            known.push_str(text);
        }
    }

    fn sign(&mut self, signature: &Signature) {
        if signature.is_redacted {
            self.close();
            self.content.push(redacted(signature));
        } else {
            self.add(Open::Thinking, "signature", &sealed(signature));
        }
        self.open = Open::None;
    }

    /// The input of a call is whole now; if the answer was cut, it may be no JSON, and the client sees by the reason that it
    /// was.
    fn close(&mut self) {
        if std::mem::take(&mut self.open) == Open::Call
            && let Some(call) = self.content.last_mut()
        {
            let input = call["input"]
                .as_str()
                .and_then(|input| serde_json::from_str::<Value>(input).ok());
            call["input"] = input.filter(Value::is_object).unwrap_or_else(|| json!({}));
        }
    }
}
