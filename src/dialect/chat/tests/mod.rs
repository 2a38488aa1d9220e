//! Requests and answers of chats, read and written.

mod asked;
mod asked_tools;
mod calls;
mod chunks;
mod completions;
mod google;
mod properties;
mod quirks;
mod sent;
mod sent_tools;
mod sources;
mod written;

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Reader, Writer, read_request, write_request};
use crate::catalogue::{Dialect, Quirks};
use crate::dialect::conversation::{
    Api, Asked, Conversation, Echo, Event, Part, Piece, Reading, Role, Target, Turn, Unsaid,
    Written, samples,
};
use crate::dialect::upstream_api::UpstreamApi;
use crate::wire::sse;

/// An upstream with these quirks.
fn upstream(quirks: Quirks) -> UpstreamApi {
    UpstreamApi {
        quirks,
        ..UpstreamApi::new(Dialect::OpenAi)
    }
}

/// A conversation with these turns, which came in this API.
fn conversation(origin: Api, turns: Vec<Turn>) -> Conversation {
    let mut conversation = read_request(json!({ "messages": [] })).unwrap();
    conversation.origin = origin;
    conversation.turns = turns;
    conversation.thinking.is_shown = false;
    conversation.dropped = crate::dialect::conversation::Dropped::nothing(origin);
    conversation
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts }
}

fn written(
    conversation: Conversation,
    model: &str,
    upstream: &UpstreamApi,
) -> Result<Written, Unsaid> {
    write_request(conversation, &Target { model, upstream })
}

/// What is sent for a conversation, and what was left out.
fn sent(conversation: Conversation, model: &str, quirks: Quirks) -> (Value, Vec<String>) {
    let written = written(conversation, model, &upstream(quirks)).unwrap();
    let body = serde_json::from_slice(&written.body).unwrap();
    (body, written.dropped.into_names())
}

fn reading() -> Reading {
    Reading {
        stops: vec!["END".to_owned(), String::new()],
        ..samples::reading()
    }
}

/// The pieces of some events: each is a chunk, or a text as it is.
fn pieces(chunks: &[Value]) -> Vec<Piece<'static>> {
    samples::read(Reader::new(&reading()), chunks)
}

/// What the client is told by these pieces.
fn events(pieces: Vec<Piece<'static>>) -> Vec<Event<'static>> {
    samples::assembled(samples::reading().names, pieces)
}

/// A chunk of the first answer.
fn chunk(delta: Value) -> Value {
    json!({ "id": "c", "created": 7, "model": "m", "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
}

/// A chunk with the reason of the end.
fn end(reason: &str) -> Value {
    json!({ "id": "c", "created": 7, "model": "m", "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
}

/// What a client asks for.
fn asked(with_usage: bool, is_older: bool) -> Asked {
    Asked {
        api: Api::Chat,
        model: "asked".to_owned(),
        with_usage,
        shows_thoughts: true,
        echo: Echo {
            fields: Value::Null,
            is_older,
        },
    }
}

/// The bytes of a stream with these events.
fn stream(asked: Asked, events: Vec<Event<'_>>) -> Vec<u8> {
    samples::streamed(Writer::new(asked), events)
}

/// The data of the events in a stream; `[DONE]` is a text.
fn data(stream: &[u8]) -> Vec<Value> {
    let data = sse::events(stream).filter_map(|event| event.data);
    data.map(|data| {
        serde_json::from_slice(&data).unwrap_or_else(|_| String::from_utf8_lossy(&data).into())
    })
    .collect()
}

/// What `OpenAI`'s SDKs put together of the calls in a stream: by their index.
fn accumulated(chunks: &[Value]) -> Vec<(String, String, String)> {
    let mut calls: HashMap<u64, (String, String, String)> = HashMap::new();
    for chunk in chunks {
        let parts = chunk["choices"][0]["delta"]["tool_calls"].as_array();
        for part in parts.into_iter().flatten() {
            let call = calls.entry(part["index"].as_u64().unwrap()).or_default();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            call.0 += &text(&part["id"]);
            call.1 += &text(&part["function"]["name"]);
            call.2 += &text(&part["function"]["arguments"]);
        }
    }
    let mut calls: Vec<_> = calls.into_iter().collect();
    calls.sort_by_key(|(index, _)| *index);
    calls.into_iter().map(|(_, call)| call).collect()
}
