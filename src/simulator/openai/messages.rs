//! Anthropic's `/messages`: the message and its stream of events.

use serde_json::{Value, json};

use super::asked::Asked;
use crate::simulator::{
    events::{Events, named, tokens},
    refusal,
};

pub(super) fn answer(asked: &Asked, text: &str) -> Value {
    message(asked, &json!([{ "type": "text", "text": text }]), text)
}

pub(super) fn empty_answer(asked: &Asked) -> Value {
    message(asked, &json!([]), "")
}

/// The error body of this API.
pub(super) fn error(status: u16, model: &str) -> Value {
    let kind = match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    let theirs = refusal::body(status, model);
    json!({
        "type": "error",
        "error": { "type": kind, "message": theirs["error"]["message"] },
        "request_id": "req_simulator",
    })
}

fn message(asked: &Asked, content: &Value, text: &str) -> Value {
    json!({
        "id": asked.id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": content,
        "stop_reason": "end_turn",
        "stop_sequence": null,
        "usage": { "input_tokens": asked.prompt_tokens(), "output_tokens": tokens(text).len() },
    })
}

pub(super) fn events(asked: &Asked, text: &str, status: u16) -> Events {
    let mut begun = message(asked, &json!([]), "");
    begun["stop_reason"] = Value::Null;
    let block = json!({ "type": "text", "text": "" });
    let begin = json!({ "type": "content_block_start", "index": 0, "content_block": block });
    let opening = vec![
        named(&json!({ "type": "message_start", "message": begun })),
        named(&json!({ "type": "ping" })),
        named(&begin),
    ];
    let delta = |token: &str| {
        let delta = json!({ "type": "text_delta", "text": token });
        named(&json!({ "type": "content_block_delta", "index": 0, "delta": delta }))
    };
    let ended = json!({ "stop_reason": "end_turn", "stop_sequence": null });
    let used = json!({ "output_tokens": tokens(text).len() });
    let closing = vec![
        named(&json!({ "type": "content_block_stop", "index": 0 })),
        named(&json!({ "type": "message_delta", "delta": ended, "usage": used })),
        named(&json!({ "type": "message_stop" })),
    ];
    Events {
        empty_answer: [&opening[..1], &closing[1..]].concat(),
        opening,
        tokens: tokens(text).into_iter().map(delta).collect(),
        closing,
        done: Vec::new(),
        failure: vec![named(&error(status, &asked.model))],
    }
}
