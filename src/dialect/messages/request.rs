//! A Messages request as a chat request.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::conversation::messages;
use crate::config::Prefill;
use crate::dialect::beginning;
use crate::dialect::left_out;
use crate::dialect::names::Names;
use crate::request::is_reasoning_model;

/// A request in the words of Chat Completions.
#[derive(Debug)]
pub struct Translated {
    /// The body.
    pub body: Bytes,
    /// The names of tools.
    pub names: Names,
    /// Fields that had to be left out.
    pub dropped: Vec<String>,
}

/// Fields that are translated, or ruled out before. Every other one is dropped: it is a hint without which the answer is
/// still the one that was asked for.
const SAID: [&str; 16] = [
    "model",
    "messages",
    "system",
    "max_tokens",
    "temperature",
    "top_p",
    "metadata",
    "stop_sequences",
    "tools",
    "tool_choice",
    "output_config",
    "output_format",
    "thinking",
    "stream",
    "container",
    "mcp_servers",
];

/// As many stop sequences are taken by all who copy `OpenAI`'s API.
const MOST_STOPS: usize = 4;

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

/// Translates a Messages request; `None` if it is none, or needs what a chat has not. `prefill`: how the beginning of an
/// answer is put, if there is one.
pub fn request(body: &[u8], model: Option<&str>, prefill: Prefill) -> Option<Translated> {
    let body: Value = serde_json::from_slice(body).ok()?;
    if lacks(&body).is_some() {
        return None;
    }
    let name = model.or_else(|| body["model"].as_str())?;
    let mut names = Names::up_to(LONGEST_NAME);
    let mut dropped = left_out(&body, &SAID);
    let mut chat = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            chat.insert(name.to_owned(), value);
        }
    };
    put("model", name.into());
    put("messages", messages(&body, &mut names)?.into());
    put("max_tokens", body["max_tokens"].clone());
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
        if stops.len() > MOST_STOPS {
            dropped.push("stop_sequences".to_owned());
        }
        put("stop", stops.iter().take(MOST_STOPS).cloned().collect());
    }
    for (field, value) in tools(&body, &mut names) {
        put(field, value);
    }
    let formats = [&body["output_config"]["format"], &body["output_format"]];
    put(
        "response_format",
        formats.into_iter().find_map(format).unwrap_or_default(),
    );
    match effort(&body) {
        Some(effort) if is_reasoning_model(name) => put("reasoning_effort", effort.into()),
        Some(_) => dropped.push("thinking".to_owned()),
        None => {}
    }
    if body["stream"] == true {
        put("stream", true.into());
        put("stream_options", json!({ "include_usage": true }));
    }
    let mut chat = Value::Object(chat);
    beginning::mark(&mut chat, prefill);
    Some(Translated {
        body: chat.to_string().into(),
        names,
        dropped,
    })
}

/// The tools, and what is said about them; nothing, if there are none.
fn tools(body: &Value, names: &mut Names) -> Vec<(&'static str, Value)> {
    let tools = body["tools"].as_array().into_iter().flatten();
    let tools: Vec<Value> = tools.map(|described| tool(described, names)).collect();
    if tools.is_empty() {
        return Vec::new();
    }
    let wish = &body["tool_choice"];
    let mut fields = vec![
        ("tools", tools.into()),
        ("tool_choice", choice(wish, names)),
    ];
    if wish["disable_parallel_tool_use"] == true {
        fields.push(("parallel_tool_calls", false.into()));
    }
    fields
}

fn tool(tool: &Value, names: &mut Names) -> Value {
    let name = names.send(tool["name"].as_str().unwrap_or_default());
    let mut function = json!({ "name": name, "parameters": tool["input_schema"] });
    if tool["strict"] == true {
        function["strict"] = true.into();
    }
    if tool["description"].is_string() {
        function["description"] = tool["description"].clone();
    }
    json!({ "type": "function", "function": function })
}

fn choice(choice: &Value, names: &mut Names) -> Value {
    match choice["type"].as_str() {
        Some("any") => "required".into(),
        Some("none") => "none".into(),
        Some("tool") => {
            let name = names.send(choice["name"].as_str().unwrap_or_default());
            json!({ "type": "function", "function": { "name": name } })
        }
        Some(_) => "auto".into(),
        None => Value::Null,
    }
}

fn format(format: &Value) -> Option<Value> {
    if format["type"] != "json_schema" {
        return None;
    }
    let schema = json!({ "name": "answer", "schema": format["schema"], "strict": true });
    Some(json!({ "type": "json_schema", "json_schema": schema }))
}

/// How hard the model is to think, if it is to think at all.
fn effort(body: &Value) -> Option<&'static str> {
    let asked = body["output_config"]["effort"].as_str();
    let asked = asked.map(|effort| match effort {
        "low" => "low",
        "high" | "xhigh" | "max" => "high",
        _ => "medium",
    });
    match body["thinking"]["type"].as_str() {
        Some("enabled") => Some(match body["thinking"]["budget_tokens"].as_u64() {
            Some(..4096) => "low",
            Some(..16_384) => "medium",
            _ => "high",
        }),
        Some("adaptive") => asked.or(Some("medium")),
        Some(_) => None,
        None => asked,
    }
}

/// As long as the name of a tool may be at `OpenAI`.
const LONGEST_NAME: usize = 64;
/// As long as the name of a user may be there.
const LONGEST_USER: usize = 64;
