//! Writes a whole answer as a chat completion.

use serde_json::{Map, Value, json};

use super::one_text::OneText;
use super::usage;
use crate::dialect::conversation::{Asked, Begin, CallHead, Citation, End, Event, now};

/// Writes the completion that these events fold into; `None`: the answer has failed, or has no end.
pub fn write_answer(asked: &Asked, events: Vec<Event<'_>>) -> Option<Value> {
    let mut draft = Draft::default();
    let mut ended = None;
    for event in events {
        match event {
            Event::Failed(_) => return None,
            Event::End { end, usage } => ended = Some((end, usage)),
            event => draft.take(event),
        }
    }
    let (end, used) = ended?;
    let Identity { id, model, created } = Identity::of(std::mem::take(&mut draft.begin), asked);
    let choice = json!({
        "index": 0,
        "message": draft.into_message(asked),
        "logprobs": null,
        "finish_reason": finish_reason(&end, asked),
    });
    let mut completion = json!({
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [choice],
    });
    if let Some(used) = used {
        completion["usage"] = usage::written(&used);
    }
    Some(completion)
}

/// What a completion and all chunks of a stream have in common.
pub(super) struct Identity {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) created: u64,
}

impl Identity {
    /// What the upstream says, or what fits.
    pub(super) fn of(begin: Begin, asked: &Asked) -> Self {
        let Begin { id, model, created } = begin;
        Self {
            id: if id.is_empty() {
                format!("chatcmpl-{:016x}", fastrand::u64(..))
            } else {
                id
            },
            model: asked.answering(model),
            created: created.unwrap_or_else(now),
        }
    }
}

/// `OpenAI`'s finish reason.
pub(super) fn finish_reason(end: &End, asked: &Asked) -> &'static str {
    match end {
        End::Whole | End::Stop(_) => "stop",
        End::Calls if asked.echo.is_older => "function_call",
        End::Calls => "tool_calls",
        // Nobody must take half an answer for a whole one.
        End::Limit | End::Failed => "length",
        End::Filtered => "content_filter",
    }
}

/// The annotation for a page.
pub(super) fn annotation(citation: &Citation) -> Value {
    let page = json!({
        "url": citation.url, "title": citation.title,
        "start_index": citation.start, "end_index": citation.end,
    });
    json!({ "type": "url_citation", "url_citation": page })
}

/// A message while it is put together.
#[derive(Default)]
struct Draft {
    begin: Begin,
    text: String,
    one_text: OneText,
    refusal: String,
    thoughts: String,
    annotations: Vec<Value>,
    calls: Vec<(CallHead, String)>,
}

impl Draft {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Begin(begin) => self.begin = begin,
            Event::Text(text) => self.text += &self.one_text.more(text),
            Event::Refusal(text) => self.refusal += &text,
            Event::Thought(text) => self.thoughts += &text,
            Event::Cited(citation) => {
                let citation = self.one_text.placed(citation);
                self.annotations.push(annotation(&citation));
            }
            Event::Call(head) => {
                self.one_text.interrupt();
                self.calls.push((head, String::new()));
            }
            Event::Arguments(text) => {
                if let Some((_, arguments)) = self.calls.last_mut() {
                    *arguments += &text;
                }
            }
            Event::Signature(_)
            | Event::Called
            | Event::Alive
            | Event::End { .. }
            | Event::Failed(_) => {}
        }
    }

    fn into_message(self, asked: &Asked) -> Value {
        let mut fields = Map::new();
        let mut put = |field: &str, value: Value| {
            fields.insert(field.to_owned(), value);
        };
        put("role", "assistant".into());
        let content = (!self.text.is_empty() || self.calls.is_empty()).then_some(self.text);
        put("content", content.into());
        let refusal = (!self.refusal.is_empty()).then_some(self.refusal);
        put("refusal", refusal.into());
        if !self.annotations.is_empty() {
            put("annotations", self.annotations.into());
        }
        if asked.shows_thoughts && !self.thoughts.is_empty() {
            put("reasoning_content", self.thoughts.into());
        }
        let mut calls = self.calls.into_iter();
        if asked.echo.is_older {
            if let Some((head, arguments)) = calls.next() {
                let function = json!({ "name": head.tool.name, "arguments": arguments });
                put("function_call", function);
            }
        } else if calls.len() > 0 {
            let written = |(head, input): (CallHead, String)| {
                call(&head.id, &head.tool.name, head.tool.is_custom, &input)
            };
            put("tool_calls", calls.map(written).collect());
        }
        Value::Object(fields)
    }
}

/// A call, as a message has it.
pub fn call(id: &str, name: &str, is_custom: bool, input: &str) -> Value {
    if is_custom {
        let custom = json!({ "name": name, "input": input });
        return json!({ "id": id, "type": "custom", "custom": custom });
    }
    let function = json!({ "name": name, "arguments": input });
    json!({ "id": id, "type": "function", "function": function })
}
