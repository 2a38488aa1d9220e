//! Answers of several messages: a commentary, and then the answer itself.

use serde_json::{Value, json};

use super::answers_read::{response, said};
use crate::dialect::conversation::samples::{assembled, reading};
use crate::dialect::conversation::{Citation, Event};
use crate::dialect::responses::read_answer;

fn message(id: &str, text: &str) -> Value {
    let source =
        json!({"type": "url_citation", "url": "u", "title": "T", "start_index": 0, "end_index": 2});
    json!({"id": id, "type": "message", "role": "assistant", "status": "completed",
           "content": [{"type": "output_text", "text": text, "annotations": [source]}]})
}

fn call() -> Value {
    json!({"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"})
}

fn thought() -> Value {
    json!({"id": "rs_1", "type": "reasoning", "summary": []})
}

/// The events of a response with these items: with deltas, only with whole items, or only with the whole response.
fn streams(items: &[Value]) -> [Vec<Value>; 3] {
    let done =
        json!({"type": "response.completed", "response": response("completed", json!(items))});
    let mut whole = Vec::new();
    let mut deltas = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let of = |kind: &str| json!({"type": format!("response.output_item.{kind}"), "output_index": index, "item": item});
        let text = &item["content"][0]["text"];
        deltas.push(of("added"));
        if text.is_string() {
            deltas.push(json!({"type": "response.output_text.delta", "output_index": index, "content_index": 0, "delta": text}));
        }
        deltas.push(of("done"));
        whole.push(of("done"));
    }
    deltas.push(done.clone());
    whole.push(done.clone());
    [deltas, whole, vec![done]]
}

fn text(events: &[Event<'_>]) -> (String, Vec<usize>) {
    let mut text = String::new();
    let mut places = Vec::new();
    for event in events {
        match event {
            Event::Text(more) => text += more,
            Event::Cited(Citation { start, .. }) => places.push(*start),
            _ => {}
        }
    }
    (text, places)
}

#[test]
fn messages_that_follow_each_other_are_told_apart() {
    let (one, two) = (message("m1", "Né look."), message("m2", "It is 4."));
    for (items, expected) in [
        (
            vec![one.clone(), two.clone()],
            ("Né look.\n\nIt is 4.", vec![0, 10]),
        ),
        (
            vec![one.clone(), thought(), two.clone()],
            ("Né look.\n\nIt is 4.", vec![0, 10]),
        ),
        // What stands behind a call stands apart.
        (
            vec![one.clone(), call(), two.clone()],
            ("Né look.It is 4.", vec![0, 8]),
        ),
        (vec![one], ("Né look.", vec![0])),
    ] {
        let expected = (expected.0.to_owned(), expected.1);
        for stream in streams(&items) {
            assert_eq!(text(&said(&stream)), expected, "{stream:?}");
        }
        let whole = response("completed", json!(items)).to_string();
        let pieces = read_answer(whole.as_bytes(), &reading()).unwrap();
        assert_eq!(text(&assembled(reading().names, pieces)), expected);
    }
}
