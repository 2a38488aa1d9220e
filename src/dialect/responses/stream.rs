//! The chunks of a chat as the events of a response, one by one.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Memo, message_item, text_part};
use crate::dialect::chunks::{Piece, pieces};

/// Translates one stream.
#[derive(Debug)]
pub struct Translator {
    memo: Memo,
    /// A chunk, for what all have in common; null before the first one.
    chunk: Value,
    number: u64,
    /// The items that are done.
    output: Vec<Value>,
    open: Open,
    finish: Value,
    usage: Value,
    has_ended: bool,
}

/// The item that is being sent.
#[derive(Debug)]
enum Open {
    None,
    Text {
        id: String,
        text: String,
    },
    Call {
        id: String,
        index: u64,
        call_id: Value,
        name: Value,
        arguments: String,
    },
}

impl Translator {
    /// For the answer to a request that was translated with this memo.
    pub fn new(memo: Memo) -> Self {
        Self {
            memo,
            chunk: Value::Null,
            number: 0,
            output: Vec::new(),
            open: Open::None,
            finish: Value::Null,
            usage: Value::Null,
            has_ended: false,
        }
    }

    /// The events for some whole chunks.
    pub fn translate(&mut self, chunks: &[u8]) -> Bytes {
        let mut out = Vec::new();
        for piece in pieces(chunks) {
            match piece {
                Piece::Chunk(chunk) => self.take(chunk, &mut out),
                Piece::Error(error) => self.fail(&error, &mut out),
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
        let told = json!({
            "code": error["code"], "message": error["message"], "param": null, "error": error,
        });
        self.tell("error", told, out);
    }

    fn take(&mut self, chunk: Value, out: &mut Vec<u8>) {
        if self.chunk.is_null() {
            self.chunk = chunk.clone();
            let response = self.memo.response("in_progress", json!([]), &chunk);
            self.tell("response.created", json!({ "response": response }), out);
            self.tell("response.in_progress", json!({ "response": response }), out);
        }
        if chunk["usage"].is_object() {
            self.usage = chunk["usage"].clone();
        }
        let choice = &chunk["choices"][0];
        let delta = &choice["delta"];
        if let Some(text) = delta["content"].as_str().filter(|text| !text.is_empty()) {
            self.say(text, out);
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            self.call(call, out);
        }
        if !choice["finish_reason"].is_null() {
            self.close(out);
            self.finish = choice["finish_reason"].clone();
        }
    }

    fn say(&mut self, text: &str, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Text { .. }) {
            self.close(out);
            let id = self.memo.id("msg", self.output.len());
            let item = message_item(&id, "in_progress", json!([]));
            let index = self.output.len();
            let added = json!({ "output_index": index, "item": item });
            self.tell("response.output_item.added", added, out);
            let part = json!({
                "item_id": id, "output_index": index, "content_index": 0, "part": text_part(""),
            });
            self.tell("response.content_part.added", part, out);
            self.open = Open::Text {
                id,
                text: String::new(),
            };
        }
        let index = self.output.len();
        if let Open::Text { id, text: said } = &mut self.open {
            said.push_str(text);
            let delta = json!({
                "item_id": id, "output_index": index, "content_index": 0, "delta": text, "logprobs": [],
            });
            self.tell("response.output_text.delta", delta, out);
        }
    }

    fn call(&mut self, call: &Value, out: &mut Vec<u8>) {
        let position = call["index"].as_u64().unwrap_or(0);
        let is_open = matches!(&self.open, Open::Call { index, .. } if *index == position);
        if !is_open {
            self.close(out);
            let (call_id, name) = (call["id"].clone(), call["function"]["name"].clone());
            let id = self.memo.call_id(&name, self.output.len());
            let begun = json!({ "name": name, "arguments": "" });
            let toolbox = &self.memo.toolbox;
            let item = toolbox.item(&id, "in_progress", &call_id, &begun);
            let added = json!({ "output_index": self.output.len(), "item": item });
            self.tell("response.output_item.added", added, out);
            self.open = Open::Call {
                id,
                index: position,
                call_id,
                name,
                arguments: String::new(),
            };
        }
        let index = self.output.len();
        let more = call["function"]["arguments"].as_str().unwrap_or_default();
        if let Open::Call {
            id,
            name,
            arguments,
            ..
        } = &mut self.open
            && !more.is_empty()
        {
            arguments.push_str(more);
            // Plain text is told at its end, when it can be read whole.
            if self.memo.toolbox.is_custom(name) {
                return;
            }
            let delta = json!({ "item_id": id, "output_index": index, "delta": more });
            self.tell("response.function_call_arguments.delta", delta, out);
        }
    }

    /// The item that is being sent is whole.
    fn close(&mut self, out: &mut Vec<u8>) {
        let index = self.output.len();
        let item = match std::mem::replace(&mut self.open, Open::None) {
            Open::None => return,
            Open::Text { id, text } => {
                let place = json!({ "item_id": id, "output_index": index, "content_index": 0 });
                let mut done = place.clone();
                done["text"] = text.as_str().into();
                done["logprobs"] = json!([]);
                self.tell("response.output_text.done", done, out);
                let part = text_part(&text);
                let mut done = place;
                done["part"] = part.clone();
                self.tell("response.content_part.done", done, out);
                message_item(&id, "completed", json!([part]))
            }
            Open::Call {
                id,
                call_id,
                name,
                arguments,
                ..
            } => {
                let call = json!({ "name": name, "arguments": arguments });
                let item = self.memo.toolbox.item(&id, "completed", &call_id, &call);
                self.tell_call(index, &item, out);
                item
            }
        };
        let done = json!({ "output_index": index, "item": item });
        self.tell("response.output_item.done", done, out);
        self.output.push(item);
    }

    /// What a call was given is whole.
    fn tell_call(&mut self, index: usize, item: &Value, out: &mut Vec<u8>) {
        let mut done = json!({ "item_id": item["id"], "output_index": index });
        if item["type"] == "custom_tool_call" {
            let mut delta = done.clone();
            delta["delta"] = item["input"].clone();
            self.tell("response.custom_tool_call_input.delta", delta, out);
            done["input"] = item["input"].clone();
            self.tell("response.custom_tool_call_input.done", done, out);
        } else {
            done["arguments"] = item["arguments"].clone();
            done["name"] = item["name"].clone();
            self.tell("response.function_call_arguments.done", done, out);
        }
    }

    /// The chat is over: the usage is known by now.
    fn end(&mut self, out: &mut Vec<u8>) {
        // Without a finish it was cut short, which the missing end tells.
        if self.finish.is_null() || std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let output = Value::from(self.output.clone());
        let response = self
            .memo
            .ended(output, &self.chunk, &self.finish, &self.usage);
        let kind = format!(
            "response.{}",
            response["status"].as_str().unwrap_or("completed")
        );
        self.tell(&kind, json!({ "response": response }), out);
    }

    fn tell(&mut self, kind: &str, mut event: Value, out: &mut Vec<u8>) {
        event["type"] = kind.into();
        event["sequence_number"] = self.number.into();
        self.number += 1;
        out.extend_from_slice(format!("event: {kind}\ndata: {event}\n\n").as_bytes());
    }
}
