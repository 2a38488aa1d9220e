//! The input of a request as turns.

use serde_json::Value;

use crate::dialect::conversation::fields::{
    Object, kind_of, take, take_arguments, take_list, take_object, take_parts, take_text,
};
use crate::dialect::conversation::{
    Api, Call, Content, Dropped, Input, Part, Role, Thought, Turn, Unsaid, cache_mark, read_audio,
    read_file, read_image, thoughts,
};

/// What the input says.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The turns.
    pub(super) turns: Vec<Turn>,
    /// The tools that are declared amid them.
    pub(super) tools: Vec<Value>,
    /// The reasoning that is asked for from there on.
    pub(super) reasoning: Option<Object>,
    /// The form of text that is asked for from there on.
    pub(super) text: Option<Object>,
}

impl Read {
    /// Reads the whole input.
    pub(super) fn read(&mut self, input: Value, dropped: &mut Dropped) -> Result<(), Unsaid> {
        match input {
            Value::String(text) => self.say(Role::User, vec![Part::text(text)]),
            Value::Array(items) => {
                for item in items {
                    match item {
                        Value::Object(item) => self.item(item, dropped)?,
                        // A list of texts.
                        Value::String(text) => self.say(Role::User, vec![Part::text(text)]),
                        _ => return Err(Unsaid("a text or a list as input")),
                    }
                }
            }
            _ => return Err(Unsaid("a text or a list as input")),
        }
        Ok(())
    }

    fn item(&mut self, mut item: Object, dropped: &mut Dropped) -> Result<(), Unsaid> {
        match kind_of(&item) {
            "" | "message" => return self.message(item),
            "function_call" | "custom_tool_call" => {
                self.add(Content::Call(read_call(item)));
            }
            "function_call_output" | "custom_tool_call_output" => {
                let parts = read_content(take(&mut item, "output"), Role::User)?;
                let id = take_text(&mut item, "call_id").unwrap_or_default();
                let result = vec![Part::result(id, parts, false)];
                Turn::push(&mut self.turns, Role::User, result);
            }
            "reasoning" => {
                if let Some(thought) = read_thought(item) {
                    self.add(Content::Thought(thought));
                }
            }
            "additional_tools" | "tool_search_output" => {
                self.tools.append(&mut take_list(&mut item, "tools"));
            }
            "configuration_update" => {
                if item.get("reasoning").is_some_and(Value::is_object) {
                    self.reasoning = Some(take_object(&mut item, "reasoning"));
                }
                if item.get("text").is_some_and(Value::is_object) {
                    self.text = Some(take_object(&mut item, "text"));
                }
            }
            // What was said is in them, but only their provider knows it.
            "item_reference" => return Err(Unsaid("item_reference")),
            "compaction" | "compaction_trigger" => return Err(Unsaid("compaction")),
            _ if item.contains_key("role") && item.contains_key("content") => {
                return self.message(item);
            }
            // How something was found or made is history: what came of it was said.
            kind => dropped.named(&format!("input.{kind}")),
        }
        Ok(())
    }

    fn message(&mut self, mut item: Object) -> Result<(), Unsaid> {
        let role = match item.get("role").and_then(Value::as_str) {
            Some("assistant") => Role::Assistant,
            Some("system" | "developer") => Role::System,
            _ => Role::User,
        };
        let parts = read_content(take(&mut item, "content"), role)?;
        self.say(role, parts);
        Ok(())
    }

    /// Messages are turns, but for the beginning of an assistant's turn, and for what a user says besides results.
    fn say(&mut self, role: Role, mut parts: Vec<Part>) {
        if parts.is_empty() {
            return;
        }
        let is_open = |turn: &&mut Turn| {
            turn.role == role && role != Role::System && !ends_with_message(turn)
        };
        match self.turns.last_mut().filter(is_open) {
            Some(turn) => turn.parts.append(&mut parts),
            None => self.turns.push(Turn { role, parts }),
        }
    }

    /// Adds what the model thought or called.
    fn add(&mut self, content: Content) {
        Turn::push(&mut self.turns, Role::Assistant, vec![Part::new(content)]);
    }
}

fn ends_with_message(turn: &Turn) -> bool {
    let last = turn.parts.last().map(|part| &part.content);
    !matches!(
        last,
        Some(Content::Thought(_) | Content::Call(_) | Content::Result(_))
    )
}

fn read_call(mut item: Object) -> Call {
    let is_custom = kind_of(&item) == "custom_tool_call";
    let input = take_arguments(&mut item, if is_custom { "input" } else { "arguments" });
    Call {
        id: take_text(&mut item, "call_id").unwrap_or_default(),
        name: take_text(&mut item, "name").unwrap_or_default(),
        namespace: take_text(&mut item, "namespace"),
        input: if is_custom {
            Input::Text(input)
        } else {
            Input::Json(input)
        },
    }
}

/// The thought in an item; `None`: there is nothing in it.
fn read_thought(mut item: Object) -> Option<Thought> {
    let mut texts = |field: &str| take_parts(&mut item, field).join("\n\n");
    // Open models tell all of it, others a summary.
    let (summary, content) = (texts("summary"), texts("content"));
    let text = if content.is_empty() { summary } else { content };
    let id = take_text(&mut item, "id");
    let data = take_text(&mut item, "encrypted_content").unwrap_or_default();
    let signature = thoughts::signature(Api::Responses, &data, text.is_empty(), id);
    let thought = Thought { text, signature };
    (thought != Thought::default()).then_some(thought)
}

/// The parts of a content.
fn read_content(content: Value, role: Role) -> Result<Vec<Part>, Unsaid> {
    let mut parts = Vec::new();
    let contents = match content {
        Value::String(text) => vec![Value::String(text)],
        Value::Array(contents) => contents,
        Value::Null => Vec::new(),
        Value::Object(part) => vec![Value::Object(part)],
        other @ (Value::Bool(_) | Value::Number(_)) => vec![Value::String(other.to_string())],
    };
    for content in contents {
        let part = match content {
            Value::String(text) => Part::text(text),
            Value::Object(part) => read_part(part, role)?,
            _ => return Err(Unsaid("this kind of content")),
        };
        if part.as_text() != Some("") {
            parts.push(part);
        }
    }
    Ok(parts)
}

fn read_part(mut part: Object, role: Role) -> Result<Part, Unsaid> {
    let cache = cache_mark(&take_object(&mut part, "prompt_cache_breakpoint"));
    let content = read_shown(part, role)?;
    Ok(Part { content, cache })
}

fn read_shown(mut part: Object, role: Role) -> Result<Content, Unsaid> {
    Ok(match kind_of(&part) {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
            Content::Text(take_text(&mut part, "text").unwrap_or_default())
        }
        "refusal" => {
            let text = take_text(&mut part, "refusal").unwrap_or_default();
            match role {
                Role::Assistant => Content::Refusal(text),
                Role::System | Role::User => Content::Text(text),
            }
        }
        "input_image" | "image_url" => read_image(&mut part)?,
        "input_file" => read_file(&mut part)?,
        "input_audio" => read_audio(&mut part)?,
        _ => return Err(Unsaid("this kind of content")),
    })
}
