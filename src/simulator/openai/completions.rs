//! `/completions`: the plain text answer and its stream of chunks.

use serde_json::{Value, json};

use super::asked::{Asked, now};
use crate::simulator::{
    events::{DONE, Events, data, tokens},
    refusal,
};

pub(super) fn answer(asked: &Asked, text: &str) -> Value {
    let mut answer = completion(asked, &choice(text, Some("stop")));
    answer["usage"] = asked.usage(text);
    answer
}

pub(super) fn empty_answer(asked: &Asked) -> Value {
    let mut answer = completion(asked, &json!([]));
    answer["usage"] = asked.usage("");
    answer
}

pub(super) fn events(asked: &Asked, text: &str, status: u16) -> Events {
    let mut closing = vec![chunk(asked, &choice("", Some("stop")), None)];
    if asked.include_usage() {
        closing.push(chunk(asked, &json!([]), Some(asked.usage(text))));
    }
    let nothing = chunk(asked, &json!([]), None);
    Events {
        opening: Vec::new(),
        tokens: tokens(text)
            .into_iter()
            .map(|token| chunk(asked, &choice(token, None), None))
            .collect(),
        closing,
        done: vec![DONE.to_owned()],
        failure: vec![data(&refusal::body(status, &asked.model))],
        empty_answer: vec![nothing.clone(), nothing, DONE.to_owned()],
    }
}

fn choice(text: &str, finish: Option<&str>) -> Value {
    json!([{ "text": text, "index": 0, "logprobs": null, "finish_reason": finish }])
}

fn completion(asked: &Asked, choices: &Value) -> Value {
    json!({
        "id": asked.id("cmpl-"),
        "object": "text_completion",
        "created": now(),
        "model": asked.model,
        "choices": choices,
    })
}

fn chunk(asked: &Asked, choices: &Value, usage: Option<Value>) -> String {
    let mut chunk = completion(asked, choices);
    if asked.include_usage() {
        // Asked for, the field is in every chunk, and null in all but the last.
        chunk["usage"] = usage.into();
    }
    data(&chunk)
}
