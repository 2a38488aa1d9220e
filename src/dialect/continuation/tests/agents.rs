//! Streams with thoughts and calls, spliced.

use serde_json::{Value, json};

use super::{chunk, rewrite, sent, splicer};
use crate::catalogue::Prefill;
use crate::outcome::Defect;
use crate::request::Endpoint;

fn block(index: usize, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: usize, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: usize) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

/// What Claude sends before a text: a thought of its own.
fn thought() -> Vec<Value> {
    let usage = json!({"input_tokens": 9, "output_tokens": 1});
    let message = json!({"id": "msg_1", "model": "claude", "usage": usage});
    vec![
        json!({"type": "message_start", "message": message}),
        block(0, json!({"type": "thinking", "thinking": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "Hm"})),
    ]
}

/// A text, a call, and the end.
fn text_and_call(text: &str) -> Vec<Value> {
    let ended = json!({"stop_reason": "tool_use"});
    vec![
        json!({"type": "message_start", "message": {"id": "msg_2", "usage": {"input_tokens": 7}}}),
        block(0, json!({"type": "text", "text": ""})),
        delta(0, json!({"type": "text_delta", "text": text})),
        stop(0),
        block(
            1,
            json!({"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}}),
        ),
        delta(
            1,
            json!({"type": "input_json_delta", "partial_json": "{\"a\":1}"}),
        ),
        stop(1),
        json!({"type": "message_delta", "delta": ended, "usage": {"output_tokens": 5}}),
        json!({"type": "message_stop"}),
    ]
}

/// What happens to blocks, as `1 start text`.
fn steps(events: &[Value]) -> Vec<String> {
    let step = |event: &Value| {
        let kind = event["type"].as_str().unwrap();
        let kind = kind.strip_prefix("content_block_").unwrap_or(kind);
        let what = match kind {
            "start" => event["content_block"]["type"].as_str(),
            "delta" => event["delta"]["type"].as_str(),
            _ => None,
        };
        let index = event["index"].as_u64().map(|index| index.to_string());
        let parts = [index.as_deref(), Some(kind), what];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    events.iter().map(step).collect()
}

#[test]
fn a_message_that_broke_off_within_a_text_goes_on_in_its_block() {
    let mut sent = thought();
    sent.push(stop(0));
    sent.push(block(1, json!({"type": "text", "text": ""})));
    sent.push(delta(1, json!({"type": "text_delta", "text": "I look"})));
    let mut splicer = splicer(Endpoint::Messages, &json!({}), &sent, Prefill::Trailing);
    let out = rewrite(&mut splicer, &text_and_call(" there.")).unwrap();
    let expected = [
        "1 delta text_delta",
        "1 stop",
        "2 start tool_use",
        "2 delta input_json_delta",
        "2 stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(steps(&out), expected);
    assert_eq!(out[0]["delta"]["text"], " there.");
    assert_eq!(out[2]["content_block"]["id"], "toolu_2");
    assert_eq!(out[5]["delta"]["stop_reason"], "tool_use");
    let usage = &out[5]["usage"];
    assert_eq!(
        (&usage["input_tokens"], &usage["output_tokens"]),
        (&json!(9), &json!(7))
    );
}

#[test]
fn a_message_that_broke_off_within_thoughts_ends_them_and_begins_its_text() {
    let mut splicer = splicer(Endpoint::Messages, &json!({}), &thought(), Prefill::None);
    let reply = [
        thought(),
        vec![stop(0)],
        text_and_call("I look")[1..].to_vec(),
    ];
    let out = rewrite(&mut splicer, &reply.concat()).unwrap();
    let expected = [
        "0 stop",
        "1 start text",
        "1 delta text_delta",
        "1 stop",
        "2 start tool_use",
    ];
    assert_eq!(steps(&out)[..5], expected);
}

#[test]
fn a_call_does_not_take_the_place_of_a_seam() {
    let ask = json!({"tools": [{"type": "function", "function": {"name": "f"}}]});
    let function = json!({"name": "f", "arguments": "{}"});
    let call = json!([{"index": 0, "id": "call_1", "type": "function", "function": function}]);
    let spliced = |prefill: Prefill, text: &str| {
        let reply = [
            chunk("second", json!({"content": text}), None),
            chunk("second", json!({"tool_calls": call}), None),
            chunk("second", json!({}), Some("tool_calls")),
        ];
        let mut splicer = splicer(Endpoint::ChatCompletions, &ask, &sent(), prefill);
        rewrite(&mut splicer, &reply)
    };
    for text in ["", "Hello d"] {
        assert_eq!(spliced(Prefill::None, text), Err(Defect::NoSeam), "{text}");
    }
    for (prefill, text, new) in [
        (Prefill::None, "Hello dear all.", Some(" all.")),
        (Prefill::None, "Hello dear", None),
        (Prefill::Trailing, "", None),
        (Prefill::Trailing, ", all.", Some(", all.")),
    ] {
        let out = spliced(prefill, text).unwrap();
        let deltas: Vec<&Value> = out
            .iter()
            .map(|chunk| &chunk["choices"][0]["delta"])
            .collect();
        let said: Vec<&str> = deltas
            .iter()
            .filter_map(|delta| delta["content"].as_str())
            .collect();
        assert_eq!(said, Vec::from_iter(new), "{prefill:?} {text}");
        let id = |delta: &&Value| delta["tool_calls"][0]["id"].as_str().map(str::to_owned);
        assert_eq!(deltas.iter().find_map(id).as_deref(), Some("call_1"));
        let reason = &out.last().unwrap()["choices"][0]["finish_reason"];
        assert_eq!(reason, "tool_calls");
    }
}

#[test]
fn a_response_that_broke_off_within_its_second_thought_ends_both() {
    let sent = [
        json!({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "model": "one"}}),
        json!({"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": {"type": "reasoning", "id": "rs_1"}}),
        json!({"type": "response.reasoning_summary_part.added", "sequence_number": 2, "output_index": 0, "summary_index": 0}),
        json!({"type": "response.reasoning_summary_text.delta", "sequence_number": 3, "output_index": 0, "summary_index": 0, "delta": "Hm."}),
        json!({"type": "response.reasoning_summary_text.done", "sequence_number": 4, "output_index": 0, "summary_index": 0, "text": "Hm."}),
        json!({"type": "response.reasoning_summary_part.done", "sequence_number": 5, "output_index": 0, "summary_index": 0, "part": {"type": "summary_text", "text": "Hm."}}),
        json!({"type": "response.reasoning_summary_part.added", "sequence_number": 6, "output_index": 0, "summary_index": 1}),
        json!({"type": "response.reasoning_summary_text.delta", "sequence_number": 7, "output_index": 0, "summary_index": 1, "delta": "So"}),
    ];
    let mut splicer = splicer(Endpoint::Responses, &json!({}), &sent, Prefill::None);
    let reply = [
        json!({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_2"}}),
        json!({"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": {"type": "message", "id": "msg_2"}}),
        json!({"type": "response.output_text.delta", "sequence_number": 2, "output_index": 0, "item_id": "msg_2", "delta": "Yes."}),
    ];
    let out = rewrite(&mut splicer, &reply).unwrap();
    assert_eq!(
        (&out[0]["type"], &out[0]["text"]),
        (&json!("response.reasoning_summary_text.done"), &json!("So"))
    );
    assert_eq!(
        (&out[0]["summary_index"], &out[0]["sequence_number"]),
        (&json!(1), &json!(8))
    );
    let item = &out[2]["item"];
    assert_eq!(
        (&item["id"], &item["summary"][0]["text"]),
        (&json!("rs_1"), &json!("Hm."))
    );
    assert_eq!(item["summary"][1]["text"], "So");
    let last = out.last().unwrap();
    assert_eq!(
        (&last["delta"], &last["output_index"]),
        (&json!("Yes."), &json!(1))
    );
}
