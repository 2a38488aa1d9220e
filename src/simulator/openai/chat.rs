//! `/chat/completions`: the answer and its stream of chunks.

use serde_json::{Value, json};

use super::{Ask, now};
use crate::simulator::{
    refusal,
    sse::{DONE, Events, data, tokens},
};

pub(super) fn answer(ask: &Ask, text: &str) -> Value {
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
    completion(ask, json!([choice]), text)
}

pub(super) fn hollow(ask: &Ask) -> Value {
    completion(ask, json!([]), "")
}

fn completion(ask: &Ask, choices: Value, text: &str) -> Value {
    json!({
        "id": ask.id("chatcmpl-"),
        "object": "chat.completion",
        "created": now(),
        "model": ask.model,
        "choices": choices,
        "usage": ask.usage(text),
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    })
}

pub(super) fn events(ask: &Ask, text: &str, status: u16) -> Events {
    let mut closing = vec![chunk(ask, &choice(json!({}), Some("stop")), None)];
    if ask.include_usage() {
        closing.push(chunk(ask, &json!([]), Some(ask.usage(text))));
    }
    let nothing = chunk(ask, &json!([]), None);
    let role = json!({ "role": "assistant", "content": "", "refusal": null });
    Events {
        opening: vec![chunk(ask, &choice(role, None), None)],
        tokens: tokens(text)
            .into_iter()
            .map(|token| chunk(ask, &choice(json!({ "content": token }), None), None))
            .collect(),
        closing,
        done: vec![DONE.to_owned()],
        failure: vec![data(&refusal::body(status, &ask.model))],
        hollow: vec![nothing.clone(), nothing, DONE.to_owned()],
    }
}

fn choice(delta: Value, finish: Option<&str>) -> Value {
    json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }])
}

fn chunk(ask: &Ask, choices: &Value, usage: Option<Value>) -> String {
    let mut chunk = json!({
        "id": ask.id("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": now(),
        "model": ask.model,
        "choices": choices,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    });
    if ask.include_usage() {
        // Asked for, the field is in every chunk, and null in all but the last.
        chunk["usage"] = usage.into();
    }
    data(&chunk)
}

const FINGERPRINT: &str = "fp_simulator";
