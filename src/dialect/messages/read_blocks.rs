//! Reads turns and their blocks.

use serde_json::Value;

use super::media::{read_document, read_image};
use crate::dialect::conversation::fields::{
    Object, object, take, take_arguments, take_object, take_parts, take_text, take_words, text,
};
use crate::dialect::conversation::{
    Api, Call, Content, Dropped, Input, Part, Role, Thought, Turn, Unsaid, thoughts,
};

/// Reads the messages.
pub(super) fn read_turns(
    messages: Vec<Value>,
    turns: &mut Vec<Turn>,
    dropped: &mut Dropped,
) -> Result<(), Unsaid> {
    let last = messages.len().saturating_sub(1);
    for (number, message) in messages.into_iter().enumerate() {
        let mut message = object(message);
        let role = match message.get("role").and_then(Value::as_str) {
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            _ => Role::User,
        };
        let mut reader = Blocks {
            role,
            // The provider would go on with what its own tools have begun.
            is_last: number == last,
            parts: Vec::new(),
            dropped,
        };
        reader.read(take(&mut message, "content"))?;
        let parts = reader.parts;
        if !parts.is_empty() {
            turns.push(Turn { role, parts });
        }
    }
    Ok(())
}

/// Reads the blocks of one content.
struct Blocks<'a> {
    role: Role,
    /// Whether nothing follows it.
    is_last: bool,
    parts: Vec<Part>,
    dropped: &'a mut Dropped,
}

impl Blocks<'_> {
    fn read(&mut self, content: Value) -> Result<(), Unsaid> {
        match content {
            Value::Array(blocks) => {
                for block in blocks {
                    self.block(object(block))?;
                }
            }
            content => self.add(
                text(content)
                    .filter(|text| !text.is_empty())
                    .map(Content::Text),
            ),
        }
        Ok(())
    }

    fn add(&mut self, content: impl IntoIterator<Item = Content>) {
        self.parts.extend(content.into_iter().map(Part::new));
    }

    fn block(&mut self, mut block: Object) -> Result<(), Unsaid> {
        let before = self.parts.len();
        let cache = mark(take(&mut block, "cache_control"));
        let kind = take_text(&mut block, "type").unwrap_or_default();
        match kind.as_str() {
            "text" | "" => self.add(take_words(&mut block, "text").map(Content::Text)),
            "tool_use" => self.call(block),
            "tool_result" => self.result(block)?,
            "thinking" | "redacted_thinking" => self.add(thought(block)),
            "image" => self.add([read_image(take(&mut block, "source"))?]),
            "document" => {
                if !block.get("citations").is_none_or(Value::is_null) {
                    self.dropped.named("citations");
                }
                let content = read_document(block)?;
                self.add(content);
            }
            "search_result" => self.add([found(block)]),
            // Which of its tools a model is to know of: here it knows them all.
            "tool_reference" | "tool_addition" => {
                self.dropped.named(&kind);
                let added = take_text(&mut take_object(&mut block, "tool"), "name");
                let name = added.or_else(|| take_text(&mut block, "tool_name"));
                self.add([Content::Text(available(&name.unwrap_or_default()))]);
            }
            // What was said before, in short.
            "compaction" => self.add(take_words(&mut block, "content").map(Content::Text)),
            "container_upload" => return Err(Unsaid("file_id")),
            other => self.leave_out(other)?,
        }
        if self.parts.len() > before
            && let Some(last) = self.parts.last_mut()
        {
            last.cache = cache;
        }
        Ok(())
    }

    /// What the provider's own tools did is history. A question without its parts would be another question, and what the
    /// provider has only begun cannot be finished elsewhere.
    fn leave_out(&mut self, kind: &str) -> Result<(), Unsaid> {
        if self.role != Role::Assistant || self.is_last {
            return Err(Unsaid("content of this kind"));
        }
        self.dropped.named(kind);
        Ok(())
    }

    fn call(&mut self, mut block: Object) {
        let input = take_arguments(&mut block, "input");
        self.add([Content::Call(Call {
            id: take_text(&mut block, "id").unwrap_or_default(),
            name: take_text(&mut block, "name").unwrap_or_default(),
            namespace: None,
            input: Input::Json(input),
        })]);
    }

    fn result(&mut self, mut block: Object) -> Result<(), Unsaid> {
        let mut within = Blocks {
            role: Role::User,
            is_last: self.is_last,
            parts: Vec::new(),
            dropped: self.dropped,
        };
        within.read(take(&mut block, "content"))?;
        let parts = within.parts;
        let id = take_text(&mut block, "tool_use_id").unwrap_or_default();
        let is_error = take(&mut block, "is_error") == true;
        self.parts.push(Part::result(id, parts, is_error));
        Ok(())
    }
}

fn thought(mut block: Object) -> Option<Content> {
    let said = take_text(&mut block, "thinking").unwrap_or_default();
    let (field, is_redacted) = match block.contains_key("data") {
        true => ("data", true),
        false => ("signature", false),
    };
    let data = text(take(&mut block, field)).unwrap_or_default();
    let thought = Thought {
        text: said,
        signature: thoughts::signature(Api::Messages, &data, is_redacted, None),
    };
    (thought != Thought::default()).then_some(Content::Thought(thought))
}

/// What a model is told of a tool that it may call from there on.
pub fn available(tool: &str) -> String {
    format!("The tool {tool} is available.")
}

/// What a search has found, as text.
fn found(mut block: Object) -> Content {
    let title = take_text(&mut block, "title").unwrap_or_default();
    let source = take_text(&mut block, "source").unwrap_or_default();
    let texts = take_parts(&mut block, "content").join("\n");
    Content::Text(format!("{title} ({source})\n{texts}"))
}

/// A caching mark, if there is one.
pub(super) fn mark(value: Value) -> Option<Value> {
    value.is_object().then_some(value)
}
