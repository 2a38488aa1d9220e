//! A Messages request as a chat request.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::dialect::instruct::instruct;
use crate::request::is_reasoning_model;

/// A request in the words of Chat Completions.
#[derive(Debug)]
pub struct Translated {
    /// The body.
    pub body: Bytes,
    /// Fields that had to be left out.
    pub dropped: Vec<String>,
}

/// As many stop sequences are taken by all who copy `OpenAI`'s API.
const MOST_STOPS: usize = 4;

/// `OpenAI` refuses names of users that are longer; what Claude Code sends is.
const LONGEST_USER: usize = 64;

/// What a request needs that Chat Completions do not have; `None`: it can be translated.
pub fn lacks(body: &Value) -> Option<&'static str> {
    let tools = body["tools"].as_array().into_iter().flatten();
    let is_hosted = |tool: &Value| tool["type"].as_str().is_some_and(|kind| kind != "custom");
    if tools.into_iter().any(is_hosted) {
        return Some("hosted tools");
    }
    if !body["container"].is_null() || !body["mcp_servers"].is_null() {
        return Some("containers and MCP servers");
    }
    let messages = body["messages"].as_array().into_iter().flatten();
    let mut blocks =
        messages.flat_map(|message| message["content"].as_array().into_iter().flatten());
    blocks
        .any(|block| block["source"]["type"] == "file")
        .then_some("file_id")
}

/// Translates a Messages request; `None` if it is none, or needs what a chat has not. `limit`: the name of the field for
/// the longest answer.
pub fn request(body: &[u8], model: Option<&str>, limit: &str) -> Option<Translated> {
    let body: Value = serde_json::from_slice(body).ok()?;
    if lacks(&body).is_some() {
        return None;
    }
    let name = model.or_else(|| body["model"].as_str())?;
    let mut dropped = Vec::new();
    let mut chat = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            chat.insert(name.to_owned(), value);
        }
    };
    put("model", name.into());
    put("messages", messages(&body)?.into());
    put(limit, body["max_tokens"].clone());
    put("temperature", body["temperature"].clone());
    put("top_p", body["top_p"].clone());
    match body["metadata"]["user_id"].as_str() {
        Some(user) if user.len() > LONGEST_USER => dropped.push("metadata".to_owned()),
        Some(user) => put("user", user.into()),
        None => {}
    }
    if let Some(stops) = body["stop_sequences"]
        .as_array()
        .filter(|stops| !stops.is_empty())
    {
        put("stop", stops.iter().take(MOST_STOPS).cloned().collect());
    }
    let tools = body["tools"].as_array().into_iter().flatten();
    let tools: Vec<Value> = tools.map(tool).collect();
    if !tools.is_empty() {
        put("tools", tools.into());
        put("tool_choice", choice(&body["tool_choice"]));
        if body["tool_choice"]["disable_parallel_tool_use"] == true {
            put("parallel_tool_calls", false.into());
        }
    }
    put("response_format", format(&body["output_config"]["format"]));
    match effort(&body) {
        Some(effort) if is_reasoning_model(name) => put("reasoning_effort", effort.into()),
        Some(_) => dropped.push("thinking".to_owned()),
        None => {}
    }
    if body["stream"] == true {
        put("stream", true.into());
        put("stream_options", json!({ "include_usage": true }));
    }
    for field in ["top_k", "context_management", "service_tier"] {
        if !body[field].is_null() {
            dropped.push(field.to_owned());
        }
    }
    Some(Translated {
        body: Value::Object(chat).to_string().into(),
        dropped,
    })
}

fn messages(body: &Value) -> Option<Vec<Value>> {
    let mut messages = Vec::new();
    let system = text_of(&body["system"], "\n\n");
    if !system.is_empty() {
        instruct(&system, &mut messages);
    }
    for message in body["messages"].as_array()? {
        let blocks = match &message["content"] {
            Value::Array(blocks) => blocks.clone(),
            text => vec![json!({ "type": "text", "text": text })],
        };
        match message["role"].as_str() {
            Some("assistant") => messages.push(answer(&blocks)),
            Some("system") => instruct(&text_of(&message["content"], "\n\n"), &mut messages),
            _ => question(&blocks, &mut messages),
        }
    }
    Some(messages)
}

/// The text of a content, its parts joined.
fn text_of(content: &Value, by: &str) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts = blocks.iter().filter_map(|block| block["text"].as_str());
            texts.collect::<Vec<_>>().join(by)
        }
        _ => String::new(),
    }
}

