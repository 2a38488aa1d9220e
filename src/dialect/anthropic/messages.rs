//! The conversation: roles, parts, tool calls and their results.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::media;
use crate::dialect::call_ids::CallIds;
use crate::dialect::names::Names;

/// A conversation in Anthropic's form.
pub(super) struct Conversation {
    pub(super) system: Vec<Value>,
    pub(super) messages: Vec<Value>,
    /// Whether an assistant's message calls tools.
    pub(super) has_tool_calls: bool,
    ids: CallIds,
    /// How many results the last message starts with.
    results: usize,
}

/// Placeholder where some text is required.
const NOTHING: &str = "(empty)";

/// Translates the messages of a chat. Roles alternate, so consecutive messages of one role become one.
pub(super) fn conversation(messages: &[Value], names: &mut Names) -> Conversation {
    let mut conversation = Conversation {
        system: Vec::new(),
        messages: Vec::new(),
        has_tool_calls: false,
        ids: CallIds::new(accepted),
        results: 0,
    };
    let leading = messages
        .iter()
        .take_while(|message| is_system(message))
        .count();
    for message in &messages[..leading] {
        conversation.system.extend(texts(&message["content"]));
    }
    for message in &messages[leading..] {
        match message["role"].as_str() {
            Some("assistant") => conversation.answer(message, names),
            Some("tool" | "function") => conversation.result(message),
            // At the front, a later instruction would invalidate the cache of what precedes it.
            Some("system" | "developer") => conversation.add("user", texts(&message["content"])),
            _ => conversation.add("user", parts(&message["content"])),
        }
    }
    conversation.complete();
    conversation
}

fn is_system(message: &Value) -> bool {
    message["role"] == "system" || message["role"] == "developer"
}

impl Conversation {
    /// Adds blocks to the last message if its role is the same, else as a new message.
    fn add(&mut self, role: &str, blocks: Vec<Value>) {
        let blocks = if blocks.is_empty() {
            vec![text(NOTHING)]
        } else {
            blocks
        };
        if let Some(last) = self.messages.last_mut().filter(|last| last["role"] == role)
            && let Some(content) = last["content"].as_array_mut()
        {
            content.extend(blocks);
            return;
        }
        self.results = 0;
        self.messages
            .push(json!({ "role": role, "content": blocks }));
    }

    fn answer(&mut self, message: &Value, names: &mut Names) {
        let mut blocks = texts(&message["content"]);
        if let Some(refusal) = message["refusal"]
            .as_str()
            .filter(|refusal| !refusal.is_empty())
        {
            blocks.push(text(refusal));
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let id = self.ids.call(id_of(&call["id"]));
            blocks.push(tool_use(id, &call["function"], names));
        }
        if message["function_call"].is_object() {
            let call = &message["function_call"];
            let id = self.ids.call(id_of_function(&call["name"]));
            blocks.push(tool_use(id, call, names));
        }
        self.has_tool_calls |= blocks.iter().any(|block| block["type"] == "tool_use");
        self.add("assistant", blocks);
    }

    /// The results for the calls of one message belong together, before anything else that the user says.
    fn result(&mut self, message: &Value) {
        let id = match &message["tool_call_id"] {
            Value::Null => id_of_function(&message["name"]),
            id => id_of(id),
        };
        let id = self.ids.result(&id);
        let mut content = parts(&message["content"]);
        if content.is_empty() {
            content.push(text(NOTHING));
        }
        let block = json!({ "type": "tool_result", "tool_use_id": id, "content": content });
        if let Some(last) = self
            .messages
            .last_mut()
            .filter(|last| last["role"] == "user")
            && let Some(blocks) = last["content"].as_array_mut()
        {
            blocks.insert(self.results, block);
            self.results += 1;
            return;
        }
        self.add("user", vec![block]);
        self.results = 1;
    }

