//! A Responses request as a chat request.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Memo;
use super::tools::{self, Toolbox};
use crate::dialect::instruct::instruct;

/// A request in the words of Chat Completions.
#[derive(Debug)]
pub struct Translated {
    /// The body.
    pub body: Bytes,
    /// What the answer repeats.
    pub memo: Memo,
    /// Fields that had to be left out.
    pub dropped: Vec<String>,
}

/// Fields that mean the same in both.
const SAME: [&str; 9] = [
    "model",
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "user",
    "safety_identifier",
    "service_tier",
    "stream",
    "seed",
];
/// Hints without which the answer is still the one that was asked for. Who has Chat Completions only may refuse a request
/// for the sake of fields like the last ones.
const HINTS: [&str; 7] = [
    "include",
    "truncation",
    "max_tool_calls",
    "stream_options",
    "prompt_cache_retention",
    "prompt_cache_key",
    "metadata",
];

/// What a request needs that Chat Completions do not have; `None`: it can be translated.
pub fn lacks(body: &Value) -> Option<&'static str> {
    let stored = ["previous_response_id", "conversation", "prompt"];
    if let Some(field) = stored.into_iter().find(|field| !body[*field].is_null()) {
        return Some(field);
    }
    if body["background"] == true {
        return Some("background");
    }
    if !body["top_logprobs"].is_null() {
        return Some("logprobs");
    }
    if !tools::are_functions(body) {
        return Some("hosted tools");
    }
    let items = body["input"].as_array().into_iter().flatten();
    items.filter_map(lacks_item).next()
}

fn lacks_item(item: &Value) -> Option<&'static str> {
    match item["type"].as_str() {
        None | Some("message") => {
            let mut parts = item["content"].as_array().into_iter().flatten();
            parts
                .any(|part| !part["file_id"].is_null())
                .then_some("file_id")
        }
        Some("function_call" | "function_call_output" | "reasoning" | "additional_tools")
        | Some("custom_tool_call" | "custom_tool_call_output") => None,
        Some(_) => Some("items of other tools"),
    }
}

/// Translates a Responses request; `None` if it is none, or needs what a chat has not. `limit`: the name of the field for
/// the longest answer.
pub fn request(body: &[u8], limit: &str) -> Option<Translated> {
    let body: Value = serde_json::from_slice(body).ok()?;
    if lacks(&body).is_some() {
        return None;
    }
    let mut chat = Map::new();
    let mut dropped = Vec::new();
    let toolbox = Toolbox::of(&body);
    chat.insert("messages".to_owned(), messages(&body, &toolbox)?.into());
    for field in SAME {
        if !body[field].is_null() {
            chat.insert(field.to_owned(), body[field].clone());
        }
    }
    let mut put = |name: &str, value: &Value| {
        if !value.is_null() {
            chat.insert(name.to_owned(), value.clone());
        }
    };
    put(limit, &body["max_output_tokens"]);
    put("reasoning_effort", &body["reasoning"]["effort"]);
    put("response_format", &format(&body["text"]["format"]));
    let functions = toolbox.functions();
    if !functions.is_empty() {
        put("tools", &functions.into());
        put("tool_choice", &choice(&body["tool_choice"], &toolbox));
    }
    if body["stream"] == true {
        put("stream_options", &json!({ "include_usage": true }));
    }
    for hint in HINTS {
        if !body[hint].is_null() {
            dropped.push(hint.to_owned());
        }
    }
    if !body["text"]["verbosity"].is_null() {
        dropped.push("verbosity".to_owned());
    }
    Some(Translated {
        body: Value::Object(chat).to_string().into(),
        memo: Memo::of(body, toolbox),
        dropped,
    })
}

fn messages(body: &Value, toolbox: &Toolbox) -> Option<Vec<Value>> {
    let mut messages = Vec::new();
    if let Some(instructions) = body["instructions"].as_str() {
        instruct(instructions, &mut messages);
    }
    match &body["input"] {
        Value::String(text) => messages.push(json!({ "role": "user", "content": text })),
        Value::Array(items) => {
            for item in items {
                take(item, toolbox, &mut messages);
            }
        }
        _ => return None,
    }
    Some(messages)
}

fn take(item: &Value, toolbox: &Toolbox, messages: &mut Vec<Value>) {
    match item["type"].as_str() {
        Some("function_call" | "custom_tool_call") => {
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
                messages
                    .push(json!({ "role": "assistant", "content": null, "tool_calls": [call] }));
            }
        }
        Some("function_call_output" | "custom_tool_call_output") => {
            let content = match &item["output"] {
                Value::Array(parts) => content(parts),
                output => output.clone(),
            };
            messages.push(
                json!({ "role": "tool", "tool_call_id": item["call_id"], "content": content }),
            );
        }
        // Thoughts are not handed on, and tools are no part of the talk.
        Some("reasoning" | "additional_tools") => {}
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

/// Parts of a message; text alone becomes a plain text, which every upstream takes.
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

fn choice(choice: &Value, toolbox: &Toolbox) -> Value {
    if choice["type"] == "function" || choice["type"] == "custom" {
        json!({ "type": "function", "function": { "name": toolbox.function_for(choice) } })
    } else if choice.is_string() {
        choice.clone()
    } else {
        Value::Null
    }
}

fn format(format: &Value) -> Value {
    match format["type"].as_str() {
        Some("json_object") => json!({ "type": "json_object" }),
        Some("json_schema") => {
            let mut schema = Map::new();
            for field in ["name", "description", "schema", "strict"] {
                if !format[field].is_null() {
                    schema.insert(field.to_owned(), format[field].clone());
                }
            }
            json!({ "type": "json_schema", "json_schema": schema })
        }
        _ => Value::Null,
    }
}
