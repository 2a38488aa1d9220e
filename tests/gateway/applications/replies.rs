//! Replies that call a tool, whole and streamed, in both APIs.

use backstop::simulator::{Fault, Script};
use serde_json::{Value, json};

use super::stage::Standby;

/// The id of every call.
const CALL: &str = "toolu_1";

/// The tool's result, as a later request in either API contains it.
pub(super) fn result_in(asked: &Value) -> String {
    let messages = asked["messages"].as_array().into_iter().flatten();
    let mut results = messages.flat_map(|message| match &message["content"] {
        _ if message["tool_call_id"] == CALL => vec![message.clone()],
        Value::Array(blocks) => blocks.clone(),
        _ => Vec::new(),
    });
    let result = results.find(|part| part["tool_call_id"] == CALL || part["tool_use_id"] == CALL);
    result.unwrap_or_else(|| panic!("no result: {asked}"))["content"].to_string()
}

/// A whole reply that calls a tool.
pub(super) fn call(standby: Standby, name: &str, input: &Value) -> Script {
    let body = match standby {
        Standby::Claude => json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "tool_use", "id": CALL, "name": name, "input": input}],
            "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1},
        }),
        Standby::Chat => {
            let message = json!({"role": "assistant", "content": null,
                                 "tool_calls": [function(name, input)]});
            json!({
                "id": "c", "object": "chat.completion", "created": 1, "model": "m",
                "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
            })
        }
    };
    Script::fault(Fault::Status {
        code: 200,
        headers: Vec::new(),
        body: Some(body.to_string()),
    })
}

/// A streamed reply that calls a tool.
pub(super) fn streamed_call(standby: Standby, name: &str, input: &Value) -> Script {
    let events = match standby {
        Standby::Claude => message_events(name, input),
        Standby::Chat => chat_chunks(name, input),
    };
    Script::fault(Fault::Raw(events))
}

fn function(name: &str, input: &Value) -> Value {
    let function = json!({"name": name, "arguments": input.to_string()});
    json!({"index": 0, "id": CALL, "type": "function", "function": function})
}

fn message_events(name: &str, input: &Value) -> String {
    let block = json!({"type": "tool_use", "id": CALL, "name": name, "input": {}});
    let delta = json!({"type": "input_json_delta", "partial_json": input.to_string()});
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
                         "usage": {"input_tokens": 1, "output_tokens": 0}});
    let events = [
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}}),
        json!({"type": "message_stop"}),
    ];
    let event = |event: &Value| {
        format!(
            "event: {}\ndata: {event}\n\n",
            event["type"].as_str().unwrap()
        )
    };
    events.iter().map(event).collect()
}

fn chat_chunks(name: &str, input: &Value) -> String {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let call = json!({"role": "assistant", "tool_calls": [function(name, input)]});
    let first = chunk(call, Value::Null);
    let last = chunk(json!({}), "tool_calls".into());
    format!("{first}{last}data: [DONE]\n\n")
}
