//! The chunks of a chat, translated one by one into the events of a response.

use bytes::Bytes;
use serde_json::{Value, json};

use super::annotations::annotations;
use super::answer::{Part, RequestContext, message_item, status_of_items};
use crate::dialect::arguments::arguments_of;
use crate::dialect::chunks::{
    Calls, Piece, Place, failed, has_thoughts, out_of_order, pieces, text_of,
};
use crate::dialect::finish::{Finish, finish};

/// Translates one stream.
#[derive(Debug)]
pub struct Translator {
    context: RequestContext,
    /// A chunk, for the fields that all have in common; null before the first one.
    chunk: Value,
    number: u64,
    /// The items that are done.
    output: Vec<Value>,
    open: Open,
    calls: Calls,
    finish: Value,
    usage: Value,
    has_ended: bool,
    /// Pieces that the client does not see.
    pub(in crate::dialect) hidden_progress: usize,
}

/// The item that is being sent.
#[derive(Debug)]
enum Open {
    None,
    Text {
        id: String,
        part: Part,
        text: String,
        annotations: Vec<Value>,
    },
    Call {
        id: String,
        call_id: String,
        name: Value,
        arguments: String,
    },
}

impl Translator {
    /// For the answer to a request that was translated with this context.
    pub fn new(context: RequestContext) -> Self {
        Self {
            context,
            chunk: Value::Null,
            number: 0,
            output: Vec::new(),
            open: Open::None,
            calls: Calls::default(),
            finish: Value::Null,
            usage: Value::Null,
            has_ended: false,
            hidden_progress: 0,
        }
    }

    /// Translates some whole chunks.
    pub fn translate(&mut self, chunks: &[u8]) -> Bytes {
        let mut out = Vec::new();
        for piece in pieces(chunks) {
            if self.has_ended {
                break;
            }
            match piece {
                Piece::Chunk(chunk) => self.take(chunk, &mut out),
                // After a complete answer nothing can spoil it.
                Piece::Error(error) if self.finish.is_null() => self.give_up(&error, &mut out),
                Piece::Error(_) => {}
                Piece::Done => self.end(&mut out),
                Piece::Other(bytes) => out.extend_from_slice(bytes),
            }
        }
        out.into()
    }

    /// Whether the finish reason has come: only the usage may follow.
    pub fn is_ending(&self) -> bool {
        !self.finish.is_null()
    }

    /// What is still to be sent when no more chunks come.
    pub fn finish(&mut self) -> Bytes {
        let mut out = Vec::new();
        self.end(&mut out);
        out.into()
    }

    fn fail(&mut self, error: &Value, out: &mut Vec<u8>) {
        let reported = json!({
            "code": error["code"], "message": error["message"], "param": null, "error": error,
        });
        self.tell("error", reported, out);
    }

