//! The chunks of a chat as the events of a message, one by one.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{id, object, stop_reason, usage};
use crate::dialect::chunks::{Calls, Piece, Place, astray, failed, has_thoughts, pieces, text_of};
use crate::dialect::finish::{Finish, finish};
use crate::dialect::names::Names;

/// Translates one stream.
#[derive(Debug)]
pub struct Translator {
    names: Names,
    has_begun: bool,
    blocks: usize,
    open: Open,
    calls: Calls,
    /// Kept back until its end tells what it is: whoever asks elsewhere then must know at the first text.
    refusal: String,
    finish: Value,
    usage: Value,
    has_ended: bool,
    /// Pieces that the client is not told.
    pub(in crate::dialect) untold: usize,
}

/// The block that is being sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Open {
    #[default]
    None,
    Text,
    Call,
}

impl Translator {
    /// For the answer to a request whose tools were given these names.
    pub fn new(names: Names) -> Self {
        Self {
            names,
            has_begun: false,
            blocks: 0,
            open: Open::None,
            calls: Calls::default(),
            refusal: String::new(),
            finish: Value::Null,
            usage: Value::Null,
            has_ended: false,
            untold: 0,
        }
    }

    /// The events for some whole chunks.
    pub fn translate(&mut self, chunks: &[u8]) -> Bytes {
        let mut out = Vec::new();
        for piece in pieces(chunks) {
            if self.has_ended {
                break;
            }
            match piece {
                Piece::Chunk(chunk) => self.take(&chunk, &mut out),
                // After a whole answer nothing can spoil it.
                Piece::Error(error) if self.finish.is_null() => self.give_up(&error, &mut out),
                Piece::Error(_) => {}
                Piece::Done => self.end(&mut out),
                Piece::Other(bytes) => out.extend_from_slice(bytes),
            }
        }
        out.into()
    }

    /// Whether the chat has said why it ended: only its usage may come.
    pub fn is_ending(&self) -> bool {
        !self.finish.is_null()
    }

    /// What is still to be said when no more chunks come.
    pub fn finish(&mut self) -> Bytes {
        let mut out = Vec::new();
        self.end(&mut out);
        out.into()
    }

    fn fail(&mut self, error: &Value, out: &mut Vec<u8>) {
        tell("error", json!({ "error": object(error) }), out);
    }

    fn take(&mut self, chunk: &Value, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.has_begun, true) {
            let message = json!({
                "id": id(&chunk["id"]),
                "type": "message",
                "role": "assistant",
                "model": chunk["model"],
                "content": [],
                "stop_reason": null,
                "stop_sequence": null,
                "usage": usage(&Value::Null),
            });
            tell("message_start", json!({ "message": message }), out);
        }
        if chunk["usage"].is_object() {
            self.usage = chunk["usage"].clone();
        }
        let choice = &chunk["choices"][0];
        let delta = &choice["delta"];
        self.untold += usize::from(has_thoughts(delta));
        self.say(&text_of(&delta["content"]), out);
        let refusal = text_of(&delta["refusal"]);
        self.untold += usize::from(!refusal.is_empty());
        self.refusal += &refusal;
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            self.call(call, out);
        }
        let reason = &choice["finish_reason"];
        match finish(reason.as_str().unwrap_or_default()) {
            Finish::NotYet => {}
            Finish::Failed => self.give_up(&failed(), out),
            Finish::Ended => {
                self.close(out);
                self.finish = reason.clone();
            }
        }
    }

    /// Nothing of what may come makes it whole again.
    fn give_up(&mut self, error: &Value, out: &mut Vec<u8>) {
        self.fail(error, out);
        self.has_ended = true;
    }

    fn say(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if self.open != Open::Text {
            self.begin(Open::Text, json!({ "type": "text", "text": "" }), out);
        }
        self.go_on(json!({ "type": "text_delta", "text": text }), out);
    }

    fn call(&mut self, call: &Value, out: &mut Vec<u8>) {
        match self.calls.place(call, self.open == Open::Call) {
            Place::GoesOn => {}
            Place::Begins => {
                let name = call["function"]["name"].as_str().unwrap_or_default();
                let block = json!({
                    "type": "tool_use",
                    "id": self.calls.id(),
                    "name": self.names.own(name),
                    "input": {},
                });
                self.begin(Open::Call, block, out);
            }
            Place::Strays => {
                self.give_up(&astray(), out);
                return;
            }
        }
        let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
        if !arguments.is_empty() {
            self.go_on(
                json!({ "type": "input_json_delta", "partial_json": arguments }),
                out,
            );
        }
    }

    fn begin(&mut self, open: Open, block: Value, out: &mut Vec<u8>) {
        self.close(out);
        self.open = open;
        let begun = json!({ "index": self.blocks, "content_block": block });
        tell("content_block_start", begun, out);
    }

    fn go_on(&self, delta: Value, out: &mut Vec<u8>) {
        let event = json!({ "index": self.blocks, "delta": delta });
        tell("content_block_delta", event, out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.open) != Open::None {
            tell("content_block_stop", json!({ "index": self.blocks }), out);
            self.blocks += 1;
        }
    }

    /// The chat is over: the usage is known by now.
    fn end(&mut self, out: &mut Vec<u8>) {
        // Without a finish it was cut short, which the missing end tells.
        if self.finish.is_null() || std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let refusal = std::mem::take(&mut self.refusal);
        self.say(&refusal, out);
        self.close(out);
        let reason = stop_reason(&self.finish, self.calls.count() > 0, !refusal.is_empty());
        let delta = json!({ "stop_reason": reason, "stop_sequence": null });
        let ended = json!({ "delta": delta, "usage": usage(&self.usage) });
        tell("message_delta", ended, out);
        tell("message_stop", json!({}), out);
    }
}

fn tell(kind: &str, mut event: Value, out: &mut Vec<u8>) {
    event["type"] = kind.into();
    out.extend_from_slice(format!("event: {kind}\ndata: {event}\n\n").as_bytes());
}
