//! Writes an answer event by event.

use serde_json::{Value, json};

use super::error;
use super::message::{Open, call, counts, message, redacted, sealed, stop};
use crate::dialect::conversation::{Asked, End, Event, Place, Signature, Usage, WriteEvents};
use crate::wire::json::put;

/// Writes the events of a stream.
#[derive(Debug)]
pub struct Writer {
    asked: Asked,
    /// How many blocks are complete.
    blocks: usize,
    open: Open,
    has_refused: bool,
}

impl Writer {
    /// For the answer to a request that asked for this.
    pub fn new(asked: Asked) -> Self {
        Self {
            asked,
            blocks: 0,
            open: Open::None,
            has_refused: false,
        }
    }

    /// For the rest of a stream whose client is at this place.
    pub fn resume(asked: Asked, place: &Place) -> Self {
        Self {
            blocks: place.index,
            open: match &place.open {
                None => Open::None,
                Some(open) if open.is_thought => Open::Thinking,
                Some(_) => Open::Text,
            },
            ..Self::new(asked)
        }
    }
}

impl WriteEvents for Writer {
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Begin(begin) => {
                let message = message(&self.asked, begin);
                tell(&json!({ "type": "message_start", "message": message }), out);
            }
            Event::Text(text) => {
                self.begin(Open::Text, out);
                self.go_on("text_delta\",\"text", &text, out);
            }
            Event::Refusal(text) => {
                self.has_refused = true;
                self.begin(Open::Refusal, out);
                self.go_on("text_delta\",\"text", &text, out);
            }
            Event::Thought(text) => {
                if self.asked.shows_thoughts {
                    self.begin(Open::Thinking, out);
                    self.go_on("thinking_delta\",\"thinking", &text, out);
                }
            }
            Event::Signature(signature) => {
                if self.asked.shows_thoughts {
                    self.sign(signature, out);
                }
            }
            // A citation of this API needs an index that only its own search can give.
            Event::Cited(_) => {}
            Event::Call(head) => {
                self.close(out);
                self.open = Open::Call;
                self.start(&call(head), out);
            }
            Event::Arguments(text) => self.go_on("input_json_delta\",\"partial_json", &text, out),
            Event::Called => self.close(out),
            Event::End { end, usage } => self.end(end, usage, out),
            Event::Failed(error) => {
                let error = error::error(&error);
                tell(&json!({ "type": "error", "error": error }), out);
            }
            Event::Alive => out.extend_from_slice(b"event: ping\ndata: {\"type\":\"ping\"}\n\n"),
        }
    }
}

impl Writer {
    /// Begins a block of this kind, unless it is open.
    fn begin(&mut self, open: Open, out: &mut Vec<u8>) {
        if self.open == open {
            return;
        }
        self.close(out);
        self.open = open;
        self.start(&open.block(), out);
    }

    fn start(&self, block: &Value, out: &mut Vec<u8>) {
        let index = self.blocks;
        let start =
            json!({ "type": "content_block_start", "index": index, "content_block": block });
        tell(&start, out);
    }

    /// Adds a text to the block. `field`: the type of the delta, and the name of its text, between their quotes.
    fn go_on(&self, field: &str, text: &str, out: &mut Vec<u8>) {
        let begin: &[u8] =
            b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":";
        out.extend_from_slice(begin);
        put(&self.blocks, out);
        out.extend_from_slice(b",\"delta\":{\"type\":\"");
        out.extend_from_slice(field.as_bytes());
        out.extend_from_slice(b"\":");
        put(text, out);
        out.extend_from_slice(b"}}\n\n");
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.open) != Open::None {
            let stop = json!({ "type": "content_block_stop", "index": self.blocks });
            tell(&stop, out);
            self.blocks += 1;
        }
    }

    /// A signature ends its thought; one without a thought that can be read is a block of its own.
    fn sign(&mut self, signature: Signature, out: &mut Vec<u8>) {
        if signature.is_redacted {
            self.close(out);
            self.open = Open::Thinking;
            self.start(&redacted(&signature), out);
        } else {
            self.begin(Open::Thinking, out);
            self.go_on("signature_delta\",\"signature", &sealed(&signature), out);
        }
        self.close(out);
    }

    fn end(&mut self, end: End, usage: Option<Usage>, out: &mut Vec<u8>) {
        self.close(out);
        let (stop_reason, stop_sequence) = stop(end, self.has_refused);
        let delta = json!({ "stop_reason": stop_reason, "stop_sequence": stop_sequence });
        let ended = json!({ "type": "message_delta", "delta": delta, "usage": counts(usage) });
        tell(&ended, out);
        out.extend_from_slice(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }
}

/// Writes an event under the name of its type.
pub(super) fn tell(event: &Value, out: &mut Vec<u8>) {
    let kind = event["type"].as_str().unwrap_or_default();
    out.extend_from_slice(format!("event: {kind}\ndata: {event}\n\n").as_bytes());
}
