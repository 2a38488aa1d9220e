//! One broken stream and one reply, spliced.

mod agents;

use serde_json::{Value, json};

use super::{Scribe, Splicer};
use crate::catalogue::Prefill;
use crate::outcome::Defect;
use crate::request::Endpoint;
use crate::wire::sse;

fn splicer(endpoint: Endpoint, body: &Value, sent: &[Value], prefill: Prefill) -> Splicer {
    let mut scribe = Scribe::new(endpoint);
    for event in sent {
        scribe.note(None, event.to_string().as_bytes());
    }
    assert_eq!(scribe.transcript().obstacle(), None);
    Splicer::new(body.to_string().as_bytes(), scribe.transcript(), prefill)
}

fn rewrite(splicer: &mut Splicer, reply: &[Value]) -> Result<Vec<Value>, Defect> {
    let mut bytes = Vec::new();
    for event in reply {
        bytes.extend(splicer.rewrite(format!("data: {event}\n\n").as_bytes())?);
    }
    bytes.extend(splicer.finish()?);
    let data = sse::events(&bytes).map(|event| event.data.unwrap().into_owned());
    let events = data.filter(|data| data != b"[DONE]");
    Ok(events
        .map(|data| serde_json::from_slice(&data).unwrap())
        .collect())
}

fn chunk(id: &str, delta: Value, finish: Option<&str>) -> Value {
    json!({"id": id, "created": 1, "model": id, "object": "chat.completion.chunk",
           "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

fn sent() -> [Value; 3] {
    [
        chunk("first", json!({"role": "assistant", "content": ""}), None),
        chunk("first", json!({"content": "Hello"}), None),
        chunk("first", json!({"content": " dear"}), None),
    ]
}

#[test]
fn a_continued_chat_keeps_its_identity_and_repeats_nothing() {
    let mut splicer = splicer(
        Endpoint::ChatCompletions,
        &json!({"stream_options": {"include_usage": true}}),
        &sent(),
        Prefill::None,
    );
    let reply = [
        chunk("second", json!({"role": "assistant", "content": ""}), None),
        chunk("second", json!({"content": "Hello dear"}), None),
        chunk("second", json!({"content": " world"}), None),
        chunk("second", json!({}), Some("stop")),
        json!({"id": "second", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}}),
    ];
    let out = rewrite(&mut splicer, &reply).unwrap();
    let deltas: Vec<&Value> = out
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"])
        .collect();
    assert_eq!(
        deltas,
        [&json!({"content": " world"}), &json!({}), &Value::Null]
    );
    assert!(out.iter().all(|chunk| chunk["id"] == "first"));
    assert_eq!(out[1]["choices"][0]["finish_reason"], "stop");
    assert_eq!(out[2]["usage"]["completion_tokens"], 6);
    assert_eq!(out[2]["usage"]["total_tokens"], 15);
}

#[test]
fn a_reply_that_ends_while_the_seam_is_looked_for_loses_nothing() {
    let mut splicer = splicer(
        Endpoint::ChatCompletions,
        &json!({}),
        &sent(),
        Prefill::Prefix,
    );
    let reply = [
        chunk("second", json!({"content": "Hello"}), None),
        chunk("second", json!({}), Some("stop")),
    ];
    let out = rewrite(&mut splicer, &reply).unwrap();
    assert_eq!(out[0]["choices"][0]["delta"], json!({"content": "Hello"}));
    assert_eq!(out[1]["choices"][0]["finish_reason"], "stop");
}

#[test]
fn a_reply_that_fits_nowhere_is_not_used() {
    let mut splicer = splicer(
        Endpoint::ChatCompletions,
        &json!({}),
        &sent(),
        Prefill::None,
    );
    let reply = [
        chunk("second", json!({"content": "Sorry, what?"}), None),
        chunk("second", json!({}), Some("stop")),
    ];
    assert_eq!(rewrite(&mut splicer, &reply), Err(Defect::NoSeam));
}

#[test]
fn limits_hold_across_the_seam() {
    let ask = json!({"stop": "dear world", "max_tokens": 3});
    let mut stopped = splicer(Endpoint::ChatCompletions, &ask, &sent(), Prefill::Trailing);
    let reply = [chunk("second", json!({"content": " world and all"}), None)];
    let out = rewrite(&mut stopped, &reply).unwrap();
    assert_eq!(out[0]["choices"][0]["delta"], json!({}));
    assert_eq!(out[0]["choices"][0]["finish_reason"], "stop");
    assert!(stopped.has_stopped());

    let mut full = splicer(Endpoint::ChatCompletions, &ask, &sent(), Prefill::Trailing);
    let reply = [
        chunk("second", json!({"content": " one"}), None),
        chunk("second", json!({"content": " two"}), None),
    ];
    let out = rewrite(&mut full, &reply).unwrap();
    assert_eq!(out[0]["choices"][0]["delta"]["content"], " one");
    assert_eq!(out[1]["choices"][0]["finish_reason"], "length");
}

const RESPONSE_SENT: [&str; 4] = [
    r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","model":"one","created_at":1}}"#,
    r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"msg_1"}}"#,
    r#"{"type":"response.content_part.added","sequence_number":2,"content_index":0,"part":{"type":"output_text","text":""}}"#,
    r#"{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","delta":"Hello dear"}"#,
];
const RESPONSE_REPLY: [&str; 8] = [
    r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_2"}}"#,
    r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"msg_2"}}"#,
    r#"{"type":"response.content_part.added","sequence_number":2,"part":{"type":"output_text","text":""}}"#,
    r#"{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_2","delta":" world"}"#,
    r#"{"type":"response.output_text.done","sequence_number":4,"item_id":"msg_2","text":" world"}"#,
    r#"{"type":"response.content_part.done","sequence_number":5,"item_id":"msg_2","part":{"type":"output_text","text":" world"}}"#,
    r#"{"type":"response.output_item.done","sequence_number":6,"output_index":0,"item":{"type":"message","id":"msg_2","content":[{"type":"output_text","text":" world"}]}}"#,
    r#"{"type":"response.completed","sequence_number":7,"response":{"id":"resp_2","model":"two","status":"completed","output":[{"type":"message","id":"msg_2","content":[{"type":"output_text","text":" world"}]}],"usage":{"input_tokens":5,"output_tokens":1,"total_tokens":6}}}"#,
];

