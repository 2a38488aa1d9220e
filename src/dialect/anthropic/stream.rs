//! The events of a message, translated one by one into the chunks of a chat.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::answer::{finish_reason, now, usage};
use super::citations::annotations;
use super::error;
use super::tools::{JSON_TOOL, RequestContext};
use crate::wire::sse;

/// The end of a chat's stream.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// Translates one stream.
#[derive(Debug)]
pub struct Translator {
    context: RequestContext,
    id: Value,
    model: Value,
    created: u64,
    usage: Map<String, Value>,
    has_role: bool,
    /// How many tools have been called so far.
    calls: usize,
    block: Block,
    /// How many characters of text have been sent.
    characters: usize,
    /// How many had been sent when the block started.
    start: usize,
    /// The citations of the block.
    citations: Vec<Value>,
    /// The input that a call had when it started.
    input: Value,
    stop_reason: Value,
    refusal: Value,
}

/// The block that is being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    None,
    Text,
    Thoughts,
    /// A call, and whether any of its arguments has come.
    Call {
        has_arguments: bool,
    },
    /// The input of [`JSON_TOOL`] is the text of the answer.
    Json,
}

impl Translator {
    /// For the answer to a request that was translated with this context.
    pub fn new(context: RequestContext) -> Self {
        Self {
            context,
            id: Value::Null,
            model: Value::Null,
            created: now(),
            usage: Map::new(),
            has_role: false,
            calls: 0,
            block: Block::None,
            characters: 0,
            start: 0,
            citations: Vec::new(),
            input: Value::Null,
            stop_reason: Value::Null,
            refusal: Value::Null,
        }
    }

    /// Translates some whole events.
    pub fn translate(&mut self, events: &[u8]) -> Bytes {
        let mut out = Vec::new();
        for event in sse::events(events) {
            match event.data.as_deref().map(serde_json::from_slice::<Value>) {
                Some(Ok(data)) => self.take(&data, &mut out),
                // Something that is not an event of this API passes as it is.
                Some(Err(_)) => out.extend_from_slice(&events[event.start..event.end]),
                None => {}
            }
        }
        out.into()
    }

