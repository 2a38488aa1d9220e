//! A chat request as a Messages request.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::messages::conversation;
use super::schema;
use super::tools::{self, JSON_TOOL, RequestContext};
use super::unsupported::unsupported_feature;
use crate::catalogue::{Facts, Sampling, claude_facts};
use crate::dialect::dropped::left_out;
use crate::dialect::prefill::continue_prompt;

/// A request in Anthropic's API.
#[derive(Debug)]
pub struct Translated {
    /// The body.
    pub body: Bytes,
    /// What is needed to translate the answer back.
    pub context: RequestContext,
    /// Fields that were dropped; none of them changes what the answer means.
    pub dropped: Vec<String>,
}

/// Fields that are translated, or excluded before. Every other field is dropped: it is a hint, and without it the
/// answer is still what was asked for.
const TRANSLATED: [&str; 27] = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "parallel_tool_calls",
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "reasoning_effort",
    "response_format",
    "stream",
    "stream_options",
    "user",
    "safety_identifier",
    "service_tier",
    "web_search_options",
    "n",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "modalities",
    "audio",
];

/// Translates a chat request; `None` if it is not one, or if it needs what the Claude model does not have.
/// `max_output`: the most tokens that its answer may have.
pub fn request(body: &[u8], model: Option<&str>, max_output: Option<u32>) -> Option<Translated> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let name = model.or_else(|| body["model"].as_str())?;
    if unsupported_feature(&body, name).is_some() {
        return None;
    }
    let mut draft = Draft {
        max_output,
        model: claude_facts(name),
        body: &body,
        out: Map::new(),
        context: RequestContext::default(),
        has_calls: false,
        has_tools: false,
        dropped: left_out(&body, &TRANSLATED),
    };
    if body["web_search_options"].is_object() {
        draft.context.names.keep_free(tools::WEB_SEARCH);
    }
    draft.put("model", name);
    draft.put_messages()?;
    draft.put_tools();
    draft.limit();
    draft.think();
    draft.shape();
    draft.rest();
    Some(Translated {
        body: Value::Object(draft.out).to_string().into(),
        context: draft.context,
        dropped: draft.dropped,
    })
}

/// A request while it is translated.
pub(super) struct Draft<'a> {
    max_output: Option<u32>,
    pub(super) model: Facts,
    pub(super) body: &'a Value,
    pub(super) out: Map<String, Value>,
    context: RequestContext,
    /// Whether tools were called before.
    pub(super) has_calls: bool,
    /// Whether there are tools to call.
    has_tools: bool,
    dropped: Vec<String>,
}