fn parsed<const N: usize>(events: [&str; N]) -> [Value; N] {
    events.map(|event| serde_json::from_str(event).unwrap())
}

#[test]
fn a_continued_response_is_one_response() {
    let sent = parsed(RESPONSE_SENT);
    let mut splicer = splicer(Endpoint::Responses, &json!({}), &sent, Prefill::Trailing);
    let out = rewrite(&mut splicer, &parsed(RESPONSE_REPLY)).unwrap();
    let numbered: Vec<(u64, &str)> = out
        .iter()
        .map(|event| {
            let kind = event["type"].as_str().unwrap();
            (event["sequence_number"].as_u64().unwrap(), kind)
        })
        .collect();
    assert_eq!(
        numbered,
        [
            (4, "response.output_text.delta"),
            (5, "response.output_text.done"),
            (6, "response.content_part.done"),
            (7, "response.output_item.done"),
            (8, "response.completed"),
        ]
    );
    assert_eq!(out[0]["item_id"], "msg_1");
    assert_eq!(out[0]["delta"], " world");
    assert_eq!(out[1]["text"], "Hello dear world");
    assert_eq!(out[2]["part"]["text"], "Hello dear world");
    let message = &out[3]["item"];
    assert_eq!(
        (&message["id"], &message["status"]),
        (&json!("msg_1"), &json!("completed"))
    );
    assert_eq!(message["content"][0]["text"], "Hello dear world");
    let response = &out[4]["response"];
    assert_eq!(response["id"], "resp_1");
    assert_eq!(response["model"], "one");
    assert_eq!(response["output"], json!([message.clone()]));
    assert_eq!(response["usage"]["output_tokens"], 2);
}

#[test]
fn a_response_that_is_long_enough_is_ended_as_incomplete() {
    let ask = json!({"max_output_tokens": 1});
    let sent = parsed(RESPONSE_SENT);
    let mut splicer = splicer(Endpoint::Responses, &ask, &sent, Prefill::None);
    let mut reply = parsed(RESPONSE_REPLY);
    reply[3]["delta"] = json!("Hello dear world");
    let out = rewrite(&mut splicer, &reply).unwrap();
    let last = out.last().unwrap();
    assert_eq!(last["type"], "response.incomplete");
    assert_eq!(
        last["response"]["output"][0]["content"][0]["text"],
        "Hello dear"
    );
    assert!(splicer.has_stopped());
}
