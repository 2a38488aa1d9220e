//! The rest of a plain completion: the oldest API, which has no conversations.

use serde_json::{Value, json};

use crate::dialect::conversation::{Asked, Begin, End, Event, Place, Usage, WriteEvents};

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
