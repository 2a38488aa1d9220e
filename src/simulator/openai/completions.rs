//! `/completions`: the plain text answer and its stream of chunks.

use serde_json::{Value, json};

use super::{Ask, now};
use crate::simulator::{
    refusal,
    sse::{DONE, Events, data, tokens},
};

pub(super) fn answer(ask: &Ask, text: &str) -> Value {
    let mut answer = completion(ask, &choice(text, Some("stop")));
    answer["usage"] = ask.usage(text);
    answer
}

pub(super) fn hollow(ask: &Ask) -> Value {
    let mut answer = completion(ask, &json!([]));
    answer["usage"] = ask.usage("");
    answer
}

pub(super) fn events(ask: &Ask, text: &str, status: u16) -> Events {
    let mut closing = vec![chunk(ask, &choice("", Some("stop")), None)];
    if ask.include_usage() {
        closing.push(chunk(ask, &json!([]), Some(ask.usage(text))));
    }
    let nothing = chunk(ask, &json!([]), None);
    Events {
        opening: Vec::new(),
        tokens: tokens(text)
            .into_iter()
            .map(|token| chunk(ask, &choice(token, None), None))
            .collect(),
        closing,
        done: vec![DONE.to_owned()],
        failure: vec![data(&refusal::body(status, &ask.model))],
        hollow: vec![nothing.clone(), nothing, DONE.to_owned()],
    }
}

fn choice(text: &str, finish: Option<&str>) -> Value {
    json!([{ "text": text, "index": 0, "logprobs": null, "finish_reason": finish }])
}

fn completion(ask: &Ask, choices: &Value) -> Value {
    json!({
        "id": ask.id("cmpl-"),
        "object": "text_completion",
        "created": now(),
        "model": ask.model,
        "choices": choices,
    })
}

fn chunk(ask: &Ask, choices: &Value, usage: Option<Value>) -> String {
    let mut chunk = completion(ask, choices);
    if ask.include_usage() {
        // Asked for, the field is in every chunk, and null in all but the last.
        chunk["usage"] = usage.into();
    }
    data(&chunk)
}
