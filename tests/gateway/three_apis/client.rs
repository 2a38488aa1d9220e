//! What the clients send, and what they make of the answers.

use serde_json::{Value, json};

use super::Wire::{self, Chat, Messages, Responses};

/// What the user asks.
pub(super) fn question(turn: usize) -> Value {
    json!({"role": "user", "content": format!("Question {turn}")})
}

/// A request for the next answer, as the SDKs send it.
pub(super) fn request(wire: Wire, history: &[Value], is_streamed: bool) -> Value {
    let schema =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    match wire {
        Chat => json!({
            "model": "gpt-6.2", "messages": history, "reasoning_effort": "medium", "stream": is_streamed,
            "tools": [{"type": "function", "function": {"name": "weather", "parameters": schema}}],
        }),
        Messages => json!({
            "model": "claude-sonnet-4-5", "max_tokens": 8000, "messages": history, "stream": is_streamed,
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "thinking": {"type": "enabled", "budget_tokens": 2000}, "tools": [{"name": "weather", "input_schema": schema}],
        }),
        Responses => json!({
            "model": "gpt-6.2", "input": history, "instructions": "Be brief.", "store": false, "stream": is_streamed,
            "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "medium", "summary": "auto"},
            "tools": [{"type": "function", "name": "weather", "parameters": schema, "strict": false}],
        }),
    }
}

/// What a client has of an answer.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) thoughts: String,
    pub(super) text: String,
    pub(super) calls: Vec<Call>,
    /// Whether the answer ends because of its calls.
    pub(super) wants_results: bool,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: Value,
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn parsed(arguments: &Value) -> Value {
    serde_json::from_str(text_of(arguments)).unwrap()
}

impl Heard {
    fn call(&mut self, id: &Value, name: &Value, arguments: Value) {
        self.calls.push(Call {
            id: text_of(id).to_owned(),
            name: text_of(name).to_owned(),
            arguments,
        });
    }
}

/// Reads a whole answer.
pub(super) fn hear(wire: Wire, answer: &Value) -> Heard {
    let mut heard = Heard::default();
    match wire {
        Chat => {
            let choice = &answer["choices"][0];
            let message = &choice["message"];
            heard.thoughts += text_of(&message["reasoning_content"]);
            heard.text += text_of(&message["content"]);
            for call in list(&message["tool_calls"]) {
                let function = &call["function"];
                heard.call(
                    &call["id"],
                    &function["name"],
                    parsed(&function["arguments"]),
                );
            }
            heard.wants_results = choice["finish_reason"] == "tool_calls";
        }
        Messages => {
            for block in list(&answer["content"]) {
                heard.thoughts += text_of(&block["thinking"]);
                heard.text += text_of(&block["text"]);
                if block["type"] == "tool_use" {
                    heard.call(&block["id"], &block["name"], block["input"].clone());
                }
            }
            heard.wants_results = answer["stop_reason"] == "tool_use";
        }
        Responses => {
            assert_eq!(answer["status"], "completed");
            for item in list(&answer["output"]) {
                heard.thoughts += text_of(&item["summary"][0]["text"]);
                heard.text += text_of(&item["content"][0]["text"]);
                if item["type"] == "function_call" {
                    heard.call(&item["call_id"], &item["name"], parsed(&item["arguments"]));
                }
            }
            heard.wants_results = !heard.calls.is_empty();
        }
    }
    heard
}

/// Puts the answer into the history as it came, and what its calls have brought, the last one first.
pub(super) fn go_on(wire: Wire, history: &mut Vec<Value>, answer: &Value, heard: &Heard) {
    let results = heard
        .calls
        .iter()
        .rev()
        .map(|call| (&call.id, "20 degrees"));
    match wire {
        Chat => {
            history.push(answer["choices"][0]["message"].clone());
            // Chats want them in the order of the calls.
            history.extend(
                results
                    .rev()
                    .map(|(id, text)| json!({"role": "tool", "tool_call_id": id, "content": text})),
            );
        }
        Messages => {
            history.push(json!({"role": "assistant", "content": answer["content"]}));
            let results: Vec<Value> = results
                .map(
                    |(id, text)| json!({"type": "tool_result", "tool_use_id": id, "content": text}),
                )
                .collect();
            if !results.is_empty() {
                history.push(json!({"role": "user", "content": results}));
            }
        }
        Responses => {
            history.extend(list(&answer["output"]).iter().cloned());
            history.extend(results.map(
                |(id, text)| json!({"type": "function_call_output", "call_id": id, "output": text}),
            ));
        }
    }
}

