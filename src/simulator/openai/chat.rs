//! `/chat/completions`: the answer and its stream of chunks.

use serde_json::{Value, json};

use super::asked::{Asked, now};
use crate::simulator::{
    events::{DONE, Events, data, tokens},
    refusal,
};

pub(super) fn answer(asked: &Asked, text: &str) -> Value {
    let choice = json!({
        "index": 0,
        "message": {
            "role": "assistant",
            "content": text,
            "refusal": null,
            "annotations": [],
        },
        "logprobs": null,
        "finish_reason": "stop",
    });
    completion(asked, json!([choice]), text)
}

pub(super) fn empty_answer(asked: &Asked) -> Value {
    completion(asked, json!([]), "")
}

fn completion(asked: &Asked, choices: Value, text: &str) -> Value {
    json!({
        "id": asked.id("chatcmpl-"),
        "object": "chat.completion",
        "created": now(),
        "model": asked.model,
        "choices": choices,
        "usage": asked.usage(text),
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    })
}

pub(super) fn events(asked: &Asked, text: &str, status: u16) -> Events {
    let mut closing = vec![chunk(asked, &choice(json!({}), Some("stop")), None)];
    if asked.include_usage() {
        closing.push(chunk(asked, &json!([]), Some(asked.usage(text))));
    }
    let nothing = chunk(asked, &json!([]), None);
    let role = json!({ "role": "assistant", "content": "", "refusal": null });
    Events {
        opening: vec![chunk(asked, &choice(role, None), None)],
        tokens: tokens(text)
            .into_iter()
            .map(|token| chunk(asked, &choice(json!({ "content": token }), None), None))
            .collect(),
        closing,
        done: vec![DONE.to_owned()],
        failure: vec![data(&refusal::body(status, &asked.model))],
        empty_answer: vec![nothing.clone(), nothing, DONE.to_owned()],
    }
}

fn choice(delta: Value, finish: Option<&str>) -> Value {
    json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }])
}

fn chunk(asked: &Asked, choices: &Value, usage: Option<Value>) -> String {
    let mut chunk = json!({
        "id": asked.id("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": now(),
        "model": asked.model,
        "choices": choices,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    });
    if asked.include_usage() {
        // Asked for, the field is in every chunk, and null in all but the last.
        chunk["usage"] = usage.into();
    }
    data(&chunk)
}

const FINGERPRINT: &str = "fp_simulator";
