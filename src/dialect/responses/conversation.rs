//! The conversation: instructions, messages and their parts, tool calls and their results.

use std::collections::{HashMap, VecDeque};

use serde_json::{Value, json};

use super::tools::{self, Toolbox};
use crate::dialect::instruct::instruct;

/// The feature of an item that a chat does not have. `can_search`: the upstream can search the web, so an earlier
/// search is only history.
pub(super) fn unsupported_item(item: &Value, can_search: bool) -> Option<&'static str> {
    let content = match item["type"].as_str() {
        None | Some("message") => &item["content"],
        Some("function_call_output" | "custom_tool_call_output") => &item["output"],
        Some("function_call" | "custom_tool_call" | "reasoning" | "additional_tools") => {
            return None;
        }
        Some("web_search_call") if can_search => return None,
        Some(_) => return Some("items of other tools"),
    };
    content
        .as_array()
        .into_iter()
        .flatten()
        .find_map(unsupported_part)
}

fn unsupported_part(part: &Value) -> Option<&'static str> {
    if !part["file_id"].is_null() {
        return Some("file_id");
    }
    match part["type"].as_str() {
        Some("input_file") if !part["file_data"].is_string() => Some("file_url"),
        Some("input_text" | "output_text" | "text" | "refusal" | "input_image" | "input_file") => {
            None
        }
        Some("input_audio") => None,
        _ => Some("this kind of content"),
    }
}

/// The messages of a chat.
pub(super) fn messages(body: &Value, toolbox: &Toolbox) -> Vec<Value> {
    let mut messages = Vec::new();
    if let Some(instructions) = body["instructions"].as_str() {
        instruct(instructions, &mut messages);
    }
    if let Some(text) = body["input"].as_str() {
        messages.push(json!({ "role": "user", "content": text }));
    }
    let items = body["input"].as_array().map_or(&[][..], Vec::as_slice);
    for item in items {
        take(item, toolbox, &mut messages);
    }
    complete(&mut messages, items)
}

fn take(item: &Value, toolbox: &Toolbox, messages: &mut Vec<Value>) {
    match item["type"].as_str() {
        Some("function_call" | "custom_tool_call") => call(item, toolbox, messages),
        // It marks the end of a turn; `complete` puts the results behind their calls.
        Some("function_call_output" | "custom_tool_call_output") => {
            messages.push(json!({ "role": "tool" }));
        }
        // Reasoning is not translated, nor is how something was found. Tools are not part of the conversation.
        Some("reasoning" | "web_search_call" | "additional_tools") => {}
        _ => {
            let content = match &item["content"] {
                Value::Array(parts) => content(parts),
                content => content.clone(),
            };
            let is_instruction = item["role"] == "developer" || item["role"] == "system";
            match content.as_str() {
                Some(text) if is_instruction => instruct(text, messages),
                _ => messages.push(json!({ "role": item["role"], "content": content })),
            }
        }
    }
}

fn call(item: &Value, toolbox: &Toolbox, messages: &mut Vec<Value>) {
    let arguments = if item["type"] == "custom_tool_call" {
        tools::arguments(&item["input"]).into()
    } else {
        item["arguments"].clone()
    };
    let function = json!({ "name": toolbox.function_for(item), "arguments": arguments });
    let call = json!({ "id": item["call_id"], "type": "function", "function": function });
    // The calls of one turn belong to one message.
    if let Some(last) = messages
        .last_mut()
        .filter(|last| last["role"] == "assistant")
    {
        match last["tool_calls"].as_array_mut() {
            Some(calls) => calls.push(call),
            None => last["tool_calls"] = json!([call]),
        }
    } else {
        messages.push(json!({ "role": "assistant", "content": null, "tool_calls": [call] }));
    }
}

/// Puts the results directly behind their calls, wherever they are, and invents those that are missing: otherwise
/// chats are rejected. If several calls have the same id, the results belong to them in order. Tool results are text
/// only; their images become a user's message.
fn complete(messages: &mut Vec<Value>, items: &[Value]) -> Vec<Value> {
    let mut outputs: HashMap<&str, VecDeque<&Value>> = HashMap::new();
    for item in items.iter().filter(|item| !item["output"].is_null()) {
        if let Some(id) = item["call_id"].as_str() {
            outputs.entry(id).or_default().push_back(&item["output"]);
        }
    }
    let mut completed = Vec::with_capacity(messages.len());
    for message in messages
        .drain(..)
        .filter(|message| message["role"] != "tool")
    {
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        let ids: Vec<Value> = calls.map(|call| call["id"].clone()).collect();
        completed.push(message);
        let mut shown = Vec::new();
        for id in ids {
            let outputs = id.as_str().and_then(|id| outputs.get_mut(id));
            let content = match outputs.and_then(VecDeque::pop_front) {
                Some(Value::Array(parts)) => {
                    let (texts, others): (Vec<Value>, Vec<Value>) = parts
                        .iter()
                        .cloned()
                        .partition(|part| part["text"].is_string());
                    shown.extend(others);
                    content(&texts)
                }
                Some(output) => output.clone(),
                None => "no result".into(),
            };
            completed.push(json!({ "role": "tool", "tool_call_id": id, "content": content }));
        }
        if !shown.is_empty() {
            completed.push(json!({ "role": "user", "content": content(&shown) }));
        }
    }
    completed
}

/// Parts of a message; if there is only text, it becomes a plain text, which every upstream accepts.
fn content(parts: &[Value]) -> Value {
    let is_text = |part: &Value| part["text"].is_string();
    if parts.iter().all(is_text) {
        let texts: Vec<&str> = parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect();
        return texts.concat().into();
    }
    let parts = parts.iter().map(|part| match part["type"].as_str() {
        Some("input_image") => {
            let mut url = json!({ "url": part["image_url"] });
            if !part["detail"].is_null() {
                url["detail"] = part["detail"].clone();
            }
            json!({ "type": "image_url", "image_url": url })
        }
        Some("input_file") => {
            let file = json!({ "filename": part["filename"], "file_data": part["file_data"] });
            json!({ "type": "file", "file": file })
        }
        Some("input_audio") => json!({ "type": "input_audio", "input_audio": part["input_audio"] }),
        Some("refusal") => json!({ "type": "text", "text": part["refusal"] }),
        _ => json!({ "type": "text", "text": part["text"] }),
    });
    parts.collect()
}
