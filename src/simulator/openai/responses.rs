//! `/responses`: the response object and its stream of named, numbered events.

use serde_json::{Value, json};

use super::{Ask, now};
use crate::simulator::{
    refusal,
    sse::{Events, named, tokens},
};

pub(super) fn answer(ask: &Ask, text: &str) -> Value {
    response(
        ask,
        "completed",
        json!([message(ask, "completed", Some(text))]),
        text,
    )
}

pub(super) fn hollow(ask: &Ask) -> Value {
    response(ask, "completed", json!([]), "")
}

pub(super) fn events(ask: &Ask, text: &str, status: u16) -> Events {
    let mut numbered = Numbered { ask, next: 0 };
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
        hollow: whole(&mut Numbered { ask, next: 0 }),
    }
}

fn opening(numbered: &mut Numbered<'_>) -> Vec<String> {
    let ask = numbered.ask;
    let begun = response(ask, "in_progress", json!([]), "");
    vec![
        numbered.event("response.created", json!({ "response": begun })),
        numbered.event("response.in_progress", json!({ "response": begun })),
        numbered.event(
            "response.output_item.added",
            json!({ "output_index": 0, "item": message(ask, "in_progress", None) }),
        ),
        numbered.part("response.content_part.added", json!({ "part": part("") })),
    ]
}

fn closing(numbered: &mut Numbered<'_>, text: &str) -> Vec<String> {
    let ask = numbered.ask;
    vec![
        numbered.part(
            "response.output_text.done",
            json!({ "text": text, "logprobs": [] }),
        ),
        numbered.part("response.content_part.done", json!({ "part": part(text) })),
        numbered.event(
            "response.output_item.done",
            json!({ "output_index": 0, "item": message(ask, "completed", Some(text)) }),
        ),
        numbered.event(
            "response.completed",
            json!({ "response": answer(ask, text) }),
        ),
    ]
}

/// The stream of a response without any output.
fn whole(numbered: &mut Numbered<'_>) -> Vec<String> {
    let ask = numbered.ask;
    let begun = response(ask, "in_progress", json!([]), "");
    vec![
        numbered.event("response.created", json!({ "response": begun })),
        numbered.event("response.in_progress", json!({ "response": begun })),
        numbered.event("response.completed", json!({ "response": hollow(ask) })),
    ]
}

fn failure(numbered: &mut Numbered<'_>, status: u16) -> Vec<String> {
    let ask = numbered.ask;
    let error = refusal::flat_event(status, &ask.model, numbered.next);
    numbered.next += 1;
    let mut failed = response(ask, "failed", json!([]), "");
    failed["error"] = json!({ "code": error["code"], "message": error["message"] });
    vec![
        named(&error),
        numbered.event("response.failed", json!({ "response": failed })),
    ]
}

/// Names events and gives them increasing sequence numbers.
struct Numbered<'a> {
    ask: &'a Ask,
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
        fields["item_id"] = self.ask.id("msg_").into();
        fields["output_index"] = 0.into();
        fields["content_index"] = 0.into();
        self.event(name, fields)
    }
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn message(ask: &Ask, status: &str, text: Option<&str>) -> Value {
    json!({
        "id": ask.id("msg_"),
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": text.map(part).into_iter().collect::<Vec<_>>(),
    })
}

fn response(ask: &Ask, status: &str, output: Value, text: &str) -> Value {
    let asked = |field: &str, usual: Value| match &ask.body[field] {
        Value::Null => usual,
        value => value.clone(),
    };
    json!({
        "id": ask.id("resp_"),
        "object": "response",
        "created_at": now(),
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": ask.body["instructions"],
        "max_output_tokens": ask.body["max_output_tokens"],
        "metadata": asked("metadata", json!({})),
        "model": ask.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": ask.body["previous_response_id"],
        "reasoning": { "effort": null, "summary": null },
        "service_tier": "default",
        "store": asked("store", true.into()),
        "temperature": asked("temperature", json!(1.0)),
        "text": { "format": { "type": "text" } },
        "tool_choice": "auto",
        "tools": [],
        "top_p": asked("top_p", json!(1.0)),
        "truncation": "disabled",
        "usage": if status == "completed" { usage(ask, text) } else { Value::Null },
        "user": null,
    })
}

fn usage(ask: &Ask, text: &str) -> Value {
    let (input, output) = (ask.prompt_tokens(), tokens(text).len());
    json!({
        "input_tokens": input,
        "input_tokens_details": { "cached_tokens": 0, "cache_write_tokens": 0 },
        "output_tokens": output,
        "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": input + output,
    })
}
