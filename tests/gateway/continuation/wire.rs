//! Answers of agents, as the upstreams of each API send them, and as clients of each API read them.

use serde_json::{Value, json};

/// An API for conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Chat,
    Messages,
    Responses,
}

/// What an upstream sends, piece by piece.
#[derive(Clone, Copy, Debug)]
pub(super) enum Said {
    Thought(&'static str),
    /// The thought is over.
    Thought_,
    Text(&'static str),
    /// The text is over.
    Text_,
    Call,
    Arguments(&'static str),
    /// The call is over.
    Call_,
    End,
}

/// The first upstream and the second have other ids.
pub(super) fn stream(wire: Wire, of: &str, said: &[Said]) -> String {
    match wire {
        Wire::Chat => chat(of, said),
        Wire::Messages => messages(of, said),
        Wire::Responses => responses(of, said),
    }
}

fn chat(of: &str, said: &[Said]) -> String {
    let chunk = |delta: Value, reason: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        let chunk = json!({"id": format!("chatcmpl-{of:_>16}"), "object": "chat.completion.chunk", "created": 7, "model": of, "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let mut stream = chunk(json!({"role": "assistant", "content": ""}), None);
    let mut has_calls = false;
    for said in said {
        stream += &match said {
            Said::Thought(text) => chunk(json!({"reasoning_content": text}), None),
            Said::Text(text) => chunk(json!({"content": text}), None),
            Said::Call => {
                has_calls = true;
                let function = json!({"name": "look", "arguments": ""});
                let call = json!({"index": 0, "id": format!("call_{of}"), "type": "function", "function": function});
                chunk(json!({"tool_calls": [call]}), None)
            }
            Said::Arguments(text) => {
                let call = json!({"index": 0, "function": {"arguments": text}});
                chunk(json!({"tool_calls": [call]}), None)
            }
            Said::End if has_calls => chunk(json!({}), Some("tool_calls")) + "data: [DONE]\n\n",
            Said::End => chunk(json!({}), Some("stop")) + "data: [DONE]\n\n",
            Said::Thought_ | Said::Text_ | Said::Call_ => String::new(),
        };
    }
    stream
}

fn named(event: &Value) -> String {
    format!(
        "event: {}\ndata: {event}\n\n",
        event["type"].as_str().unwrap()
    )
}

fn messages(of: &str, said: &[Said]) -> String {
    let message = json!({"id": format!("msg_{of:_>16}"), "type": "message", "role": "assistant", "model": of, "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}});
    let mut stream = named(&json!({"type": "message_start", "message": message}));
    let (mut index, mut kind, mut reason) = (0, "", "end_turn");
    for said in said {
        let (wanted, block) = match said {
            Said::Thought(_) => (
                "thinking",
                json!({"type": "thinking", "thinking": "", "signature": ""}),
            ),
            Said::Text(_) => ("text", json!({"type": "text", "text": ""})),
            Said::Call => (
                "",
                json!({"type": "tool_use", "id": format!("toolu_{of}"), "name": "look", "input": {}}),
            ),
            _ => (kind, Value::Null),
        };
        if !block.is_null() && (kind.is_empty() || kind != wanted) {
            kind = if wanted.is_empty() {
                "tool_use"
            } else {
                wanted
            };
            stream += &named(
                &json!({"type": "content_block_start", "index": index, "content_block": block}),
            );
        }
        let delta = match said {
            Said::Thought(text) => json!({"type": "thinking_delta", "thinking": text}),
            Said::Text(text) => json!({"type": "text_delta", "text": text}),
            Said::Arguments(text) => json!({"type": "input_json_delta", "partial_json": text}),
            Said::Call => {
                reason = "tool_use";
                continue;
            }
            Said::Thought_ | Said::Text_ | Said::Call_ => {
                if matches!(said, Said::Thought_) {
                    let proof = json!({"type": "signature_delta", "signature": "proof"});
                    stream += &named(
                        &json!({"type": "content_block_delta", "index": index, "delta": proof}),
                    );
                }
                stream += &named(&json!({"type": "content_block_stop", "index": index}));
                (index, kind) = (index + 1, "");
                continue;
            }
            Said::End => {
                let delta = json!({"stop_reason": reason, "stop_sequence": null});
                stream += &named(
                    &json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 8}}),
                );
                stream += &named(&json!({"type": "message_stop"}));
                continue;
            }
        };
        stream += &named(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
    }
    stream
}

/// The items that are open and complete while a response is sent.
struct Sending {
    stream: String,
    number: usize,
    output: Vec<Value>,
    text: String,
}

impl Sending {
    fn tell(&mut self, kind: &str, mut event: Value) {
        event["type"] = kind.into();
        event["sequence_number"] = self.number.into();
        self.number += 1;
        self.stream += &named(&event);
    }

    fn begin(&mut self, item: Value) {
        self.text.clear();
        let index = self.output.len();
        self.tell(
            "response.output_item.added",
            json!({"output_index": index, "item": item}),
        );
    }

    fn delta(&mut self, kind: &str, of: &str, text: &str) {
        self.text += text;
        let index = self.output.len();
        self.tell(kind, json!({"output_index": index, "item_id": of, "content_index": 0, "summary_index": 0, "delta": text}));
    }

    fn part(&mut self, kind: &str, of: &str, part: Value) {
        let index = self.output.len();
        self.tell(kind, json!({"output_index": index, "item_id": of, "content_index": 0, "summary_index": 0, "part": part, "text": part["text"]}));
    }

    fn end(&mut self, item: Value) {
        let index = self.output.len();
        self.tell(
            "response.output_item.done",
            json!({"output_index": index, "item": item}),
        );
        self.output.push(item);
    }
}

fn responses(of: &str, said: &[Said]) -> String {
    let response = |status: &str, output: &[Value]| json!({"response": {"id": format!("resp_{of:_>16}"), "object": "response", "created_at": 7, "model": of, "status": status, "output": output}});
    let (message, thought, call) = (format!("msg_{of}"), format!("rs_{of}"), format!("fc_{of}"));
    let mut sending = Sending {
        stream: String::new(),
        number: 0,
        output: Vec::new(),
        text: String::new(),
    };
    let mut kind = "";
    sending.tell("response.created", response("in_progress", &[]));
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let summary = |text: &str| json!({"type": "summary_text", "text": text});
    for said in said {
        match said {
            Said::Thought(text) => {
                if kind != "thought" {
                    sending.begin(json!({"type": "reasoning", "id": thought, "summary": []}));
                    sending.part("response.reasoning_summary_part.added", &thought, summary(""));
                }
                kind = "thought";
                sending.delta("response.reasoning_summary_text.delta", &thought, text);
            }
            Said::Thought_ => {
                let whole = summary(&sending.text);
                sending.part("response.reasoning_summary_text.done", &thought, whole.clone());
                sending.part("response.reasoning_summary_part.done", &thought, whole.clone());
                sending.end(json!({"type": "reasoning", "id": thought, "summary": [whole]}));
                kind = "";
            }
            Said::Text(text) => {
                if kind != "text" {
                    sending.begin(json!({"type": "message", "id": message, "role": "assistant", "status": "in_progress", "content": []}));
                    sending.part("response.content_part.added", &message, part(""));
                }
                kind = "text";
                sending.delta("response.output_text.delta", &message, text);
            }
            Said::Text_ => {
                let whole = part(&sending.text);
                sending.part("response.output_text.done", &message, whole.clone());
                sending.part("response.content_part.done", &message, whole.clone());
                sending.end(json!({"type": "message", "id": message, "role": "assistant", "status": "completed", "content": [whole]}));
                kind = "";
            }
            Said::Call => sending.begin(json!({"type": "function_call", "id": call, "call_id": format!("call_{of}"), "name": "look", "arguments": "", "status": "in_progress"})),
            Said::Arguments(text) => sending.delta("response.function_call_arguments.delta", &call, text),
            Said::Call_ => {
                let arguments = sending.text.clone();
                sending.end(json!({"type": "function_call", "id": call, "call_id": format!("call_{of}"), "name": "look", "arguments": arguments, "status": "completed"}));
            }
            Said::End => {
                let output = sending.output.clone();
                sending.tell("response.completed", response("completed", &output));
            }
        }
    }
    sending.stream
}

/// What a client has of an answer, and how it ends: `error` if the answer says that it has failed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) thoughts: String,
    pub(super) text: String,
    /// Name, id and arguments.
    pub(super) calls: Vec<(String, String, String)>,
    pub(super) end: String,
}

/// Reads a stream as a strict client does.
pub(super) fn hear(wire: Wire, body: &str) -> Heard {
    let data = body.lines().filter_map(|line| line.strip_prefix("data: "));
    let events = data
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str::<Value>(data).unwrap());
    let mut heard = Heard::default();
    let mut items = Items::default();
    for event in events {
        assert!(
            heard.end.is_empty() || wire != Wire::Messages || event["type"] == "message_stop",
            "{body}"
        );
        match wire {
            Wire::Chat => heard.chunk(&event),
            Wire::Messages => heard.message_event(&event, &mut items),
            Wire::Responses => heard.response_event(&event, &mut items),
        }
    }
    heard
}

/// The blocks or items of a stream: one is open at a time, and each has the next number.
#[derive(Default)]
struct Items {
    open: Option<Value>,
    complete: Vec<Value>,
    number: u64,
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl Heard {
    fn chunk(&mut self, chunk: &Value) {
        if chunk["error"].is_object() {
            self.end = "error".to_owned();
            return;
        }
        assert!(text_of(&chunk["id"]).ends_with("_first"), "{chunk}");
        let choice = &chunk["choices"][0];
        let delta = &choice["delta"];
        self.thoughts += text_of(&delta["reasoning_content"]);
        self.text += text_of(&delta["content"]);
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            if call["id"].is_string() {
                assert_eq!(call["index"], self.calls.len());
                self.call(&call["function"]["name"], &call["id"]);
            }
            self.calls.last_mut().unwrap().2 += text_of(&call["function"]["arguments"]);
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.end = reason.to_owned();
        }
    }

    fn call(&mut self, name: &Value, id: &Value) {
        let call = (
            text_of(name).to_owned(),
            text_of(id).to_owned(),
            String::new(),
        );
        self.calls.push(call);
    }

    fn message_event(&mut self, event: &Value, items: &mut Items) {
        let kind = text_of(&event["type"]);
        if kind.starts_with("content_block") {
            assert_eq!(event["index"], items.complete.len());
            assert_eq!(items.open.is_none(), kind == "content_block_start");
        }
        let (block, delta) = (&event["content_block"], &event["delta"]);
        match kind {
            "content_block_start" => {
                if block["type"] == "tool_use" {
                    self.call(&block["name"], &block["id"]);
                }
                items.open = Some(block.clone());
            }
            "content_block_delta" => {
                let of = items.open.as_ref().unwrap()["type"].clone();
                let expected = match text_of(&delta["type"]) {
                    "text_delta" => "text",
                    "input_json_delta" => "tool_use",
                    _ => "thinking",
                };
                assert_eq!(of, expected);
                self.thoughts += text_of(&delta["thinking"]);
                self.text += text_of(&delta["text"]);
                if let Some(arguments) = delta["partial_json"].as_str() {
                    self.calls.last_mut().unwrap().2 += arguments;
                }
            }
            "content_block_stop" => items.complete.extend(items.open.take()),
            "message_delta" => {
                assert!(items.open.is_none());
                self.end = text_of(&delta["stop_reason"]).to_owned();
            }
            "error" => self.end = "error".to_owned(),
            "message_start" => assert_eq!(event["message"]["id"], "msg____________first"),
            _ => {}
        }
    }

    fn response_event(&mut self, event: &Value, items: &mut Items) {
        assert_eq!(event["sequence_number"], items.number, "{event}");
        items.number += 1;
        let kind = text_of(&event["type"]);
        if let Some(index) = event["output_index"].as_u64() {
            assert_eq!(index, items.complete.len() as u64, "{event}");
            assert_eq!(items.open.is_none(), kind == "response.output_item.added");
        }
        if let Some(id) = event["item_id"].as_str() {
            assert_eq!(items.open.as_ref().unwrap()["id"], id);
        }
        let delta = text_of(&event["delta"]);
        match kind {
            "response.output_item.added" => {
                let item = &event["item"];
                if item["type"] == "function_call" {
                    self.call(&item["name"], &item["call_id"]);
                }
                items.open = Some(item.clone());
            }
            "response.output_item.done" => {
                assert_eq!(items.open.take().unwrap()["id"], event["item"]["id"]);
                items.complete.push(event["item"].clone());
            }
            "response.output_text.delta" => self.text += delta,
            "response.reasoning_summary_text.delta" => self.thoughts += delta,
            "response.function_call_arguments.delta" => {
                self.calls.last_mut().unwrap().2 += delta;
            }
            "response.completed" => {
                let output = event["response"]["output"].as_array().unwrap();
                assert_eq!(*output, items.complete);
                let texts = output
                    .iter()
                    .filter_map(|item| item["content"][0]["text"].as_str());
                assert_eq!(texts.collect::<String>(), self.text);
                self.end = "completed".to_owned();
            }
            "response.failed" => self.end = "error".to_owned(),
            _ => {}
        }
    }
}