    fn take(&mut self, chunk: Value, out: &mut Vec<u8>) {
        if self.chunk.is_null() {
            self.chunk = chunk.clone();
            let response = self.context.response("in_progress", json!([]), &chunk);
            self.tell("response.created", json!({ "response": response }), out);
            self.tell("response.in_progress", json!({ "response": response }), out);
        }
        if chunk["usage"].is_object() {
            self.usage = chunk["usage"].clone();
        }
        let choice = &chunk["choices"][0];
        let delta = &choice["delta"];
        self.hidden_progress += usize::from(has_thoughts(delta));
        for (field, part) in [("content", Part::Text), ("refusal", Part::Refusal)] {
            let text = text_of(&delta[field]);
            if !text.is_empty() {
                self.say(part, &text, out);
            }
        }
        self.annotate(&delta["annotations"], out);
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            self.call(call, out);
        }
        let reason = &choice["finish_reason"];
        match finish(reason.as_str().unwrap_or_default()) {
            Finish::NotYet => {}
            Finish::Failed => self.give_up(&failed(), out),
            Finish::Ended => {
                self.close(status_of_items(reason), out);
                self.finish = reason.clone();
            }
        }
    }

    /// Nothing that follows can complete it.
    fn give_up(&mut self, error: &Value, out: &mut Vec<u8>) {
        self.fail(error, out);
        self.has_ended = true;
    }

    fn begin_text(&mut self, part: Part, out: &mut Vec<u8>) {
        if matches!(&self.open, Open::Text { part: open, .. } if *open == part) {
            return;
        }
        self.close("completed", out);
        let id = self.context.id("msg", self.output.len());
        let item = message_item(&id, "in_progress", json!([]));
        let index = self.output.len();
        let added = json!({ "output_index": index, "item": item });
        self.tell("response.output_item.added", added, out);
        let added = json!({
            "item_id": id, "output_index": index, "content_index": 0, "part": part.of(""),
        });
        self.tell("response.content_part.added", added, out);
        self.open = Open::Text {
            id,
            part,
            text: String::new(),
            annotations: Vec::new(),
        };
    }

    fn say(&mut self, part: Part, text: &str, out: &mut Vec<u8>) {
        self.begin_text(part, out);
        let index = self.output.len();
        if let Open::Text { id, text: said, .. } = &mut self.open {
            said.push_str(text);
            let mut delta = json!({
                "item_id": id, "output_index": index, "content_index": 0, "delta": text,
            });
            part.complete(&mut delta);
            self.tell(&format!("response.{}.delta", part.label()), delta, out);
        }
    }

    /// Where the text is from, which may be told before the text, but not while a call goes on.
    fn annotate(&mut self, reported: &Value, out: &mut Vec<u8>) {
        let annotations = annotations(reported, sent_before(&self.output));
        if annotations.is_empty() || matches!(self.open, Open::Call { .. }) {
            return;
        }
        self.begin_text(Part::Text, out);
        let index = self.output.len();
        for annotation in annotations {
            if let Open::Text {
                id, annotations, ..
            } = &mut self.open
            {
                let added = json!({
                    "item_id": id, "output_index": index, "content_index": 0,
                    "annotation_index": annotations.len(), "annotation": annotation,
                });
                annotations.push(annotation);
                self.tell("response.output_text.annotation.added", added, out);
            }
        }
    }

    fn call(&mut self, call: &Value, out: &mut Vec<u8>) {
        let is_open = matches!(&self.open, Open::Call { .. });
        match self.calls.place(call, is_open) {
            Place::GoesOn => {}
            Place::Begins => self.begin_call(&call["function"]["name"], out),
            Place::OutOfOrder => {
                self.give_up(&out_of_order(), out);
                return;
            }
        }
        let index = self.output.len();
        let more = arguments_of(&call["function"]);
        if let Open::Call {
            id,
            name,
            arguments,
            ..
        } = &mut self.open
            && !more.is_empty()
        {
            arguments.push_str(&more);
            // The input of a custom tool is sent at its end, when all of it can be decoded.
            if self.context.toolbox.is_custom(name) {
                self.hidden_progress += 1;
                return;
            }
            let delta = json!({ "item_id": id, "output_index": index, "delta": more });
            self.tell("response.function_call_arguments.delta", delta, out);
        }
    }

    fn begin_call(&mut self, name: &Value, out: &mut Vec<u8>) {
        self.close("completed", out);
        let id = self.context.call_id(name, self.output.len());
        let call_id = self.calls.id();
        let begun = json!({ "name": name, "arguments": "" });
        let toolbox = &self.context.toolbox;
        let item = toolbox.item(&id, "in_progress", &call_id, &begun);
        let added = json!({ "output_index": self.output.len(), "item": item });
        self.tell("response.output_item.added", added, out);
        self.open = Open::Call {
            id,
            call_id,
            name: name.clone(),
            arguments: String::new(),
        };
    }

    /// The current item is complete.
    fn close(&mut self, status: &str, out: &mut Vec<u8>) {
        let index = self.output.len();
        let item = match std::mem::replace(&mut self.open, Open::None) {
            Open::None => return,
            Open::Text {
                id,
                part,
                text,
                annotations,
            } => {
                let place = json!({ "item_id": id, "output_index": index, "content_index": 0 });
                let mut done = place.clone();
                done[part.field()] = text.as_str().into();
                part.complete(&mut done);
                self.tell(&format!("response.{}.done", part.label()), done, out);
                let part = part.citing(&text, annotations);
                let mut done = place;
                done["part"] = part.clone();
                self.tell("response.content_part.done", done, out);
                message_item(&id, status, json!([part]))
            }
            Open::Call {
                id,
                call_id,
                name,
                arguments,
                ..
            } => {
                let call = json!({ "name": name, "arguments": arguments });
                let item = self.context.toolbox.item(&id, status, &call_id, &call);
                self.send_call(index, &item, out);
                item
            }
        };
        let done = json!({ "output_index": index, "item": item });
        self.tell("response.output_item.done", done, out);
        self.output.push(item);
    }

    /// The arguments of a call are complete.
    fn send_call(&mut self, index: usize, item: &Value, out: &mut Vec<u8>) {
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

    /// The chat has ended: the usage is known by now.
    fn end(&mut self, out: &mut Vec<u8>) {
        // Without a finish reason it was cut short; the missing end shows that.
        if self.finish.is_null() || std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let output = Value::from(self.output.clone());
        let response = self
            .context
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

/// How many characters the finished texts have; a chat counts all of them as one text.
fn sent_before(output: &[Value]) -> usize {
    let texts = output
        .iter()
        .filter_map(|item| item["content"][0]["text"].as_str());
    texts.map(|text| text.chars().count()).sum()
}
