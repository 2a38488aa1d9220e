//! The conversation: roles, parts, tool calls and their results.

use serde_json::{Value, json};

use crate::dialect::names::Names;

/// A conversation as Anthropic has it.
pub(super) struct Conversation {
    pub(super) system: Vec<Value>,
    pub(super) messages: Vec<Value>,
    /// Whether an assistant's turn calls tools.
    pub(super) has_tool_calls: bool,
}

/// What stands where there must be some text.
const NOTHING: &str = "(empty)";

/// Takes over the messages of a chat. Turns alternate, so what belongs to one turn is put together.
pub(super) fn conversation(messages: &[Value], names: &mut Names) -> Conversation {
    let mut conversation = Conversation {
        system: Vec::new(),
        messages: Vec::new(),
        has_tool_calls: false,
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
            // A later instruction would break the cache of what stands before, if it were put in front.
            Some("system" | "developer") => conversation.say("user", texts(&message["content"])),
            _ => conversation.say("user", parts(&message["content"])),
        }
    }
    conversation.complete();
    conversation
}

fn is_system(message: &Value) -> bool {
    message["role"] == "system" || message["role"] == "developer"
}

impl Conversation {
    /// Adds blocks to the turn of a role.
    fn say(&mut self, role: &str, blocks: Vec<Value>) {
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
            blocks.push(tool_use(accepted_id(&call["id"]), &call["function"], names));
        }
        if message["function_call"].is_object() {
            let call = &message["function_call"];
            blocks.push(tool_use(id_of_function(&call["name"]), call, names));
        }
        self.has_tool_calls |= blocks.iter().any(|block| block["type"] == "tool_use");
        self.say("assistant", blocks);
    }

    /// The results of one turn's calls belong together, before anything else that the user says.
    fn result(&mut self, message: &Value) {
        let id = match &message["tool_call_id"] {
            Value::Null => id_of_function(&message["name"]),
            id => accepted_id(id),
        };
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
            let results = blocks
                .iter()
                .take_while(|block| block["type"] == "tool_result")
                .count();
            blocks.insert(results, block);
            return;
        }
        self.say("user", vec![block]);
    }

    /// Sees to it that the user begins and that every call has a result.
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

    /// Results to make up for the calls of a turn that have none in the next one.
    fn missing_results(&self, index: usize) -> Vec<Value> {
        let blocks = |index: usize, kind: &'static str| {
            let content = self
                .messages
                .get(index)
                .and_then(|turn| turn["content"].as_array());
            let blocks = content.into_iter().flatten();
            blocks.filter(move |block| block["type"] == kind)
        };
        blocks(index, "tool_use")
            .filter(|call| {
                let mut results = blocks(index + 1, "tool_result");
                !results.any(|result| result["tool_use_id"] == call["id"])
            })
            .map(|call| {
                json!({ "type": "tool_result", "tool_use_id": call["id"], "is_error": true,
                        "content": "no result" })
            })
            .collect()
    }
}

/// The older calls of functions have no ids.
fn id_of_function(name: &Value) -> String {
    accepted(&format!("call_{}", name.as_str().unwrap_or_default()))
}

/// Some upstreams give ids that others do not take: `functions.get_weather:0`.
fn accepted_id(id: &Value) -> String {
    accepted(id.as_str().filter(|id| !id.is_empty()).unwrap_or("call"))
}

fn accepted(id: &str) -> String {
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
        // What a model has written wrongly is history nevertheless.
        _ => json!({ "arguments": arguments }),
    };
    let name = names.send(function["name"].as_str().unwrap_or_default());
    json!({ "type": "tool_use", "id": id, "name": name, "input": input })
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// The texts of a content; empty ones are not taken.
fn texts(content: &Value) -> Vec<Value> {
    parts(content)
        .into_iter()
        .filter(|block| block["type"] == "text")
        .collect()
}

/// The parts of a content that can be said; what cannot was ruled out before.
fn parts(content: &Value) -> Vec<Value> {
    match content {
        Value::String(said) if !said.is_empty() => vec![text(said)],
        Value::Array(parts) => parts.iter().filter_map(part).collect(),
        _ => Vec::new(),
    }
}

fn part(part: &Value) -> Option<Value> {
    match part["type"].as_str()? {
        "text" | "input_text" | "output_text" => {
            let said = part["text"].as_str().filter(|said| !said.is_empty())?;
            Some(text(said))
        }
        "refusal" => Some(text(part["refusal"].as_str()?)),
        "image_url" => {
            let url = part["image_url"]["url"].as_str()?;
            Some(json!({ "type": "image", "source": source(url) }))
        }
        "file" => {
            let data = part["file"]["file_data"].as_str()?;
            let mut block = json!({ "type": "document", "source": source(data) });
            if let Some(name) = part["file"]["filename"].as_str() {
                block["title"] = name.into();
            }
            Some(block)
        }
        _ => None,
    }
}

/// Where the data of an image or a document is: in a `data:` URL, or elsewhere.
fn source(url: &str) -> Value {
    let inline = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    match inline {
        Some((media, data)) => json!({ "type": "base64", "media_type": media, "data": data }),
        None => json!({ "type": "url", "url": url }),
    }
}