    fn take(&mut self, event: &Value, out: &mut Vec<u8>) {
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => {
                let message = &event["message"];
                self.id = message["id"].clone();
                self.model = message["model"].clone();
                self.note_usage(&message["usage"]);
            }
            "ping" => out.extend_from_slice(b": ping\n\n"),
            "content_block_start" => self.begin(&event["content_block"], out),
            "content_block_delta" => self.go_on(&event["delta"], out),
            "content_block_stop" => self.end_block(out),
            "message_delta" => {
                self.stop_reason = event["delta"]["stop_reason"].clone();
                self.refusal = event["delta"]["stop_details"]["explanation"].clone();
                self.note_usage(&event["usage"]);
            }
            "message_stop" => self.finish(out),
            "error" => {
                let error = error::object(&event["error"]);
                out.extend_from_slice(format!("data: {{\"error\":{error}}}\n\n").as_bytes());
            }
            _ => {}
        }
    }

    fn begin(&mut self, block: &Value, out: &mut Vec<u8>) {
        self.block = match block["type"].as_str() {
            Some("text") => Block::Text,
            Some("thinking") => Block::Thoughts,
            Some("tool_use") if self.context.is_json_tool && block["name"] == JSON_TOOL => {
                Block::Json
            }
            // A client that uses the older `functions` knows one call only.
            Some("tool_use") if self.context.is_older && self.calls > 0 => Block::None,
            Some("tool_use") => {
                self.begin_call(block, out);
                Block::Call {
                    has_arguments: false,
                }
            }
            _ => Block::None,
        };
        self.start = self.characters;
        self.citations = block["citations"].as_array().cloned().unwrap_or_default();
        // A block may start with content.
        match self.block {
            Block::Text => self.go_on(&json!({ "type": "text_delta", "text": block["text"] }), out),
            Block::Thoughts => {
                let delta = json!({ "type": "thinking_delta", "thinking": block["thinking"] });
                self.go_on(&delta, out);
            }
            _ => {}
        }
    }

    fn begin_call(&mut self, block: &Value, out: &mut Vec<u8>) {
        let name = block["name"].as_str().unwrap_or_default();
        let function = json!({ "name": self.context.names.own(name), "arguments": "" });
        let index = self.calls;
        self.calls += 1;
        self.input = block["input"].clone();
        let delta = if self.context.is_older {
            json!({ "function_call": function })
        } else {
            let call = json!({
                "index": index, "id": block["id"], "type": "function", "function": function,
            });
            json!({ "tool_calls": [call] })
        };
        self.tell(delta, out);
    }

    fn go_on(&mut self, delta: &Value, out: &mut Vec<u8>) {
        let part = |field: &str| delta[field].as_str().filter(|part| !part.is_empty());
        match (delta["type"].as_str(), self.block) {
            (Some("text_delta"), _) => {
                if let Some(text) = part("text") {
                    self.say(text, out);
                }
            }
            (Some("citations_delta"), _) => self.citations.push(delta["citation"].clone()),
            (Some("thinking_delta"), _) => {
                if let Some(thoughts) = part("thinking") {
                    self.tell(json!({ "reasoning_content": thoughts }), out);
                }
            }
            (Some("input_json_delta"), Block::Json) => {
                if let Some(json) = part("partial_json") {
                    self.say(json, out);
                }
            }
            (Some("input_json_delta"), Block::Call { .. }) => {
                if let Some(json) = part("partial_json") {
                    self.block = Block::Call {
                        has_arguments: true,
                    };
                    self.tell_arguments(json, out);
                }
            }
            _ => {}
        }
    }

    fn end_block(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.block, Block::None) {
            Block::Call {
                has_arguments: false,
            } => {
                let input = match self.input.take() {
                    input @ Value::Object(_) => input.to_string(),
                    _ => "{}".to_owned(),
                };
                self.tell_arguments(&input, out);
            }
            Block::Text => {
                // Only now the end of the cited text is known.
                let annotations = annotations(&self.citations, &(self.start..self.characters));
                if !annotations.is_empty() {
                    self.tell(json!({ "annotations": annotations }), out);
                }
            }
            _ => {}
        }
    }

    fn say(&mut self, text: &str, out: &mut Vec<u8>) {
        self.characters += text.chars().count();
        self.tell(json!({ "content": text }), out);
    }

    fn tell_arguments(&mut self, arguments: &str, out: &mut Vec<u8>) {
        let function = json!({ "arguments": arguments });
        let delta = if self.context.is_older {
            json!({ "function_call": function })
        } else {
            let index = self.calls.saturating_sub(1);
            json!({ "tool_calls": [{ "index": index, "function": function }] })
        };
        self.tell(delta, out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        // A message without content and without a reason is not an answer. It is complete, however, not cut short.
        if !self.has_role && self.stop_reason == "end_turn" {
            out.extend_from_slice(DONE);
            return;
        }
        // Without a reason it has not ended; the missing end shows that.
        let Some(reason) = finish_reason(&self.stop_reason, self.calls > 0, &self.context) else {
            return;
        };
        if let Some(refusal) = self.refusal.as_str().filter(|_| reason == "content_filter") {
            self.tell(json!({ "refusal": refusal }), out);
        }
        let choice =
            json!([{ "index": 0, "delta": {}, "logprobs": null, "finish_reason": reason }]);
        self.chunk(choice, Value::Null, out);
        if self.context.wants_usage {
            let used = usage(&Value::Object(self.usage.clone()));
            self.chunk(json!([]), used, out);
        }
        out.extend_from_slice(DONE);
    }

    fn tell(&mut self, mut delta: Value, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.has_role, true) {
            delta["role"] = "assistant".into();
        }
        let choice =
            json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": null }]);
        self.chunk(choice, Value::Null, out);
    }

    fn chunk(&self, choices: Value, usage: Value, out: &mut Vec<u8>) {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if self.context.wants_usage {
            chunk["usage"] = usage;
        }
        out.extend_from_slice(format!("data: {chunk}\n\n").as_bytes());
    }

    /// Counts are totals, not increments.
    fn note_usage(&mut self, usage: &Value) {
        for (field, count) in usage.as_object().into_iter().flatten() {
            if !count.is_null() {
                self.usage.insert(field.clone(), count.clone());
            }
        }
    }
}
