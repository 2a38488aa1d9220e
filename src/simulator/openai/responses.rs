//! `/responses`: the response object and its stream of named, numbered events.

use serde_json::{Value, json};

use super::asked::{Asked, now};
use crate::simulator::{
    events::{Events, named, tokens},
    refusal,
};

pub(super) fn answer(asked: &Asked, text: &str) -> Value {
    response(
        asked,
        "completed",
        json!([message(asked, "completed", Some(text))]),
        text,
    )
}

pub(super) fn empty_answer(asked: &Asked) -> Value {
    response(asked, "completed", json!([]), "")
}

pub(super) fn events(asked: &Asked, text: &str, status: u16) -> Events {
    let mut numbered = Numbered { asked, next: 0 };
    let opening = opening(&mut numbered);
    let tokens = tokens(text)
        .into_iter()
        .map(|token| {
            numbered.part(
                "response.output_text.delta",
                json!({ "delta": token, "logprobs": [] }),
            )
        })
        .collect();
    let closing = closing(&mut numbered, text);
    Events {
        opening,
        tokens,
        closing,
        done: Vec::new(),
        failure: failure(&mut numbered, status),
        empty_answer: whole(&mut Numbered { asked, next: 0 }),
    }
}

fn opening(numbered: &mut Numbered<'_>) -> Vec<String> {
    let asked = numbered.asked;
    let begun = response(asked, "in_progress", json!([]), "");
    vec![
        numbered.event("response.created", json!({ "response": begun })),
        numbered.event("response.in_progress", json!({ "response": begun })),
        numbered.event(
            "response.output_item.added",
            json!({ "output_index": 0, "item": message(asked, "in_progress", None) }),
        ),
        numbered.part("response.content_part.added", json!({ "part": part("") })),
    ]
}

fn closing(numbered: &mut Numbered<'_>, text: &str) -> Vec<String> {
    let asked = numbered.asked;
    vec![
        numbered.part(
            "response.output_text.done",
            json!({ "text": text, "logprobs": [] }),
        ),
        numbered.part("response.content_part.done", json!({ "part": part(text) })),
        numbered.event(
            "response.output_item.done",
            json!({ "output_index": 0, "item": message(asked, "completed", Some(text)) }),
        ),
        numbered.event(
            "response.completed",
            json!({ "response": answer(asked, text) }),
        ),
    ]
}

/// The stream of a response without any output.
fn whole(numbered: &mut Numbered<'_>) -> Vec<String> {
    let asked = numbered.asked;
    let begun = response(asked, "in_progress", json!([]), "");
    vec![
        numbered.event("response.created", json!({ "response": begun })),
        numbered.event("response.in_progress", json!({ "response": begun })),
        numbered.event(
            "response.completed",
            json!({ "response": empty_answer(asked) }),
        ),
    ]
}

fn failure(numbered: &mut Numbered<'_>, status: u16) -> Vec<String> {
    let asked = numbered.asked;
    let error = refusal::flat_event(status, &asked.model, numbered.next);
    numbered.next += 1;
    let mut failed = response(asked, "failed", json!([]), "");
    failed["error"] = json!({ "code": error["code"], "message": error["message"] });
    vec![
        named(&error),
        numbered.event("response.failed", json!({ "response": failed })),
    ]
}

/// Names events and gives them increasing sequence numbers.
struct Numbered<'a> {
    asked: &'a Asked,
    next: usize,
}

impl Numbered<'_> {
    fn event(&mut self, name: &str, mut fields: Value) -> String {
        fields["type"] = name.into();
        fields["sequence_number"] = self.next.into();
        self.next += 1;
        named(&fields)
    }

    /// An event about the one content part of the one output item.
    fn part(&mut self, name: &str, mut fields: Value) -> String {
        fields["item_id"] = self.asked.id("msg_").into();
        fields["output_index"] = 0.into();
        fields["content_index"] = 0.into();
        self.event(name, fields)
    }
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn message(asked: &Asked, status: &str, text: Option<&str>) -> Value {
    json!({
        "id": asked.id("msg_"),
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": text.map(part).into_iter().collect::<Vec<_>>(),
    })
}

fn response(asked: &Asked, status: &str, output: Value, text: &str) -> Value {
    let echoed = |field: &str, usual: Value| match &asked.body[field] {
        Value::Null => usual,
        value => value.clone(),
    };
    json!({
        "id": asked.id("resp_"),
        "object": "response",
        "created_at": now(),
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": asked.body["instructions"],
        "max_output_tokens": asked.body["max_output_tokens"],
        "metadata": echoed("metadata", json!({})),
        "model": asked.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": asked.body["previous_response_id"],
        "reasoning": { "effort": null, "summary": null },
        "service_tier": "default",
        "store": echoed("store", true.into()),
        "temperature": echoed("temperature", json!(1.0)),
        "text": { "format": { "type": "text" } },
        "tool_choice": "auto",
        "tools": [],
        "top_p": echoed("top_p", json!(1.0)),
        "truncation": "disabled",
        "usage": if status == "completed" { usage(asked, text) } else { Value::Null },
        "user": null,
    })
}

fn usage(asked: &Asked, text: &str) -> Value {
    let (input, output) = (asked.prompt_tokens(), tokens(text).len());
    json!({
        "input_tokens": input,
        "input_tokens_details": { "cached_tokens": 0, "cache_write_tokens": 0 },
        "output_tokens": output,
        "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": input + output,
    })
}
