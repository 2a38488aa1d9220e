//! Whole completions, read.

use serde_json::{Value, json};

use super::{events, reading};
use crate::dialect::chat::read_answer;
use crate::dialect::conversation::arbitrary::kept;
use crate::dialect::conversation::{End, Event, Piece};

fn read(completion: &Value) -> Option<Vec<Piece<'static>>> {
    read_answer(completion.to_string().as_bytes(), &reading()).map(kept)
}

fn message(message: Value, finish: Value) -> Value {
    json!({ "id": "c", "model": "m", "created": 7, "choices": [{ "index": 0, "message": message, "finish_reason": finish }] })
}

#[test]
fn a_completion_is_read_as_pieces() {
    let call = |id: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } });
    let mut completion = message(
        json!({ "role": "assistant", "content": "Hi", "reasoning": "Hm.", "tool_calls": [call("a"), call("a")] }),
        json!("tool_calls"),
    );
    completion["usage"] = json!({ "prompt_tokens": 3, "completion_tokens": 2 });
    let sent = events(read(&completion).unwrap());
    let kinds: Vec<&str> = sent
        .iter()
        .map(|event| match event {
            Event::Begin(begin) => begin.id.as_str(),
            Event::Thought(text) | Event::Text(text) | Event::Arguments(text) => text,
            Event::Call(head) => &head.tool.name,
            Event::Called => "called",
            Event::End {
                end: End::Calls,
                usage: Some(usage),
            } if usage.input == 3 => "end",
            _ => "?",
        })
        .collect();
    let call = ["f", "{\"a\":1}", "called"];
    let expected = [&["c", "Hm.", "Hi"][..], &call, &call, &["end"]].concat();
    assert_eq!(kinds, expected);
}

#[test]
fn what_is_no_completion_is_told_from_one() {
    for nothing in [
        json!({}),
        json!([]),
        json!({ "choices": [] }),
        json!({ "choices": [{ "index": 0 }] }),
        json!({ "error": { "message": "m" } }),
    ] {
        assert_eq!(read(&nothing), None, "{nothing}");
    }
    assert!(read_answer(b"<html>", &reading()).is_none());
}

#[test]
fn an_object_as_content_is_the_text_of_the_answer() {
    let completion = message(
        json!({ "content": { "name": "Emily Wilson", "age": 32 } }),
        json!("stop"),
    );
    let text = Piece::Text("{\"name\":\"Emily Wilson\",\"age\":32}".into());
    assert!(read(&completion).unwrap().contains(&text));
}

#[test]
fn objects_in_place_of_texts_keep_their_numbers() {
    let object = r#"{"n":25000000000000000000123,"d":1.10}"#;
    for (kind, message, expected) in [
        (
            "function",
            r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":OBJECT}}]}"#,
            Event::Arguments(object.into()),
        ),
        (
            "older",
            r#"{"function_call":{"name":"f","arguments":OBJECT}}"#,
            Event::Arguments(object.into()),
        ),
        (
            "content",
            r#"{"content":OBJECT}"#,
            Event::Text(object.into()),
        ),
    ] {
        let message = message.replace("OBJECT", object);
        for field in ["message", "delta"] {
            let body = format!(
                r#"{{"id":"c","choices":[{{"index":0,"{field}":{message},"finish_reason":"stop"}}]}}"#
            );
            let whole = read_answer(body.as_bytes(), &reading()).unwrap();
            let streamed = super::pieces(&[body.as_str().into()]);
            for pieces in [whole, streamed] {
                let pieces = pieces.into_iter().map(Piece::into_owned).collect();
                let seen = events(pieces);
                assert!(seen.contains(&expected), "{kind} {field}: {seen:?}");
            }
        }
    }
}

#[test]
fn a_completion_ends_for_the_reason_it_gives() {
    for (finish, expected) in [
        (json!("stop"), End::Whole),
        (json!("MAX_TOKENS"), End::Limit),
        (json!("content_filter"), End::Filtered),
        (Value::Null, End::Whole),
        (json!(""), End::Whole),
    ] {
        let sent = events(read(&message(json!({ "content": "x" }), finish.clone())).unwrap());
        assert!(
            matches!(sent.last(), Some(Event::End { end, .. }) if *end == expected),
            "{finish}"
        );
    }
    for failed in [json!("error"), json!("insufficient_system_resource")] {
        let sent = events(read(&message(json!({ "content": "x" }), failed)).unwrap());
        assert!(matches!(sent.last(), Some(Event::Failed(_))));
    }
    let mut slow = message(json!({ "content": "x" }), json!("error"));
    slow["choices"][0]["error"] = json!({ "code": 429 });
    assert_eq!(
        read(&slow).unwrap()[2],
        Piece::Failed(json!({ "code": 429 }))
    );
}

#[test]
fn a_tool_is_not_run_with_half_of_its_arguments() {
    let cut = json!({ "tool_calls": [{ "id": "c", "function": { "name": "rm", "arguments": "{\"path\":\"/a" } }] });
    let last = |finish: &str| events(read(&message(cut.clone(), json!(finish))).unwrap()).pop();
    assert!(matches!(last("tool_calls"), Some(Event::Failed(_))));
    assert!(matches!(
        last("length"),
        Some(Event::End {
            end: End::Limit,
            ..
        })
    ));
}

#[test]
fn custom_tools_and_older_functions_are_calls() {
    let custom = json!({ "tool_calls": [{ "id": "c", "type": "custom", "custom": { "name": "p", "input": "plain" } }] });
    let sent = events(read(&message(custom, json!("tool_calls"))).unwrap());
    let is_custom = |event: &Event<'_>| matches!(event, Event::Call(head) if head.tool.is_custom);
    assert!(sent.iter().any(is_custom) && sent.contains(&Event::Arguments("plain".into())));
    let older = json!({ "function_call": { "name": "f", "arguments": "" } });
    let sent = events(read(&message(older, json!("function_call"))).unwrap());
    assert!(sent.contains(&Event::Arguments("{}".into())), "{sent:?}");
    // llama-cpp-python says each call in both ways, and writes the older name wrong.
    let both = json!({
        "function_call": { "name": "f:", "arguments": "{}" },
        "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } }],
    });
    let sent = events(read(&message(both, json!("tool_calls"))).unwrap());
    let calls = sent.iter().filter(|event| matches!(event, Event::Call(_)));
    assert_eq!(calls.count(), 1, "{sent:?}");
}

#[test]
fn the_words_of_plain_completions_are_read_as_well() {
    let completion = |text: Value| json!({ "id": "c", "model": "m", "choices": [{ "index": 0, "text": text, "finish_reason": "length" }] });
    let pieces = read(&completion(json!("Hi"))).unwrap();
    assert!(pieces.contains(&Piece::Text("Hi".into())));
    assert!(pieces.contains(&Piece::End(End::Limit)));
    assert!(read(&completion(Value::Null)).is_none());
}
