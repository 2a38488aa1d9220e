//! A chat request as a Messages request.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::messages::conversation;
use super::model::{Model, Thinking};
use super::tools::{self, Glossary, JSON_TOOL};

/// A request in Anthropic's words.
#[derive(Debug)]
pub struct Translated {
    /// The body.
    pub body: Bytes,
    /// What must be turned back in the answer.
    pub glossary: Glossary,
    /// Fields that had to be left out; none of them changes what the answer means.
    pub dropped: Vec<String>,
}

/// Hints without which the answer is still the one that was asked for.
const HINTS: [&str; 11] = [
    "seed",
    "store",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "verbosity",
    "frequency_penalty",
    "presence_penalty",
    "prediction",
    "web_search_options",
    "moderation",
];

/// What a request needs that no Claude model has; `None`: it can be translated.
pub fn lacks(body: &Value) -> Option<&'static str> {
    let is_several = body["n"].as_u64().is_some_and(|n| n > 1);
    let wants_audio = body["modalities"]
        .as_array()
        .is_some_and(|modes| modes.iter().any(|mode| mode == "audio"));
    let has_custom_tool = body["tools"]
        .as_array()
        .is_some_and(|tools| tools.iter().any(|tool| tool["type"] != "function"));
    if is_several {
        Some("n")
    } else if body["logprobs"] == true || !body["top_logprobs"].is_null() {
        Some("logprobs")
    } else if wants_audio || body["audio"].is_object() {
        Some("audio")
    } else if body["logit_bias"]
        .as_object()
        .is_some_and(|bias| !bias.is_empty())
    {
        Some("logit_bias")
    } else if has_custom_tool {
        Some("custom tools")
    } else {
        let messages = body["messages"].as_array().into_iter().flatten();
        let parts =
            messages.flat_map(|message| message["content"].as_array().into_iter().flatten());
        parts.filter_map(lacks_part).next()
    }
}

fn lacks_part(part: &Value) -> Option<&'static str> {
    match part["type"].as_str() {
        Some("input_audio") => Some("audio"),
        Some("file") if part["file"]["file_data"].is_null() => Some("file_id"),
        _ => None,
    }
}

/// Translates a chat request; `None` if it is none, or lacks what a Claude model has.
pub fn request(body: &[u8], model: Option<&str>) -> Option<Translated> {
    let body: Value = serde_json::from_slice(body).ok()?;
    if lacks(&body).is_some() {
        return None;
    }
    let name = model.or_else(|| body["model"].as_str())?;
    let mut draft = Draft {
        model: Model::of(name),
        body: &body,
        out: Map::new(),
        glossary: Glossary::default(),
        has_calls: false,
        dropped: Vec::new(),
    };
    draft.put("model", name);
    draft.talk()?;
    draft.equip();
    draft.limit();
    draft.think();
    draft.shape();
    draft.rest();
    Some(Translated {
        body: Value::Object(draft.out).to_string().into(),
        glossary: draft.glossary,
        dropped: draft.dropped,
    })
}

/// A request that is being translated.
struct Draft<'a> {
    model: Model,
    body: &'a Value,
    out: Map<String, Value>,
    glossary: Glossary,
    /// Whether tools were called before.
    has_calls: bool,
    dropped: Vec<String>,
}