fn answer(blocks: &[Value]) -> Value {
    let texts = blocks.iter().filter_map(|block| block["text"].as_str());
    let text: String = texts.collect();
    let calls: Vec<Value> = blocks
        .iter()
        .filter(|block| block["type"] == "tool_use")
        .map(|block| {
            let function =
                json!({ "name": block["name"], "arguments": block["input"].to_string() });
            json!({ "id": block["id"], "type": "function", "function": function })
        })
        .collect();
    let mut message = json!({ "role": "assistant", "content": text });
    if !calls.is_empty() {
        if text.is_empty() {
            message["content"] = Value::Null;
        }
        message["tool_calls"] = calls.into();
    }
    message
}

/// What a user says: results of tools are messages of their own, and come first.
fn question(blocks: &[Value], messages: &mut Vec<Value>) {
    for block in blocks.iter().filter(|block| block["type"] == "tool_result") {
        let mut content = text_of(&block["content"], "\n");
        if block["is_error"] == true {
            content = format!("Error: {content}");
        }
        messages.push(
            json!({ "role": "tool", "tool_call_id": block["tool_use_id"], "content": content }),
        );
    }
    // Images that a tool has brought can be shown by the user only.
    let shown = blocks.iter().filter(|block| block["type"] == "tool_result");
    let shown = shown.flat_map(|block| block["content"].as_array().into_iter().flatten());
    let shown = shown.filter(|block| block["type"] == "image");
    let said = blocks.iter().filter(|block| block["type"] != "tool_result");
    let parts: Vec<Value> = shown.chain(said).filter_map(part).collect();
    let is_text = |part: &Value| part["type"] == "text";
    if parts.iter().all(is_text) {
        let texts: Vec<&str> = parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect();
        if !texts.is_empty() {
            messages.push(json!({ "role": "user", "content": texts.join("\n\n") }));
        }
    } else {
        messages.push(json!({ "role": "user", "content": parts }));
    }
}

fn part(block: &Value) -> Option<Value> {
    match block["type"].as_str()? {
        "text" => Some(json!({ "type": "text", "text": block["text"].as_str()? })),
        "image" => {
            let url = url_of(&block["source"])?;
            Some(json!({ "type": "image_url", "image_url": { "url": url } }))
        }
        "document" if block["source"]["type"] == "text" => {
            Some(json!({ "type": "text", "text": block["source"]["data"].as_str()? }))
        }
        "document" => {
            let name = block["title"].as_str().unwrap_or("document.pdf");
            let file = json!({ "filename": name, "file_data": url_of(&block["source"])? });
            Some(json!({ "type": "file", "file": file }))
        }
        _ => None,
    }
}

fn url_of(source: &Value) -> Option<String> {
    match source["type"].as_str()? {
        "base64" => {
            let (media, data) = (source["media_type"].as_str()?, source["data"].as_str()?);
            Some(format!("data:{media};base64,{data}"))
        }
        _ => Some(source["url"].as_str()?.to_owned()),
    }
}

fn tool(tool: &Value) -> Value {
    let mut function = json!({ "name": tool["name"], "parameters": tool["input_schema"] });
    if tool["description"].is_string() {
        function["description"] = tool["description"].clone();
    }
    json!({ "type": "function", "function": function })
}

fn choice(choice: &Value) -> Value {
    match choice["type"].as_str() {
        Some("any") => "required".into(),
        Some("none") => "none".into(),
        Some("tool") => json!({ "type": "function", "function": { "name": choice["name"] } }),
        Some(_) => "auto".into(),
        None => Value::Null,
    }
}

fn format(format: &Value) -> Value {
    if format["type"] != "json_schema" {
        return Value::Null;
    }
    let schema = json!({ "name": "answer", "schema": format["schema"], "strict": true });
    json!({ "type": "json_schema", "json_schema": schema })
}

/// How hard the model is to think, if it is to think at all.
fn effort(body: &Value) -> Option<&'static str> {
    match body["thinking"]["type"].as_str()? {
        "enabled" => Some(match body["thinking"]["budget_tokens"].as_u64() {
            Some(..4096) => "low",
            Some(..16_384) => "medium",
            _ => "high",
        }),
        "adaptive" => Some(match body["output_config"]["effort"].as_str() {
            Some("low") => "low",
            Some("high" | "xhigh" | "max") => "high",
            _ => "medium",
        }),
        _ => None,
    }
}