/// Makes a whole answer of a stream, as the SDKs do it, and fails where they would.
pub(super) fn fold(wire: Wire, body: &str) -> Value {
    let mut events = Vec::new();
    for event in body.split("\n\n").filter(|event| event.contains("data: {")) {
        let data = event.lines().find_map(|line| line.strip_prefix("data: "));
        let data: Value = serde_json::from_str(data.unwrap()).unwrap();
        let name = event.lines().find_map(|line| line.strip_prefix("event: "));
        assert_eq!(
            name,
            data["type"].as_str().filter(|_| wire != Chat),
            "{body}"
        );
        events.push(data);
    }
    match wire {
        Chat => fold_chunks(&events, body),
        Messages => fold_message(&events),
        Responses => fold_response(&events),
    }
}

fn add(text: &mut Value, more: &Value) {
    if let Some(more) = more.as_str() {
        *text = (text_of(text).to_owned() + more).into();
    }
}

fn fold_chunks(chunks: &[Value], body: &str) -> Value {
    assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
    let mut message = json!({"role": "assistant"});
    let mut calls: Vec<Value> = Vec::new();
    let mut reason = Value::Null;
    for choice in chunks.iter().flat_map(|chunk| list(&chunk["choices"])) {
        assert!(reason.is_null(), "{body}");
        let delta = &choice["delta"];
        for name in ["content", "reasoning_content"] {
            if delta[name].is_string() {
                add(&mut message[name], &delta[name]);
            }
        }
        for piece in list(&delta["tool_calls"]) {
            let index = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
            if piece["id"].is_string() {
                assert_eq!(index, calls.len(), "{body}");
                let mut call = piece.clone();
                call.as_object_mut().unwrap().remove("index");
                calls.push(call);
            } else {
                let arguments = &mut calls[index]["function"]["arguments"];
                add(arguments, &piece["function"]["arguments"]);
            }
        }
        reason = choice["finish_reason"].clone();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    json!({"choices": [{"message": message, "finish_reason": reason}]})
}

fn fold_message(events: &[Value]) -> Value {
    let mut message = events[0]["message"].clone();
    let mut blocks: Vec<Value> = Vec::new();
    let (mut input, mut is_open) = (String::new(), false);
    for event in &events[1..] {
        let delta = &event["delta"];
        if event["index"].is_u64() {
            let is_start = event["type"] == "content_block_start";
            assert_eq!(is_open, !is_start, "{event}");
            assert_eq!(
                event["index"],
                blocks.len() - usize::from(!is_start),
                "{event}"
            );
        }
        match text_of(&event["type"]) {
            "content_block_start" => {
                is_open = true;
                input.clear();
                blocks.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let block = blocks.last_mut().unwrap();
                for name in ["text", "thinking", "signature"] {
                    if delta[name].is_string() {
                        add(&mut block[name], &delta[name]);
                    }
                }
                input += text_of(&delta["partial_json"]);
            }
            "content_block_stop" => {
                is_open = false;
                let block = blocks.last_mut().unwrap();
                if block["type"] == "tool_use" {
                    block["input"] = serde_json::from_str(&input).unwrap();
                }
            }
            "message_delta" => message["stop_reason"] = delta["stop_reason"].clone(),
            "error" => panic!("{event}"),
            _ => {}
        }
    }
    assert_eq!(events[events.len() - 1]["type"], "message_stop");
    message["content"] = blocks.into();
    message
}

fn fold_response(events: &[Value]) -> Value {
    let mut done: Vec<Value> = Vec::new();
    let mut open = Value::Null;
    let mut said = String::new();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
        if event["output_index"].is_u64() {
            assert_eq!(event["output_index"], done.len(), "{event}");
        }
        if event["item_id"].is_string() {
            assert_eq!(event["item_id"], open["id"], "{event}");
        }
        match text_of(&event["type"]) {
            "response.output_item.added" => {
                assert!(open.is_null(), "{event}");
                open = event["item"].clone();
                said.clear();
            }
            "response.output_item.done" => {
                let item = &event["item"];
                assert_eq!(open["id"], item["id"], "{event}");
                let texts = [
                    &item["arguments"],
                    &item["content"][0]["text"],
                    &item["summary"][0]["text"],
                ];
                // A proof may have no thought that can be read.
                let is_silent = said.is_empty() && item["summary"] == json!([]);
                assert!(
                    is_silent || texts.iter().any(|text| **text == said),
                    "{said} {event}"
                );
                open = Value::Null;
                done.push(item.clone());
            }
            _ => said += text_of(&event["delta"]),
        }
    }
    let last = &events[events.len() - 1];
    assert_eq!(last["type"], "response.completed");
    assert_eq!(list(&last["response"]["output"]), done);
    last["response"].clone()
}