    /// Ensures that the user comes first and that every call has a result.
    fn complete(&mut self) {
        if self
            .messages
            .first()
            .is_none_or(|first| first["role"] != "user")
        {
            self.messages
                .insert(0, json!({ "role": "user", "content": [text(NOTHING)] }));
        }
        let mut index = 0;
        while index < self.messages.len() {
            let missing = self.missing_results(index);
            index += 1;
            if missing.is_empty() {
                continue;
            }
            if self
                .messages
                .get(index)
                .is_none_or(|next| next["role"] != "user")
            {
                let turn = json!({ "role": "user", "content": [] });
                self.messages.insert(index, turn);
            }
            if let Some(blocks) = self.messages[index]["content"].as_array_mut() {
                blocks.splice(0..0, missing);
            }
        }
    }

    /// Placeholders for the results that the next message lacks.
    fn missing_results(&self, index: usize) -> Vec<Value> {
        let blocks = |index: usize, kind: &'static str| {
            let content = self
                .messages
                .get(index)
                .and_then(|turn| turn["content"].as_array());
            let blocks = content.into_iter().flatten();
            blocks.filter(move |block| block["type"] == kind)
        };
        let results: HashSet<&str> = blocks(index + 1, "tool_result")
            .filter_map(|result| result["tool_use_id"].as_str())
            .collect();
        blocks(index, "tool_use")
            .filter(|call| call["id"].as_str().is_none_or(|id| !results.contains(id)))
            .map(|call| {
                json!({ "type": "tool_result", "tool_use_id": call["id"], "is_error": true,
                        "content": "no result" })
            })
            .collect()
    }
}

/// The older function calls have no ids.
fn id_of_function(name: &Value) -> String {
    format!("call_{}", name.as_str().unwrap_or_default())
}

fn id_of(id: &Value) -> String {
    id.as_str()
        .filter(|id| !id.is_empty())
        .unwrap_or("call")
        .to_owned()
}

/// Some upstreams give ids that others do not accept: `functions.get_weather:0`.
pub(super) fn accepted(id: &str) -> String {
    let is_fine = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    id.chars()
        .map(|letter| if is_fine(letter) { letter } else { '_' })
        .collect()
}

fn tool_use(id: String, function: &Value, names: &mut Names) -> Value {
    let arguments = function["arguments"].as_str().unwrap_or_default();
    let input = match serde_json::from_str(arguments) {
        Ok(Value::Object(input)) => Value::Object(input),
        _ if arguments.trim().is_empty() => json!({}),
        // Invalid arguments of a model are part of the history nevertheless.
        _ => json!({ "arguments": arguments }),
    };
    let name = names.send(function["name"].as_str().unwrap_or_default());
    json!({ "type": "tool_use", "id": id, "name": name, "input": input })
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// The texts of a content; empty ones are not accepted.
fn texts(content: &Value) -> Vec<Value> {
    parts(content)
        .into_iter()
        .filter(|block| block["type"] == "text")
        .collect()
}

/// The parts of a content that can be translated; others were excluded before. White space alone is rejected.
fn parts(content: &Value) -> Vec<Value> {
    match content {
        Value::String(content) if !content.trim().is_empty() => vec![text(content)],
        Value::Array(parts) => parts.iter().filter_map(part).collect(),
        _ => Vec::new(),
    }
}

fn part(part: &Value) -> Option<Value> {
    match part["type"].as_str()? {
        "text" | "input_text" | "output_text" => {
            let content = part["text"]
                .as_str()
                .filter(|content| !content.trim().is_empty())?;
            Some(text(content))
        }
        "refusal" => Some(text(part["refusal"].as_str()?)),
        "image_url" => media::image(part),
        "file" => media::document(part),
        _ => None,
    }
}

/// The feature of a part that Claude does not support.
pub(super) fn unsupported_part(part: &Value) -> Option<&'static str> {
    match part["type"].as_str() {
        Some("text" | "input_text" | "output_text" | "refusal") => None,
        Some("input_audio") => Some("audio"),
        Some("file") if part["file"]["file_data"].is_null() => Some("file_id"),
        Some("file") => media::document(part)
            .is_none()
            .then_some("files of this kind"),
        Some("image_url") => media::image(part)
            .is_none()
            .then_some("images of this kind"),
        _ => Some("content of this kind"),
    }
}
