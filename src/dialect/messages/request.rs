//! A Messages request as a chat request.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::conversation::{has_thoughts, messages, unsupported_message};
use super::effort::{asked_of, effort};
use super::tools::{self, Toolbox};
use crate::dialect::dropped::left_out;
use crate::dialect::names::Names;
use crate::dialect::prefill;
use crate::dialect::upstream_api::UpstreamApi;

/// A request in the API of Chat Completions.
#[derive(Debug)]
pub struct Translated {
    /// The body.
    pub body: Bytes,
    /// The names of tools.
    pub names: Names,
    /// Fields that were dropped.
    pub dropped: Vec<String>,
}

/// Fields that are translated, or excluded before. Every other field is dropped: it is a hint, and without it the
/// answer is still what was asked for.
const TRANSLATED: [&str; 16] = [
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

/// All who copy `OpenAI`'s API accept so many stop sequences.
const MOST_STOPS: usize = 4;

/// A feature that a request needs and that Chat Completions do not have; `None`: it can be translated.
pub fn unsupported_feature(body: &Value) -> Option<&'static str> {
    let tools = body["tools"].as_array().into_iter().flatten();
    let is_hosted = |tool: &Value| tool["type"].as_str().is_some_and(|kind| kind != "custom");
    if tools.into_iter().any(is_hosted) {
        return Some("hosted tools");
    }
    if !body["container"].is_null() || !body["mcp_servers"].is_null() {
        return Some("containers and MCP servers");
    }
    match body["messages"].as_array() {
        Some(messages) => messages.iter().find_map(unsupported_message),
        None => Some("a list of messages"),
    }
}

/// Translates a Messages request; `None` if it is not one, or needs what a chat does not have.
pub fn request(body: &[u8], model: Option<&str>, api: &UpstreamApi) -> Option<Translated> {
    let body: Value = serde_json::from_slice(body).ok()?;
    if unsupported_feature(&body).is_some() {
        return None;
    }
    let name = model.or_else(|| body["model"].as_str())?;
    let mut names = Names::up_to(LONGEST_NAME);
    let toolbox = Toolbox::of(&body, &mut names, api.quirks.longest_description);
    let mut draft = Draft {
        body: &body,
        chat: Map::new(),
        dropped: left_out(&body, &TRANSLATED),
    };
    draft.put("model", name);
    draft.put("messages", messages(&body, &toolbox.more, &mut names));
    draft.limit();
    draft.name_user();
    draft.think(name, !toolbox.tools.is_empty());
    draft.put_tools(toolbox, &mut names);
    draft.shape();
    if has_thoughts(&body) {
        draft.drop("messages.thinking");
    }
    let mut chat = Value::Object(draft.chat);
    prefill::put(&mut chat, api.prefill);
    Some(Translated {
        body: chat.to_string().into(),
        names,
        dropped: draft.dropped,
    })
}

/// A request while it is translated.
struct Draft<'a> {
    body: &'a Value,
    chat: Map<String, Value>,
    dropped: Vec<String>,
}

impl Draft<'_> {
    /// Sets a field, unless the value is null.
    fn put(&mut self, field: &str, value: impl Into<Value>) {
        let value = value.into();
        if !value.is_null() {
            self.chat.insert(field.to_owned(), value);
        }
    }

    fn drop(&mut self, field: &str) {
        self.dropped.push(field.to_owned());
    }

    fn limit(&mut self) {
        for field in ["max_tokens", "temperature", "top_p"] {
            self.put(field, self.body[field].clone());
        }
        let stops = self.body["stop_sequences"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        if stops.len() > MOST_STOPS {
            self.drop("stop_sequences");
        }
        if !stops.is_empty() {
            self.put("stop", &stops[..stops.len().min(MOST_STOPS)]);
        }
    }

    fn name_user(&mut self) {
        match self.body["metadata"]["user_id"].as_str() {
            Some(user) if user.len() > LONGEST_USER => self.drop("metadata"),
            user => self.put("user", user),
        }
    }

    fn think(&mut self, model: &str, has_tools: bool) {
        let effort = effort(self.body);
        let asked = effort.and_then(|effort| asked_of(model, has_tools, effort));
        self.put("reasoning_effort", asked);
        if asked != effort {
            self.drop("thinking");
        }
    }

    fn put_tools(&mut self, toolbox: Toolbox, names: &mut Names) {
        if toolbox.tools.is_empty() {
            return;
        }
        let choice_asked = &self.body["tool_choice"];
        self.put("tools", toolbox.tools);
        self.put("tool_choice", tools::choice(choice_asked, names));
        if choice_asked["disable_parallel_tool_use"] == true {
            self.put("parallel_tool_calls", false);
        }
    }

    fn shape(&mut self) {
        let formats = [
            &self.body["output_config"]["format"],
            &self.body["output_format"],
        ];
        self.put(
            "response_format",
            formats.into_iter().find_map(tools::format),
        );
        if self.body["stream"] == true {
            self.put("stream", true);
            self.put("stream_options", json!({ "include_usage": true }));
        }
    }
}

/// The longest name of a tool at `OpenAI`.
const LONGEST_NAME: usize = 64;
/// The longest name of a user there.
const LONGEST_USER: usize = 64;
