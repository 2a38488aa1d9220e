//! What the upstreams answer, and what they would refuse.

use serde_json::{Value, json};

use super::Wire::{self, Chat, Messages, Responses};

pub(super) const CITIES: [&str; 2] = ["Paris", "Rome"];

pub(super) fn thought(wire: Wire, number: usize) -> String {
    format!("{wire:?} thinks {number}.")
}

pub(super) fn text(wire: Wire, number: usize) -> String {
    format!("{wire:?} says {number}.")
}

/// What proves a thought to its upstream.
fn proof(thought: &str) -> String {
    format!("proof of {thought}")
}

/// A tool, with its input for a city.
pub(super) type Tool = (&'static str, fn(&str) -> Value);

/// The whole answer with this number: a thought, a text, and two calls of a tool if the number is even.
pub(super) fn answer(wire: Wire, number: usize, (tool, input): Tool) -> Value {
    let (thought, text) = (thought(wire, number), text(wire, number));
    let calls = CITIES[..if number.is_multiple_of(2) { 2 } else { 0 }]
        .iter()
        .enumerate();
    let calls = calls.map(|(place, city)| (format!("{wire:?}_{number}_{place}"), input(city)));
    match wire {
        Chat => {
            let calls: Vec<Value> = calls
                .map(|(id, input)| json!({"id": format!("call_{id}"), "type": "function", "function": {"name": tool, "arguments": input.to_string()}}))
                .collect();
            let reason = if calls.is_empty() {
                "stop"
            } else {
                "tool_calls"
            };
            let mut message =
                json!({"role": "assistant", "content": text, "reasoning_content": thought});
            if !calls.is_empty() {
                message["tool_calls"] = calls.into();
            }
            json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "kimi-k2",
                "choices": [{"index": 0, "message": message, "finish_reason": reason}],
                "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}})
        }
        Messages => {
            let mut content = vec![
                json!({"type": "thinking", "thinking": thought, "signature": proof(&thought)}),
                json!({"type": "text", "text": text}),
            ];
            content.extend(calls.map(|(id, input)| json!({"type": "tool_use", "id": format!("toolu_{id}"), "name": tool, "input": input})));
            let reason = if content.len() > 2 {
                "tool_use"
            } else {
                "end_turn"
            };
            json!({"id": format!("msg_{number:016}"), "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": content,
                "stop_reason": reason, "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 5}})
        }
        Responses => {
            let summary = json!([{"type": "summary_text", "text": thought}]);
            let said = json!([{"type": "output_text", "text": text, "annotations": []}]);
            let mut output = vec![
                json!({"type": "reasoning", "id": format!("rs_{number}"), "summary": summary, "encrypted_content": proof(&thought)}),
                json!({"type": "message", "id": format!("msg_{number}"), "role": "assistant", "status": "completed", "content": said}),
            ];
            output.extend(calls.map(|(id, input)| json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": format!("call_{id}"),
                "name": tool, "arguments": input.to_string(), "status": "completed"})));
            json!({"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-6.2", "status": "completed", "output": output,
                "usage": {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14}})
        }
    }
}

/// The same answer as a stream.
pub(super) fn stream(wire: Wire, whole: &Value) -> String {
    match wire {
        Chat => chunks(whole),
        Messages => message_events(whole),
        Responses => response_events(whole),
    }
}

/// All calls are opened before any has arguments, as GLM does it.
fn chunks(whole: &Value) -> String {
    let chunk = |delta: Value, reason: &Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "kimi-k2", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let message = &whole["choices"][0]["message"];
    let mut stream = chunk(json!({"role": "assistant", "content": ""}), &Value::Null);
    for name in ["reasoning_content", "content"] {
        for part in halves(&message[name]) {
            stream += &chunk(json!({name: part}), &Value::Null);
        }
    }
    let calls = message["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate();
    let mut begun = Vec::new();
    let mut rest = Vec::new();
    for (index, call) in calls {
        let mut head = call.clone();
        head["index"] = index.into();
        head["function"]["arguments"] = "".into();
        begun.push(head);
        rest.push(
            json!({"index": index, "function": {"arguments": call["function"]["arguments"]}}),
        );
    }
    for calls in [begun, rest] {
        if !calls.is_empty() {
            stream += &chunk(json!({"tool_calls": calls}), &Value::Null);
        }
    }
    stream += &chunk(json!({}), &whole["choices"][0]["finish_reason"]);
    stream + "data: [DONE]\n\n"
}

fn halves(text: &Value) -> [&str; 2] {
    let text = text.as_str().unwrap();
    text.split_at(text.len() / 2).into()
}

fn named(event: &Value) -> String {
    format!(
        "event: {}\ndata: {event}\n\n",
        event["type"].as_str().unwrap()
    )
}

fn message_events(whole: &Value) -> String {
    let mut begun = whole.clone();
    begun["content"] = json!([]);
    begun["stop_reason"] = Value::Null;
    let mut stream = named(&json!({"type": "message_start", "message": begun}));
    for (index, block) in whole["content"].as_array().unwrap().iter().enumerate() {
        let mut empty = block.clone();
        let deltas: Vec<Value> = match block["type"].as_str().unwrap() {
            "thinking" => {
                (empty["thinking"], empty["signature"]) = (json!(""), json!(""));
                let texts = halves(&block["thinking"])
                    .map(|text| json!({"type": "thinking_delta", "thinking": text}));
                let signature = json!({"type": "signature_delta", "signature": block["signature"]});
                texts.into_iter().chain([signature]).collect()
            }
            "text" => {
                empty["text"] = json!("");
                halves(&block["text"])
                    .map(|text| json!({"type": "text_delta", "text": text}))
                    .into()
            }
            _ => {
                empty["input"] = json!({});
                let input = json!(block["input"].to_string());
                halves(&input)
                    .map(|json| json!({"type": "input_json_delta", "partial_json": json}))
                    .into()
            }
        };
        stream +=
            &named(&json!({"type": "content_block_start", "index": index, "content_block": empty}));
        for delta in deltas {
            stream +=
                &named(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        stream += &named(&json!({"type": "content_block_stop", "index": index}));
    }
    let delta = json!({"stop_reason": whole["stop_reason"], "stop_sequence": null});
    stream +=
        &named(&json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}}));
    stream + &named(&json!({"type": "message_stop"}))
}

fn response_events(whole: &Value) -> String {
    let mut events = Vec::new();
    let mut begun = whole.clone();
    begun["output"] = json!([]);
    begun["status"] = json!("in_progress");
    events.push(json!({"type": "response.created", "response": begun}));
    for (index, item) in whole["output"].as_array().unwrap().iter().enumerate() {
        let mut empty = item.clone();
        let (field, text, kind) = match item["type"].as_str().unwrap() {
            "reasoning" => (
                "summary",
                &item["summary"][0]["text"],
                "response.reasoning_summary_text.delta",
            ),
            "message" => (
                "content",
                &item["content"][0]["text"],
                "response.output_text.delta",
            ),
            _ => (
                "arguments",
                &item["arguments"],
                "response.function_call_arguments.delta",
            ),
        };
        empty[field] = if field == "arguments" {
            json!("")
        } else {
            json!([])
        };
        events.push(
            json!({"type": "response.output_item.added", "output_index": index, "item": empty}),
        );
        for part in halves(text) {
            events.push(json!({"type": kind, "output_index": index, "item_id": item["id"], "content_index": 0, "summary_index": 0, "delta": part}));
        }
        events.push(
            json!({"type": "response.output_item.done", "output_index": index, "item": item}),
        );
    }
    events.push(json!({"type": "response.completed", "response": whole}));
    let numbered = events.into_iter().enumerate().map(|(number, mut event)| {
        event["sequence_number"] = number.into();
        named(&event)
    });
    numbered.collect()
}

/// What a request has that its upstream accepts.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Calls with their results.
    pub(super) calls: usize,
    /// Thoughts that this upstream can check.
    pub(super) own_thoughts: usize,
    /// Caching marks.
    pub(super) marks: usize,
}

