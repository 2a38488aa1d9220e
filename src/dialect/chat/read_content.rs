//! Reads the text and the thoughts of an answer, which some providers send in parts.

use std::borrow::Cow;

use serde_json::Value;

use super::chunk::Delta;
use crate::dialect::conversation::lenient::{Loose, TextOrJson};
use crate::dialect::conversation::{Piece, filled};

/// Reads a content: a text, parts of one, or the answer's JSON itself (Cloudflare).
pub(super) fn read_content<'a>(content: TextOrJson<'a>, pieces: &mut Vec<Piece<'a>>) {
    let json = match content {
        TextOrJson::Nothing => return,
        TextOrJson::Text(text) => return pieces.extend(filled(text).map(Piece::Text)),
        TextOrJson::Json(json) => json,
    };
    match serde_json::from_str(json).unwrap_or_default() {
        Value::Array(parts) if parts.is_empty() || parts.iter().any(is_part) => {
            pieces.extend(parts.into_iter().filter_map(part));
        }
        value if is_part(&value) => pieces.extend(part(value)),
        _ => pieces.push(Piece::Text(Cow::Borrowed(json))),
    }
}

/// Whether it is an object that says which kind of part it is: anything else is the JSON that the client asked for.
fn is_part(value: &Value) -> bool {
    let kind = value["type"].as_str().unwrap_or_default();
    match kind {
        "text" | "output_text" => value["text"].is_string(),
        "refusal" | "thinking" | "reasoning" => value.get(kind).is_some(),
        _ => false,
    }
}

fn part<'a>(part: Value) -> Option<Piece<'a>> {
    if let Value::String(text) = part {
        return Some(Piece::Text(text.into()));
    }
    let kind = part["type"].as_str().unwrap_or_default();
    let piece: fn(Cow<'a, str>) -> Piece<'a> = match kind {
        "refusal" => Piece::Refusal,
        "thinking" | "reasoning" => Piece::Thought,
        _ if kind.ends_with("text") => Piece::Text,
        _ => return None,
    };
    let field = if kind.ends_with("text") { "text" } else { kind };
    filled(texts_of(&part[field]).into()).map(piece)
}

/// A text, or the texts in a list of parts.
pub(super) fn texts_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(texts_of).collect(),
        Value::Object(fields) => {
            let named = ["text", "content", "summary"];
            let text = named.iter().find_map(|name| fields.get(*name)?.as_str());
            text.unwrap_or_default().to_owned()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

/// Reads reasoning, under the first of the usual names that tells some: several of them say the same.
pub(super) fn read_thought<'a>(delta: &mut Delta<'a>, pieces: &mut Vec<Piece<'a>>) {
    let sent = [
        std::mem::take(&mut delta.reasoning_content),
        std::mem::take(&mut delta.reasoning),
        std::mem::take(&mut delta.thinking),
    ];
    let text = sent.into_iter().find_map(|sent| {
        let text = match sent {
            Loose::Nothing => return None,
            Loose::Text(text) => text,
            Loose::Other(value) => Cow::Owned(texts_of(&value)),
        };
        filled(text)
    });
    if let Some(text) = text {
        pieces.push(Piece::Thought(text));
        return;
    }
    let details = std::mem::take(&mut delta.reasoning_details);
    let is_unseen = !details.is_empty();
    let before = pieces.len();
    for detail in details.objects() {
        let text = filled(detail.text.into_text());
        let text = text.or_else(|| filled(detail.summary.into_text()));
        pieces.extend(text.map(Piece::Thought));
    }
    // Encrypted: nobody can read it, but something is done.
    if is_unseen && pieces.len() == before {
        pieces.push(Piece::Unseen);
    }
}
