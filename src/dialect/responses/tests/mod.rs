//! Requests and answers, read and written.

mod answers_read;
mod answers_written;
mod properties;
mod requests_read;
mod requests_written;
mod several_messages;
mod tools_read;

use serde_json::{Value, json};

use super::{read_request, write_request};
use crate::catalogue::Dialect;
use crate::dialect::conversation::{
    Api, Asked, Call, CallResult, Content, Conversation, Input, Part, Role, Target, Turn, Unsaid,
    Written,
};
use crate::dialect::upstream_api::UpstreamApi;
use crate::wire::sse;

/// A request that is read.
fn read(body: Value) -> Conversation {
    read_request(body).unwrap()
}

/// What is sent for a conversation, and what was left out.
fn sent(conversation: Conversation, model: &str) -> (Value, Vec<String>) {
    let written = written(conversation, model).unwrap();
    let body = serde_json::from_slice(&written.body).unwrap();
    (body, written.dropped.into_names())
}

fn written(conversation: Conversation, model: &str) -> Result<Written, Unsaid> {
    let upstream = &UpstreamApi::new(Dialect::OpenAi);
    write_request(conversation, &Target { model, upstream })
}

/// What the answer's writer knows of a request.
fn asked(mut body: Value) -> Asked {
    body["model"] = json!("m");
    if body["input"].is_null() {
        body["input"] = json!("x");
    }
    let asked = Asked::of(&mut read(body));
    assert_eq!(asked.api, Api::Responses);
    asked
}

/// The events of a stream, numbered without a gap and named as they are typed.
fn events(stream: &[u8]) -> Vec<Value> {
    let events = sse::events(stream).map(|event| {
        let data: Value = serde_json::from_slice(&event.data.unwrap()).unwrap();
        assert_eq!(
            event.name.unwrap(),
            data["type"].as_str().unwrap().as_bytes()
        );
        data
    });
    let events: Vec<Value> = events.collect();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    events
}

fn turn(role: Role, parts: Vec<Content>) -> Turn {
    Turn {
        role,
        parts: parts.into_iter().map(Part::new).collect(),
    }
}

fn text(text: &str) -> Content {
    Content::Text(text.to_owned())
}

fn call(id: &str, name: &str, input: Input) -> Content {
    Content::Call(Call {
        id: id.to_owned(),
        name: name.to_owned(),
        namespace: None,
        input,
    })
}

fn result(id: &str, parts: Vec<Content>, is_error: bool) -> Content {
    let parts = parts.into_iter().map(Part::new).collect();
    Content::Result(CallResult {
        id: id.to_owned(),
        parts,
        is_error,
    })
}
