//! What an answer says, event by event or whole.

use serde_json::{Value, json};

use crate::dialect::conversation::samples::{assembled, read, reading};
use crate::dialect::conversation::*;
use crate::dialect::responses::{Reader, read_answer};

fn pieces(events: &[Value]) -> Vec<Piece<'static>> {
    read(Reader::new(&reading()), events)
}

/// What a client is told of them, with texts that follow each other joined.
pub(super) fn said(events: &[Value]) -> Vec<Event<'static>> {
    arbitrary::folded(assembled(reading().names, pieces(events)))
}

pub(super) fn response(status: &str, output: Value) -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 7.0, "model": "real", "status": status, "output": output,
        "error": null, "incomplete_details": null,
        "usage": {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 1}, "output_tokens": 2,
                  "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 5},
    })
}

fn citation() -> Value {
    json!({"type": "url_citation", "url": "u", "title": "T", "start_index": 0, "end_index": 2})
}

/// An answer with everything: a thought in two parts, a text with a source, a call of either kind.
fn output() -> Value {
    json!([
        {"id": "rs_1", "type": "reasoning", "encrypted_content": "e",
         "summary": [{"type": "summary_text", "text": "hm"}, {"type": "summary_text", "text": "so"}]},
        {"id": "ws_1", "type": "web_search_call", "status": "completed"},
        {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
         "content": [{"type": "output_text", "text": "Né!", "annotations": [citation()], "logprobs": []}]},
        {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"x\":1}", "status": "completed"},
        {"id": "ctc_1", "type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "1+1", "status": "completed"},
    ])
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn stream() -> Vec<Value> {
    let output = output();
    let mut events = vec![
        json!({"type": "response.created", "response": response("in_progress", json!([]))}),
        json!({"type": "response.in_progress", "response": response("in_progress", json!([]))}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "unfinished"}}),
    ];
    let place = json!({"item_id": "rs_1", "output_index": 0});
    for (part, (one, two)) in [("h", "m"), ("s", "o")].into_iter().enumerate() {
        let mut at = place.clone();
        at["summary_index"] = part.into();
        let about = |kind: &str, field: &str, value: Value| {
            let mut event = at.clone();
            event["type"] = format!("response.reasoning_summary_{kind}").into();
            event[field] = value;
            event
        };
        events.extend([
            about(
                "part.added",
                "part",
                json!({"type": "summary_text", "text": ""}),
            ),
            about("text.delta", "delta", json!(one)),
            about("text.delta", "delta", json!(two)),
            about("text.done", "text", json!(format!("{one}{two}"))),
            about(
                "part.done",
                "part",
                json!({"type": "summary_text", "text": format!("{one}{two}")}),
            ),
        ]);
    }
    let text = json!({"item_id": "msg_1", "output_index": 2, "content_index": 0});
    let with = |kind: &str, fields: Value| {
        let mut event = text.clone();
        event["type"] = format!("response.{kind}").into();
        for (name, value) in fields.as_object().unwrap() {
            event[name] = value.clone();
        }
        event
    };
    events.extend([
        json!({"type": "response.output_item.done", "output_index": 0, "item": output[0]}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": output[1]}),
        json!({"type": "response.web_search_call.searching", "output_index": 1, "item_id": "ws_1"}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": output[1]}),
        json!({"type": "response.output_item.added", "output_index": 2, "item": {"id": "msg_1", "type": "message", "content": []}}),
        with("content_part.added", json!({"part": {"type": "output_text", "text": ""}})),
        with("output_text.delta", json!({"delta": "Né"})),
        with("output_text.annotation.added", json!({"annotation": citation(), "annotation_index": 0})),
        with("output_text.delta", json!({"delta": "!", "obfuscation": "xyz"})),
        with("output_text.done", json!({"text": "Né!"})),
        with("content_part.done", json!({"part": output[2]["content"][0]})),
        json!({"type": "response.output_item.done", "output_index": 2, "item": output[2]}),
        json!({"type": "response.output_item.added", "output_index": 3, "item": {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": ""}}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 3, "item_id": "fc_1", "delta": "{\"x\""}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 3, "item_id": "fc_1", "delta": ":1}"}),
        json!({"type": "response.function_call_arguments.done", "output_index": 3, "item_id": "fc_1", "arguments": "{\"x\":1}"}),
        json!({"type": "response.output_item.done", "output_index": 3, "item": output[3]}),
        json!({"type": "response.output_item.added", "output_index": 4, "item": {"id": "ctc_1", "type": "custom_tool_call", "call_id": "c2", "name": "g", "input": ""}}),
        json!({"type": "response.custom_tool_call_input.delta", "output_index": 4, "item_id": "ctc_1", "delta": "1+1"}),
        json!({"type": "response.custom_tool_call_input.done", "output_index": 4, "item_id": "ctc_1", "input": "1+1"}),
        json!({"type": "response.output_item.done", "output_index": 4, "item": output[4]}),
        json!({"type": "response.completed", "response": response("completed", output)}),
    ]);
    events
}

fn expected() -> Vec<Event<'static>> {
    let signature = Signature {
        of: Api::Responses,
        data: "e".to_owned(),
        is_redacted: false,
        id: Some("rs_1".to_owned()),
    };
    let call = |id: &str, name: &str, is_custom: bool| {
        let tool = ToolName {
            name: name.to_owned(),
            namespace: None,
            is_custom,
        };
        Event::Call(CallHead {
            id: id.to_owned(),
            tool,
        })
    };
    vec![
        Event::Begin(Begin {
            id: "resp_1".to_owned(),
            model: "real".to_owned(),
            created: Some(7),
        }),
        Event::Thought("hm\n\nso".into()),
        Event::Signature(signature),
        Event::Text("Né!".into()),
        Event::Cited(Citation {
            url: "u".to_owned(),
            title: "T".to_owned(),
            start: 0,
            end: 2,
        }),
        call("c1", "f", false),
        Event::Arguments("{\"x\":1}".into()),
        Event::Called,
        call("c2", "g", true),
        Event::Arguments("1+1".into()),
        Event::Called,
        Event::End {
            end: End::Calls,
            usage: Some(Usage {
                input: 3,
                cached: 1,
                written: 0,
                output: 2,
                reasoning: 1,
            }),
        },
    ]
}

/// The texts joined, a source behind the text that it belongs to.
fn in_order(mut events: Vec<Event<'static>>) -> Vec<Event<'static>> {
    let is_cited = |event: &Event<'_>| matches!(event, Event::Cited(_));
    while let Some(place) = events
        .windows(2)
        .position(|two| is_cited(&two[0]) && matches!(two[1], Event::Text(_)))
    {
        events.swap(place, place + 1);
    }
    arbitrary::folded(events)
}

#[test]
fn a_stream_says_what_its_response_says() {
    assert_eq!(in_order(said(&stream())), expected());
    let whole = response("completed", output()).to_string();
    let pieces = arbitrary::kept(read_answer(whole.as_bytes(), &reading()).unwrap());
    let said = assembled(reading().names, pieces);
    assert_eq!(in_order(arbitrary::folded(said)), expected());
}

#[test]
fn a_number_that_a_copy_leaves_out_is_that_of_what_goes_on() {
    for field in ["output_index", "content_index"] {
        for left_out in [&[0, 1][..], &[0], &[1]] {
            let mut events = stream();
            for (number, event) in events.iter_mut().enumerate() {
                let is_delta = event["type"].as_str().unwrap().ends_with(".delta");
                if is_delta && left_out.contains(&(number % 2)) {
                    event.as_object_mut().unwrap().remove(field);
                }
            }
            let said = in_order(said(&events));
            assert_eq!(said, expected(), "{field} {left_out:?}");
        }
    }
}

#[test]
fn nothing_is_lost_or_said_twice_whatever_a_copy_leaves_out() {
    let leave_out = |is_left_out: fn(&str) -> bool| -> Vec<Value> {
        let kept = |event: &Value| !is_left_out(event["type"].as_str().unwrap());
        stream().into_iter().filter(kept).collect()
    };
    let without = |field: &str| -> Vec<Value> {
        let mut events = stream();
        for event in &mut events {
            event.as_object_mut().unwrap().remove(field);
        }
        events
    };
    let mut other_ids = stream();
    for item in other_ids.last_mut().unwrap()["response"]["output"]
        .as_array_mut()
        .unwrap()
    {
        item["id"] = json!("another");
    }
    let mut without_places = without("output_index");
    for event in &mut without_places {
        event.as_object_mut().unwrap().remove("item_id");
    }
    let kinds: [Vec<Value>; 12] = [
        leave_out(|kind| kind.ends_with(".delta")),
        leave_out(|kind| {
            kind.ends_with(".delta")
                || kind.ends_with("text.done")
                || kind.contains("arguments")
                || kind.contains("input")
        }),
        leave_out(|kind| kind.ends_with(".done")),
        leave_out(|kind| kind.contains("output_item")),
        leave_out(|kind| kind.contains("output_item.done")),
        leave_out(|kind| kind != "response.completed"),
        leave_out(|kind| kind == "response.created" || kind.contains("annotation")),
        without("output_index"),
        without("item_id"),
        other_ids,
        without_places,
        leave_out(|kind| kind.contains("output_item.added")),
    ];
    // Without its items a call has no name before the end, and a thought no proof.
    let end_of_thought = |event: &Event<'_>| !matches!(event, Event::Signature(_));
    for (number, events) in kinds.into_iter().enumerate() {
        let said = in_order(said(&events));
        let is_bare = (2..=4).contains(&number);
        let expected: Vec<_> = expected()
            .into_iter()
            .filter(|event| !is_bare || end_of_thought(event))
            .collect();
        let said: Vec<_> = said
            .into_iter()
            .filter(|event| !is_bare || end_of_thought(event))
            .collect();
        assert_eq!(said, expected, "{number}");
    }
}

#[test]
fn calls_are_put_together_wherever_their_pieces_are() {
    let added = |index: u64, id: &str| {
        json!({"type": "response.output_item.added", "output_index": index,
        "item": {"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": id, "arguments": ""}})
    };
    let delta = |index: u64, id: &str, delta: &str| {
        json!({"type": "response.function_call_arguments.delta",
        "output_index": index, "item_id": format!("fc_{id}"), "delta": delta})
    };
    let end = json!({"type": "response.completed", "response": response("completed", json!([]))});
    let mut alike = [added(0, "a"), added(1, "b")];
    alike[1]["item"]["call_id"] = json!("a");
    for begun in [[added(0, "a"), added(1, "b")], alike] {
        let more = [
            delta(1, "b", "{\"y\""),
            delta(0, "a", "{\"x\":1}"),
            delta(1, "b", ":2}"),
            end.clone(),
        ];
        let said: Vec<Event<'_>> = said(&[&begun[..], &more].concat())
            .into_iter()
            .filter(|event| matches!(event, Event::Arguments(_)))
            .collect();
        let expected = ["{\"x\":1}", "{\"y\":2}"];
        assert_eq!(said, expected.map(|text| Event::Arguments(text.into())));
    }
}

#[test]
fn what_was_cut_is_cut() {
    let mut cut = response(
        "incomplete",
        json!([{"type": "function_call", "id": "fc", "call_id": "c", "name": "f",
        "arguments": "{\"x", "status": "incomplete"}]),
    );
    for (reason, expected) in [
        (json!({"reason": "max_output_tokens"}), End::Limit),
        (json!({"reason": "content_filter"}), End::Filtered),
        (json!({"reason": "steered"}), End::Limit),
        (Value::Null, End::Limit),
    ] {
        cut["incomplete_details"] = reason;
        let item = cut["output"][0].clone();
        let events = [
            json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
            json!({"type": "response.incomplete", "response": cut}),
        ];
        let said = said(&events);
        assert_eq!(said[2], Event::Arguments("{\"x".into()));
        assert!(
            matches!(said.last(), Some(Event::End { end, .. }) if *end == expected),
            "{said:?}"
        );
    }
}

#[test]
fn a_failure_is_told_in_its_own_words() {
    let error = json!({"code": "rate_limit_exceeded", "message": "slow"});
    let flat = json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow", "sequence_number": 3});
    let nested = json!({"type": "error", "error": error, "sequence_number": 3});
    let untyped = json!({"error": error});
    let mut failed = response("failed", json!([]));
    failed["error"] = error.clone();
    let last = json!({"type": "response.failed", "response": failed});
    for event in [flat, nested, untyped, last] {
        assert_eq!(pieces(&[event]).last(), Some(&Piece::Failed(error.clone())));
    }
    let mut whole = response("failed", json!([]));
    whole["error"] = error.clone();
    let read = arbitrary::kept(read_answer(whole.to_string().as_bytes(), &reading()).unwrap());
    assert_eq!(read.last(), Some(&Piece::Failed(error)));
    let unexplained = json!({"type": "response.failed", "response": response("failed", json!([]))});
    assert!(
        matches!(pieces(&[unexplained]).last(), Some(Piece::Failed(error)) if error["code"] == "server_error")
    );
}

#[test]
fn what_is_no_answer_is_none() {
    for body in [
        "",
        "{}",
        "[]",
        "{\"choices\":[]}",
        "{\"error\":{\"message\":\"m\"}}",
    ] {
        assert_eq!(read_answer(body.as_bytes(), &reading()), None, "{body}");
    }
    let going_on = response("queued", json!([])).to_string();
    let read = read_answer(going_on.as_bytes(), &reading()).unwrap();
    assert!(!read.iter().any(|piece| matches!(piece, Piece::End(_))));
}

#[test]
fn other_events_are_signs_of_life_at_most() {
    assert_eq!(
        pieces(&[json!({"type": "keepalive", "sequence_number": 1})]),
        [Piece::Alive]
    );
    assert_eq!(
        pieces(&[json!({"type": "response.mcp_call.in_progress"})]),
        [Piece::Unseen]
    );
    assert_eq!(pieces(&[json!({"type": "codex.rate_limits"})]), []);
    assert_eq!(pieces(&[json!({"x": 1})]), [Piece::Unreadable]);
    let mut reader = Reader::new(&reading());
    let mut pieces = Vec::new();
    reader.read(
        Some(b"response.output_text.delta"),
        r#"{"delta":"a","output_index":"0","logprobs":null,"item_id":7}"#,
        &mut pieces,
    );
    reader.read(Some(b"error"), r#"{"message":"m"}"#, &mut pieces);
    reader.read(None, "{\"type\":", &mut pieces);
    reader.read(None, "[DONE]", &mut pieces);
    assert_eq!(
        pieces,
        [
            Piece::Text("a".into()),
            Piece::Failed(json!({"message": "m"})),
            Piece::Unreadable,
            Piece::Over
        ]
    );
}
