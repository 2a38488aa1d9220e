//! The chunks of a chat, translated one by one into the events of a message.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{id, input, object, stop_reason, usage};
use crate::dialect::arguments::arguments_of;
use crate::dialect::chunks::{
    Calls, Piece, Place, failed, has_thoughts, out_of_order, pieces, text_of,
};
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
    /// The arguments of the last call so far.
    arguments: String,
    /// Held back until it is complete: with `refusals: next`, the first text decides whether another candidate is
    /// asked.
    refusal: String,
    finish: Value,
    usage: Value,
    has_ended: bool,
    /// Pieces that the client does not see.
    pub(in crate::dialect) hidden_progress: usize,
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
    /// For the answer to a request whose tools have these names.
    pub fn new(names: Names) -> Self {
        Self {
            names,
            has_begun: false,
            blocks: 0,
            open: Open::None,
            calls: Calls::default(),
            arguments: String::new(),
            refusal: String::new(),
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
                Piece::Chunk(chunk) => self.take(&chunk, &mut out),
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
        self.hidden_progress += usize::from(has_thoughts(delta));
        self.say(&text_of(&delta["content"]), out);
        let refusal = text_of(&delta["refusal"]);
        self.hidden_progress += usize::from(!refusal.is_empty());
        self.refusal += &refusal;
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            self.call(call, out);
        }
        if self.has_ended {
            return;
        }
        let reason = &choice["finish_reason"];
        match finish(reason.as_str().unwrap_or_default()) {
            Finish::NotYet => {}
            Finish::Failed => self.give_up(&failed(), out),
            // With the reason `length` the client knows that the call is cut.
            Finish::Ended if reason != "length" && self.is_broken_off() => {
                self.give_up(&unreadable(), out);
            }
            Finish::Ended => {
                self.close(out);
                self.finish = reason.clone();
            }
        }
    }

    /// Nothing that follows can complete it.
    fn give_up(&mut self, error: &Value, out: &mut Vec<u8>) {
        self.fail(error, out);
        self.has_ended = true;
    }

    fn say(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if self.is_broken_off() {
            self.give_up(&unreadable(), out);
            return;
        }
        if self.open != Open::Text {
            self.begin(Open::Text, json!({ "type": "text", "text": "" }), out);
        }
        self.go_on(json!({ "type": "text_delta", "text": text }), out);
    }

    fn call(&mut self, call: &Value, out: &mut Vec<u8>) {
        if self.has_ended {
            return;
        }
        match self.calls.place(call, self.open == Open::Call) {
            Place::GoesOn => {}
            Place::Begins if self.is_broken_off() => {
                self.give_up(&unreadable(), out);
                return;
            }
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
            Place::OutOfOrder => {
                self.give_up(&out_of_order(), out);
                return;
            }
        }
        let arguments = arguments_of(&call["function"]);
        if !arguments.is_empty() {
            self.arguments.push_str(&arguments);
            self.go_on(
                json!({ "type": "input_json_delta", "partial_json": arguments }),
                out,
            );
        }
    }

    /// Whether the arguments of the current call are incomplete: clients would run the tool with whatever they can
    /// parse.
    /// make of it.
    fn is_broken_off(&self) -> bool {
        self.open == Open::Call && input(&self.arguments.as_str().into()).is_none()
    }

    fn begin(&mut self, open: Open, block: Value, out: &mut Vec<u8>) {
        self.close(out);
        self.arguments.clear();
        self.open = open;
        let start = json!({ "index": self.blocks, "content_block": block });
        tell("content_block_start", start, out);
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

    /// The chat has ended: the usage is known by now.
    fn end(&mut self, out: &mut Vec<u8>) {
        // Without a finish reason it was cut short; the missing end shows that.
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

/// The error for a call whose arguments are not JSON.
fn unreadable() -> Value {
    json!({
        "message": "the upstream called a tool with arguments that are no JSON object",
        "type": "server_error",
        "code": "invalid_stream",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Translator;
    use crate::dialect::names::Names;
    use crate::wire::sse;

    fn call(index: u64, arguments: &Value) -> Value {
        let function = json!({"name": "f", "arguments": arguments});
        json!({"tool_calls": [{"index": index, "id": index.to_string(), "function": function}]})
    }

    /// The events for these deltas, followed by this finish reason.
    fn events(deltas: &[Value], finish: &str) -> Vec<Value> {
        let mut chunks = String::new();
        for delta in deltas {
            chunks += &format!("data: {}\n\n", json!({"choices": [{"delta": delta}]}));
        }
        let end = json!({"choices": [{"delta": {}, "finish_reason": finish}]});
        chunks += &format!("data: {end}\n\ndata: [DONE]\n\n");
        let mut translator = Translator::new(Names::up_to(64));
        let mut stream = translator.translate(chunks.as_bytes()).to_vec();
        stream.extend_from_slice(&translator.finish());
        let events = sse::events(&stream);
        events
            .map(|event| serde_json::from_slice(&event.data.unwrap()).unwrap())
            .collect()
    }

    fn count(events: &[Value], kind: &str) -> usize {
        events.iter().filter(|event| event["type"] == kind).count()
    }

    #[test]
    fn a_call_with_half_of_its_arguments_never_looks_whole() {
        let half = json!("{\"path\": \"/\", \"force\": tr");
        for deltas in [
            vec![call(0, &half)],
            vec![call(0, &json!("{}")), call(1, &json!("[]"))],
            vec![call(0, &half), call(1, &json!("{}"))],
            vec![call(0, &half), json!({"content": "Done."})],
        ] {
            let events = events(&deltas, "tool_calls");
            assert_eq!(events.last().unwrap()["type"], "error", "{deltas:?}");
            assert_eq!(count(&events, "error"), 1, "{deltas:?}");
            assert_eq!(count(&events, "message_delta"), 0, "{deltas:?}");
            let stopped = count(&events, "content_block_stop");
            assert_eq!(stopped, count(&events, "content_block_start") - 1);
        }
        for (arguments, finish, reason) in [
            (half, "length", "max_tokens"),
            (json!(""), "tool_calls", "tool_use"),
            (json!("{\"a\": {}}"), "stop", "tool_use"),
        ] {
            let events = events(&[call(0, &arguments)], finish);
            let ended = events.iter().find(|event| event["type"] == "message_delta");
            assert_eq!(ended.unwrap()["delta"]["stop_reason"], reason);
        }
    }

    #[test]
    fn arguments_that_are_an_object_are_told_as_its_json() {
        let events = events(&[call(0, &json!({"a": 1}))], "tool_calls");
        let delta = events
            .iter()
            .find(|event| event["delta"]["type"] == "input_json_delta");
        assert_eq!(delta.unwrap()["delta"]["partial_json"], "{\"a\":1}");
        assert_eq!(events.last().unwrap()["type"], "message_stop");
    }
}
