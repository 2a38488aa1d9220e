//! A Responses request as a chat request.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::RequestContext;
use super::conversation::{messages, unsupported_item};
use super::tools::{self, Toolbox};
use crate::dialect::dropped::left_out;

/// A request in the API of Chat Completions.
#[derive(Debug)]
pub struct Translated {
    /// The body.
    pub body: Bytes,
    /// What the answer repeats of the request.
    pub context: RequestContext,
    /// Fields that were dropped.
    pub dropped: Vec<String>,
}

/// Fields that mean the same in both. So do `metadata` and the fields about caches, but a provider that has only Chat
/// Completions may reject a request for them.
const SAME: [&str; 8] = [
    "model",
    "temperature",
    "top_p",
    "user",
    "safety_identifier",
    "service_tier",
    "stream",
    "seed",
];
/// Fields that are translated too, or excluded before. Every other field is dropped: it is a hint, and without it the
/// answer is still what was asked for.
const TRANSLATED: [&str; 14] = [
    "input",
    "instructions",
    "max_output_tokens",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "tools",
    "tool_choice",
    "store",
    "previous_response_id",
    "conversation",
    "prompt",
    "background",
    "top_logprobs",
];

/// A feature that a request needs and that Chat Completions do not have; `None`: it can be translated. `can_search`:
/// the upstream can search the web.
pub fn unsupported_feature(body: &Value, can_search: bool) -> Option<&'static str> {
    let stored = ["previous_response_id", "conversation", "prompt"];
    if let Some(field) = stored.into_iter().find(|field| !body[*field].is_null()) {
        return Some(field);
    }
    if body["background"] == true {
        return Some("background");
    }
    let mut included = body["include"].as_array().into_iter().flatten();
    if body["top_logprobs"].as_u64().is_some_and(|most| most > 0)
        || included.any(|field| field == "message.output_text.logprobs")
    {
        return Some("logprobs");
    }
    if let Some(feature) = tools::unsupported_feature(body, can_search) {
        return Some(feature);
    }
    let choice = &body["tool_choice"];
    if choice.is_object() && !matches!(choice["type"].as_str(), Some("function" | "custom")) {
        return Some("tool_choice");
    }
    match &body["input"] {
        Value::String(_) => None,
        Value::Array(items) => items
            .iter()
            .find_map(|item| unsupported_item(item, can_search)),
        _ => Some("a text or a list as input"),
    }
}

/// Translates a Responses request; `None` if it is not one, or needs what a chat does not have.
pub fn request(body: &[u8], can_search: bool) -> Option<Translated> {
    let body: Value = serde_json::from_slice(body).ok()?;
    if unsupported_feature(&body, can_search).is_some() {
        return None;
    }
    let mut chat = Map::new();
    let known: Vec<&str> = SAME.into_iter().chain(TRANSLATED).collect();
    let mut dropped = left_out(&body, &known);
    let toolbox = Toolbox::of(&body);
    chat.insert("messages".to_owned(), messages(&body, &toolbox).into());
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
    put("max_tokens", &body["max_output_tokens"]);
    put("reasoning_effort", &body["reasoning"]["effort"]);
    put("response_format", &format(&body["text"]["format"]));
    let functions = toolbox.functions();
    if !functions.is_empty() {
        put("tools", &functions.into());
        put("tool_choice", &choice(&body["tool_choice"], &toolbox));
        put("parallel_tool_calls", &body["parallel_tool_calls"]);
    }
    if let Some(search) = tools::search(&body).filter(|_| body["tool_choice"] != "none") {
        put("web_search_options", &search_options(search));
        if !search["search_context_size"].is_null() {
            dropped.push("tools.search_context_size".to_owned());
        }
    }
    if body["stream"] == true {
        put("stream_options", &json!({ "include_usage": true }));
    }
    for (field, hint) in [("text", "verbosity"), ("reasoning", "summary")] {
        if !body[field][hint].is_null() {
            dropped.push(format!("{field}.{hint}"));
        }
    }
    let mut items = body["input"].as_array().into_iter().flatten();
    if items.any(|item| item["type"] == "reasoning") {
        dropped.push("input.reasoning".to_owned());
    }
    Some(Translated {
        body: Value::Object(chat).to_string().into(),
        context: RequestContext::of(body, toolbox),
        dropped,
    })
}

/// The options of a search in a chat's form. It does not define filters; they are passed along.
fn search_options(search: &Value) -> Value {
    let mut options = json!({});
    if search["user_location"].is_object() {
        let place = json!({ "type": "approximate", "approximate": search["user_location"] });
        options["user_location"] = place;
    }
    if search["filters"].is_object() {
        options["filters"] = search["filters"].clone();
    }
    options
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
