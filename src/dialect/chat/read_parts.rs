//! Reads the content of messages: texts, images, documents, sound.

use serde_json::Value;

use crate::dialect::conversation::fields::{Object, said, take, take_object, take_text};
use crate::dialect::conversation::{Content, Dropped, Media, Part, Thought, Unsaid, cache_mark};

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
    let parts = match content {
        Value::Null => Vec::new(),
        Value::Array(parts) => parts,
        one => vec![one],
    };
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
        "image_url" | "input_image" => image(&mut part)?,
        "file" | "input_file" => document(&mut part)?,
        "input_audio" => audio(&mut part)?,
        // Mistral writes them among the texts of an answer.
        "thinking" => Content::Thought(Thought {
            text: text_of_thinking(take(&mut part, "thinking")),
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

/// A text, or texts in a list.
fn text_of_thinking(thinking: Value) -> String {
    match thinking {
        Value::String(text) => text,
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        _ => String::new(),
    }
}

/// Some write the URL as a plain text.
fn image(part: &mut Object) -> Result<Content, Unsaid> {
    let mut detail = take_text(part, "detail");
    let url = match take(part, "image_url") {
        Value::String(url) => Some(url),
        Value::Object(mut image) => {
            detail = take_text(&mut image, "detail").or(detail);
            take_text(&mut image, "url")
        }
        _ => None,
    };
    match url {
        Some(url) => Ok(Content::Image {
            media: Media::of_url(url),
            detail,
        }),
        None if part.contains_key("file_id") => Err(Unsaid("file_id")),
        None => Err(UNKNOWN),
    }
}

fn document(part: &mut Object) -> Result<Content, Unsaid> {
    let mut file = take_object(part, "file");
    let file = if file.is_empty() { part } else { &mut file };
    let name = take_text(file, "filename");
    let media = match (take_text(file, "file_data"), take_text(file, "file_url")) {
        (Some(data), _) => Media::of_data(data, name.as_deref()),
        (None, Some(url)) => Media::of_url(url),
        (None, None) => return Err(Unsaid("file_id")),
    };
    Ok(Content::Document {
        media,
        name,
        context: None,
    })
}

fn audio(part: &mut Object) -> Result<Content, Unsaid> {
    let mut audio = take_object(part, "input_audio");
    let data = take_text(&mut audio, "data").ok_or(Unsaid("audio"))?;
    let format = take_text(&mut audio, "format").unwrap_or_else(|| "wav".to_owned());
    Ok(Content::Audio { data, format })
}
