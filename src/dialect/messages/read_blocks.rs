//! Reads turns and their blocks.

use serde_json::Value;

use super::media::{read_document, read_image};
use crate::dialect::conversation::fields::{Object, object, take, take_list, take_text, text};
use crate::dialect::conversation::{
    Api, Call, CallResult, Content, Dropped, Input, Part, Role, Signature, Thought, Turn, Unsaid,
    thoughts,
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
            "text" | "" => {
                let said = take_text(&mut block, "text");
                self.add(said.filter(|said| !said.is_empty()).map(Content::Text));
            }
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
            "tool_reference" => {
                self.dropped.named("tool_reference");
                let name = take_text(&mut block, "tool_name").unwrap_or_default();
                self.add([Content::Text(format!("The tool {name} is available."))]);
            }
            // What was said before, in short.
            "compaction" => {
                let said = take_text(&mut block, "content");
                self.add(said.filter(|said| !said.is_empty()).map(Content::Text));
            }
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
        let input = match take(&mut block, "input") {
            Value::Null => String::new(),
            Value::String(input) => input,
            input => input.to_string(),
        };
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
        self.add([Content::Result(CallResult {
            id: take_text(&mut block, "tool_use_id").unwrap_or_default(),
            parts,
            is_error: take(&mut block, "is_error") == true,
        })]);
        Ok(())
    }
}

fn thought(mut block: Object) -> Option<Content> {
    let said = take_text(&mut block, "thinking").unwrap_or_default();
    let (field, is_redacted) = match block.contains_key("data") {
        true => ("data", true),
        false => ("signature", false),
    };
    let data = text(take(&mut block, field)).filter(|data| !data.is_empty());
    let signature = data.map(|data| {
        thoughts::unseal(&data).unwrap_or(Signature {
            of: Api::Messages,
            data,
            is_redacted,
            id: None,
        })
    });
    let is_empty = said.is_empty() && signature.is_none();
    let thought = Thought {
        text: said,
        signature,
    };
    (!is_empty).then_some(Content::Thought(thought))
}

/// What a search has found, as text.
fn found(mut block: Object) -> Content {
    let title = take_text(&mut block, "title").unwrap_or_default();
    let source = take_text(&mut block, "source").unwrap_or_default();
    let texts = take_list(&mut block, "content")
        .into_iter()
        .filter_map(|part| take_text(&mut object(part), "text"));
    let texts: Vec<String> = texts.collect();
    Content::Text(format!("{title} ({source})\n{}", texts.join("\n")))
}

/// A caching mark, if there is one.
pub(super) fn mark(value: Value) -> Option<Value> {
    value.is_object().then_some(value)
}