/// Fails where the upstream would refuse the request.
pub(super) fn judge(wire: Wire, body: &Value) -> Judged {
    let mut judged = Judged::default();
    match wire {
        Chat => judged.chat(body),
        Messages => judged.message(body),
        Responses => judged.response(body),
    }
    judged
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn is(value: &Value, kind: &str) -> bool {
    value["type"] == kind
}

impl Judged {
    fn chat(&mut self, body: &Value) {
        let mut open: Vec<&Value> = Vec::new();
        for message in list(&body["messages"]) {
            if message["role"] == "tool" {
                assert_eq!(open.remove(0), &message["tool_call_id"], "{body}");
                self.calls += 1;
                continue;
            }
            assert!(open.is_empty(), "{body}");
            open.extend(list(&message["tool_calls"]).iter().map(|call| &call["id"]));
        }
        assert!(open.is_empty(), "{body}");
    }

    /// A thought must be as it was signed, each turn with calls is followed by their results, and a turn that is gone on with
    /// has begun with a thought, if the model is to think.
    fn message(&mut self, body: &Value) {
        let mut open: Vec<&Value> = Vec::new();
        let mut last_calls = None;
        for (place, message) in list(&body["messages"]).iter().enumerate() {
            let role = if place % 2 == 0 { "user" } else { "assistant" };
            assert_eq!(message["role"], role, "{body}");
            let blocks = list(&message["content"]);
            let results = blocks.iter().filter(|block| is(block, "tool_result"));
            let results: Vec<&Value> = results.map(|block| &block["tool_use_id"]).collect();
            assert!(
                open.len() == results.len() && open.iter().all(|id| results.contains(id)),
                "{body}"
            );
            self.calls += results.len();
            for block in blocks.iter().filter(|block| is(block, "thinking")) {
                assert_eq!(
                    block["signature"],
                    proof(block["thinking"].as_str().unwrap()),
                    "{body}"
                );
                self.own_thoughts += 1;
            }
            open = blocks
                .iter()
                .filter(|block| is(block, "tool_use"))
                .map(|block| &block["id"])
                .collect();
            if role == "assistant" {
                last_calls = Some(blocks).filter(|_| !open.is_empty());
            }
        }
        assert!(open.is_empty(), "{body}");
        let is_begun = last_calls.is_none_or(|blocks| is(&blocks[0], "thinking"));
        assert!(is_begun || !is(&body["thinking"], "enabled"), "{body}");
        self.marks = body.to_string().matches("\"cache_control\"").count();
        assert!(self.marks <= 4, "{body}");
    }

    /// Reasoning is the upstream's own, and leads to something.
    fn response(&mut self, body: &Value) {
        let mut open: Vec<&Value> = Vec::new();
        let mut was_thought = false;
        for item in list(&body["input"]) {
            let is_users = item["role"] == "user" || is(item, "function_call_output");
            assert!(!was_thought || !is_users, "{body}");
            was_thought = is(item, "reasoning");
            if was_thought {
                let thought = item["summary"][0]["text"].as_str().unwrap();
                assert_eq!(item["encrypted_content"], proof(thought), "{body}");
                self.own_thoughts += 1;
            } else if is(item, "function_call") {
                open.push(&item["call_id"]);
            } else if is(item, "function_call_output") {
                let place = open.iter().position(|id| **id == item["call_id"]);
                open.remove(place.unwrap_or_else(|| panic!("no call: {body}")));
                self.calls += 1;
            } else {
                assert!(open.is_empty() || !is_users, "{body}");
            }
        }
        assert!(open.is_empty() && !was_thought, "{body}");
    }
}