impl Draft<'_> {
    fn put(&mut self, field: &str, value: impl Into<Value>) {
        self.out.insert(field.to_owned(), value.into());
    }

    fn drop(&mut self, field: &str) {
        self.dropped.push(field.to_owned());
    }

    /// System and messages.
    fn talk(&mut self) -> Option<()> {
        let mut talk = conversation(self.body["messages"].as_array()?, &mut self.glossary);
        if let Some(last) = talk
            .messages
            .last()
            .filter(|last| last["role"] == "assistant")
        {
            let said = end_of(last);
            if self.model.takes_prefill() {
                trim_end_of(talk.messages.last_mut()?);
            } else {
                // The newer models answer a turn of the user only.
                let wish =
                    format!("Continue your last message exactly behind its last words: {said}");
                let blocks = [json!({ "type": "text", "text": wish })];
                talk.messages
                    .push(json!({ "role": "user", "content": blocks }));
            }
        }
        if self.body["response_format"]["type"] == "json_object" {
            let wish = "Answer with one JSON object and nothing else.";
            talk.system.push(json!({ "type": "text", "text": wish }));
        }
        if !talk.system.is_empty() {
            self.put("system", talk.system);
        }
        self.put("messages", talk.messages);
        self.has_calls = talk.has_tool_calls;
        if self.has_calls && self.body["tools"].as_array().is_none_or(Vec::is_empty) {
            // Calls in the history need tools to be there.
            let tool =
                json!({ "name": "unused", "input_schema": { "type": "object", "properties": {} } });
            self.put("tools", vec![tool]);
        }
        Some(())
    }

    /// Tools and the choice among them.
    fn equip(&mut self) {
        let tools = tools::tools(self.body, &mut self.glossary);
        if tools.is_empty() {
            return;
        }
        self.put("tools", tools);
        if let Some(choice) = tools::choice(self.body, &mut self.glossary) {
            self.put("tool_choice", choice);
        }
    }

    /// Length, sampling and stop sequences.
    fn limit(&mut self) {
        let asked = [
            &self.body["max_completion_tokens"],
            &self.body["max_tokens"],
        ];
        let most = asked.iter().find_map(|most| most.as_u64());
        self.put(
            "max_tokens",
            most.unwrap_or_else(|| self.model.most_tokens()),
        );
        let is_set = |field: &str| !self.body[field].is_null();
        let has_both = is_set("temperature") && is_set("top_p") && !self.model.takes_both();
        for field in ["temperature", "top_p", "top_k"] {
            let Some(value) = self.body[field].as_f64() else {
                continue;
            };
            if !self.model.takes_sampling() || field == "top_p" && has_both {
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
        let stops: Vec<&str> = stops
            .into_iter()
            .filter(|stop| !stop.trim().is_empty())
            .collect();
        if !stops.is_empty() {
            self.put("stop_sequences", stops);
        }
    }

    /// Thinking, as far as it goes together with the rest.
    fn think(&mut self) {
        let Some(effort) = self.body["reasoning_effort"]
            .as_str()
            .filter(|effort| *effort != "none")
        else {
            return;
        };
        let is_forced = self
            .out
            .get("tool_choice")
            .is_some_and(|choice| choice["type"] == "any" || choice["type"] == "tool");
        // The thoughts behind calls in the history are not there any more.
        if is_forced || self.has_calls {
            self.drop("reasoning_effort");
            return;
        }
        match self.model.thinking() {
            Thinking::Never => self.drop("reasoning_effort"),
            Thinking::Adaptive => {
                let effort = if effort == "minimal" { "low" } else { effort };
                self.put(
                    "thinking",
                    json!({ "type": "adaptive", "display": "summarized" }),
                );
                self.put("output_config", json!({ "effort": effort }));
            }
            Thinking::Budget => self.think_within_budget(effort),
        }
    }

    fn think_within_budget(&mut self, effort: &str) {
        let most = self
            .out
            .get("max_tokens")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        let budget = match effort {
            "minimal" => 1024,
            "low" => 2048,
            "medium" => 8192,
            _ => 16_384,
        }
        .min(most / 2);
        if budget < 1024 {
            self.drop("reasoning_effort");
            return;
        }
        self.put(
            "thinking",
            json!({ "type": "enabled", "budget_tokens": budget }),
        );
        for field in ["temperature", "top_k", "top_p"] {
            if self.out.remove(field).is_some() {
                self.drop(field);
            }
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
        if self.model.takes_schema() {
            let config = self.out.entry("output_config").or_insert_with(|| json!({}));
            config["format"] = json!({ "type": "json_schema", "schema": closed(schema) });
            return;
        }
        let tool = json!({ "name": JSON_TOOL, "input_schema": schema,
                           "description": "Gives the answer. Call it once, with the whole answer." });
        match self.out.get_mut("tools").and_then(Value::as_array_mut) {
            Some(tools) => tools.push(tool),
            None => self.put("tools", vec![tool]),
        }
        if self.body["tools"].as_array().is_none_or(Vec::is_empty) {
            self.put("tool_choice", json!({ "type": "tool", "name": JSON_TOOL }));
            if self.out.remove("thinking").is_some() {
                self.drop("reasoning_effort");
            }
        }
        self.glossary.is_json_tool = true;
    }

    /// What remains.
    fn rest(&mut self) {
        if self.body["stream"] == true {
            self.put("stream", true);
            self.glossary.wants_usage = self.body["stream_options"]["include_usage"] == true;
        }
        let user = self.body["safety_identifier"]
            .as_str()
            .or_else(|| self.body["user"].as_str());
        // It must not tell who somebody is.
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
        for hint in HINTS {
            if !self.body[hint].is_null() {
                self.drop(hint);
            }
        }
    }
}

/// The end of the text of a turn.
fn end_of(turn: &Value) -> String {
    let blocks = turn["content"].as_array().into_iter().flatten();
    let text: String = blocks.filter_map(|block| block["text"].as_str()).collect();
    let start = text.len().saturating_sub(200);
    let start = (start..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    text[start..].trim().to_owned()
}

/// Takes the white space from the end of a turn: none may be there where an answer is begun.
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

/// A schema whose objects take nothing that they do not name, which is what the API asks for.
fn closed(mut schema: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        if object.get("type").is_some_and(|kind| kind == "object") {
            object.insert("additionalProperties".to_owned(), false.into());
        }
        for value in object.values_mut() {
            *value = closed(value.take());
        }
    } else if let Some(list) = schema.as_array_mut() {
        for value in list {
            *value = closed(value.take());
        }
    }
    schema
}