impl Draft<'_> {
    pub(super) fn put(&mut self, field: &str, value: impl Into<Value>) {
        self.out.insert(field.to_owned(), value.into());
    }

    pub(super) fn drop(&mut self, field: &str) {
        self.dropped.push(field.to_owned());
    }

    /// System and messages.
    fn put_messages(&mut self) -> Option<()> {
        let mut converted =
            conversation(self.body["messages"].as_array()?, &mut self.context.names);
        if let Some(last) = converted
            .messages
            .last()
            .filter(|last| last["role"] == "assistant")
        {
            let prefill = text_of(last);
            if self.model.takes_prefill {
                trim_end_of(converted.messages.last_mut()?);
            } else {
                // The newer models answer only to a user's message.
                let blocks = [json!({ "type": "text", "text": continue_prompt(&prefill) })];
                converted
                    .messages
                    .push(json!({ "role": "user", "content": blocks }));
            }
        }
        if self.body["response_format"]["type"] == "json_object" {
            let instruction = "Answer with one JSON object and nothing else.";
            converted
                .system
                .push(json!({ "type": "text", "text": instruction }));
        }
        if !converted.system.is_empty() {
            self.put("system", converted.system);
        }
        self.put("messages", converted.messages);
        self.has_calls = converted.has_tool_calls;
        Some(())
    }

    /// Tools and the choice among them.
    fn put_tools(&mut self) {
        let names = &mut self.context.names;
        let tools = tools::tools(self.body, names);
        if tools.is_empty() {
            if self.has_calls {
                self.declare_past_tools();
            }
            return;
        }
        self.has_tools = true;
        self.context.is_older = tools::are_older(self.body);
        let choice = tools::choice(self.body, names);
        if tools::are_strict(self.body) {
            self.drop("strict");
        }
        self.put("tools", tools);
        if let Some(choice) = choice {
            self.put("tool_choice", choice);
        }
    }

    /// If the history has tool calls, tools must be declared.
    fn declare_past_tools(&mut self) {
        let schema = json!({ "type": "object", "properties": {} });
        let tool = json!({ "name": "unused", "input_schema": schema });
        self.put("tools", vec![tool]);
        self.put("tool_choice", json!({ "type": "none" }));
    }

    /// Length, sampling and stop sequences.
    fn limit(&mut self) {
        let asked = [
            &self.body["max_completion_tokens"],
            &self.body["max_tokens"],
        ];
        let most = asked.iter().find_map(|most| most.as_u64());
        // A limit above the model's largest answer is an error.
        let most = most.unwrap_or(USUAL_ANSWER);
        let largest = self.max_output.map_or(u64::MAX, u64::from);
        self.put("max_tokens", most.min(largest));
        let is_set = |field: &str| !self.body[field].is_null();
        let has_both = is_set("temperature") && is_set("top_p") && !self.model.takes_both;
        for field in ["temperature", "top_p", "top_k"] {
            let Some(value) = self.body[field].as_f64() else {
                continue;
            };
            if self.model.sampling != Sampling::Always || field == "top_p" && has_both {
                self.drop(field);
            } else if field == "top_k" {
                self.put(field, self.body[field].clone());
            } else {
                self.put(field, value.clamp(0.0, 1.0));
            }
        }
        let stops: Vec<&str> = match &self.body["stop"] {
            Value::String(stop) => vec![stop],
            Value::Array(stops) => stops.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let (stops, blank): (Vec<&str>, Vec<&str>) =
            stops.into_iter().partition(|stop| !stop.trim().is_empty());
        if !blank.is_empty() {
            self.drop("stop");
        }
        if !stops.is_empty() {
            self.put("stop_sequences", stops);
        }
    }

    /// An answer in a JSON schema.
    fn shape(&mut self) {
        let format = &self.body["response_format"];
        if format["type"] != "json_schema" {
            return;
        }
        let schema = match &format["json_schema"]["schema"] {
            Value::Null => json!({ "type": "object" }),
            schema => schema.clone(),
        };
        if self.model.takes_schema && schema::is_acceptable(&schema) {
            let config = self.out.entry("output_config").or_insert_with(|| json!({}));
            config["format"] = json!({ "type": "json_schema", "schema": schema::accepted(schema) });
            return;
        }
        let tool = json!({ "name": JSON_TOOL, "input_schema": schema,
                           "description": "Gives the answer. Call it once, with the whole answer." });
        match self.out.get_mut("tools").and_then(Value::as_array_mut) {
            Some(tools) => tools.push(tool),
            None => self.put("tools", vec![tool]),
        }
        // If there are other tools, the model may call one of them first.
        let mut choice = match self.has_tools {
            true => json!({ "type": "any" }),
            false => json!({ "type": "tool", "name": JSON_TOOL }),
        };
        if tools::is_single(self.body) {
            choice["disable_parallel_tool_use"] = true.into();
        }
        self.put("tool_choice", choice);
        // A model that reasons cannot be forced to call a tool.
        if self.out.remove("thinking").is_some() {
            self.out.remove("output_config");
            self.drop("reasoning_effort");
        }
        self.context.is_json_tool = true;
    }

    /// The other fields.
    fn rest(&mut self) {
        if self.body["stream"] == true {
            self.put("stream", true);
            self.context.wants_usage = self.body["stream_options"]["include_usage"] == true;
        }
        let user = self.body["safety_identifier"]
            .as_str()
            .or_else(|| self.body["user"].as_str());
        // It must not identify a person.
        if let Some(user) = user {
            if user.contains('@') {
                self.drop("user");
            } else {
                self.put("metadata", json!({ "user_id": user }));
            }
        }
        match self.body["service_tier"].as_str() {
            Some("auto") => self.put("service_tier", "auto"),
            Some("default") => self.put("service_tier", "standard_only"),
            Some(_) => self.drop("service_tier"),
            None => {}
        }
    }
}

/// The text of a message.
fn text_of(turn: &Value) -> String {
    let blocks = turn["content"].as_array().into_iter().flatten();
    blocks.filter_map(|block| block["text"].as_str()).collect()
}

/// Trims the end of a message: a prefill must not end in white space.
fn trim_end_of(turn: &mut Value) {
    let last = turn["content"]
        .as_array_mut()
        .and_then(|blocks| blocks.last_mut());
    if let Some(block) = last
        && let Some(text) = block["text"].as_str()
    {
        block["text"] = text.trim_end().into();
    }
}

/// The limit of an answer if the client sets none and the model allows it.
const USUAL_ANSWER: u64 = 32_000;
