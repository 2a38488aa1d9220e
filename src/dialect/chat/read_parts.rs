//! Reads the content of messages: texts, images, documents, sound.

use serde_json::Value;

use super::read_content::texts_of;
use crate::dialect::conversation::fields::{list_or_one, said, take, take_object, take_text};
use crate::dialect::conversation::{
    Content, Dropped, Part, Thought, Unsaid, cache_mark, read_audio, read_file, read_image,
};

/// What a client gets to hear of content that nobody knows.
const UNKNOWN: Unsaid = Unsaid("content of this kind");

/// What becomes of a part that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strange {
    /// The model has to know of it, so the request cannot be translated.
    Refused,
    /// It is history, which only its author can read.
    LeftOut,
    /// It came out of a tool: its JSON is as good.
    Told,
}

/// Reads a content: a text, a list of parts, or nothing. Empty texts say nothing.
pub(super) fn read_parts(
    content: Value,
    strange: Strange,
    dropped: &mut Dropped,
) -> Result<Vec<Part>, Unsaid> {
    let parts = list_or_one(content);
    let mut read = Vec::with_capacity(parts.len());
    for part in parts {
        match read_part(part)? {
            Ok(part) => read.extend(part),
            Err(part) => match strange {
                Strange::Refused => return Err(UNKNOWN),
                Strange::LeftOut => dropped.named("messages.content"),
                Strange::Told => read.push(Part::text(part.to_string())),
            },
        }
    }
    Ok(read)
}

/// Reads a part; the inner error is one that nobody knows.
fn read_part(part: Value) -> Result<Result<Option<Part>, Value>, Unsaid> {
    let mut part = match part {
        Value::Object(part) => part,
        Value::String(text) => return Ok(Ok(text_part(text))),
        other => return Ok(Err(other)),
    };
    let kind = match part.get("type").and_then(Value::as_str) {
        Some(kind) => kind.to_owned(),
        None if part.contains_key("text") => "text".to_owned(),
        None => return Ok(Err(part.into())),
    };
    let content = match kind.as_str() {
        "text" | "input_text" | "output_text" => match take_text(&mut part, "text") {
            Some(text) if !text.is_empty() => Content::Text(text),
            _ => return Ok(Ok(None)),
        },
        "refusal" => Content::Refusal(take_text(&mut part, "refusal").unwrap_or_default()),
        "image_url" | "input_image" => read_image(&mut part)?,
        "file" | "input_file" => read_file(&mut part)?,
        "input_audio" => read_audio(&mut part)?,
        // Mistral writes them among the texts of an answer.
        "thinking" => Content::Thought(Thought {
            text: texts_of(&take(&mut part, "thinking")),
            signature: None,
        }),
        _ => return Ok(Err(part.into())),
    };
    let cache = said(take(&mut part, "cache_control"));
    let cache = cache.or_else(|| cache_mark(&take_object(&mut part, "prompt_cache_breakpoint")));
    Ok(Ok(Some(Part { content, cache })))
}

fn text_part(text: String) -> Option<Part> {
    (!text.is_empty()).then(|| Part::text(text))
}
