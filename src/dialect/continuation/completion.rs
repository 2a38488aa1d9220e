//! The events of plain completions: the oldest API, which has no conversations.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::dialect::conversation::{Asked, Begin, End, Event, Piece, Place, Usage};
use crate::dialect::form::{ReadEvents, WriteEvents};

/// Reads the chunks of a stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    has_begun: bool,
}

impl ReadEvents for Reader {
    fn read<'a>(&mut self, _name: Option<&[u8]>, data: &'a [u8], pieces: &mut Vec<Piece<'a>>) {
        if data.trim_ascii() == b"[DONE]" {
            pieces.push(Piece::Over);
            return;
        }
        let Ok(chunk) = serde_json::from_slice::<Value>(data) else {
            pieces.push(Piece::Unreadable);
            return;
        };
        if !std::mem::replace(&mut self.has_begun, true) {
            let text = |field: &str| chunk[field].as_str().unwrap_or_default().to_owned();
            pieces.push(Piece::Begin(Begin {
                id: text("id"),
                model: text("model"),
                created: chunk["created"].as_u64(),
            }));
        }
        let choice = &chunk["choices"][0];
        if let Some(text) = choice["text"].as_str() {
            pieces.push(Piece::Text(Cow::Owned(text.to_owned())));
        }
        if chunk["usage"].is_object() {
            let count = |field: &str| chunk["usage"][field].as_u64().unwrap_or(0);
            pieces.push(Piece::Usage(Usage {
                input: count("prompt_tokens"),
                output: count("completion_tokens"),
                ..Usage::default()
            }));
        }
        let reason = choice["finish_reason"].as_str().unwrap_or_default();
        pieces.extend(End::of(reason).map(Piece::End));
    }
}

/// Notes what of a chunk cannot be gone on with.
pub(super) fn look(place: &mut Place, chunk: &Value) {
    let choices = chunk["choices"].as_array();
    for choice in choices.into_iter().flatten() {
        if choice["index"].as_u64().unwrap_or(0) > 0 {
            place.obstacle = Some("n");
        } else if !choice["logprobs"].is_null() {
            place.obstacle = Some("logprobs");
        }
    }
}

/// Writes the rest of a stream.
#[derive(Debug)]
pub(super) struct Writer {
    /// What all chunks have in common.
    head: Value,
    with_usage: bool,
}

impl Writer {
    pub(super) fn resume(asked: Asked, place: &Place) -> Self {
        let Begin { id, model, created } = &place.begin;
        let model = asked.answering(model.clone());
        Self {
            head: json!({ "id": id, "object": "text_completion", "created": created, "model": model }),
            with_usage: asked.with_usage,
        }
    }

    fn tell(&self, choices: Value, usage: Option<Usage>, out: &mut Vec<u8>) {
        let mut chunk = self.head.clone();
        chunk["choices"] = choices;
        if self.with_usage {
            chunk["usage"] = usage.map_or(Value::Null, |usage| {
                json!({
                    "prompt_tokens": usage.input,
                    "completion_tokens": usage.output,
                    "total_tokens": usage.input + usage.output,
                })
            });
        }
        out.extend_from_slice(format!("data: {chunk}\n\n").as_bytes());
    }

    fn end(&self, end: &End, usage: Option<Usage>, out: &mut Vec<u8>) {
        let reason = match end {
            End::Whole | End::Stop(_) | End::Calls => "stop",
            End::Limit | End::Failed => "length",
            End::Filtered => "content_filter",
        };
        self.tell(choice("", Some(reason)), None, out);
        if self.with_usage && usage.is_some() {
            self.tell(json!([]), usage, out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl WriteEvents for Writer {
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Text(text) => self.tell(choice(&text, None), None, out),
            Event::End { end, usage } => self.end(&end, usage, out),
            Event::Failed(error) => {
                out.extend_from_slice(
                    format!("data: {}\n\n", json!({ "error": error })).as_bytes(),
                );
            }
            Event::Alive => out.extend_from_slice(b": keepalive\n\n"),
            // The API has nothing but text.
            Event::Begin(_)
            | Event::Refusal(_)
            | Event::Thought(_)
            | Event::Signature(_)
            | Event::Cited(_)
            | Event::Call(_)
            | Event::Arguments(_)
            | Event::Called => {}
        }
    }
}

fn choice(text: &str, reason: Option<&str>) -> Value {
    json!([{ "index": 0, "text": text, "logprobs": null, "finish_reason": reason }])
}
