//! Answers, as a chat's client is told them.

use serde_json::{Value, json};

use super::{accumulated, asked, data, stream};
use crate::dialect::chat::write_answer;
use crate::dialect::conversation::samples::{call, ended};
use crate::dialect::conversation::{Begin, Citation, End, Event};

fn begin() -> Event<'static> {
    Event::Begin(Begin {
        id: "msg_1".to_owned(),
        model: "m".to_owned(),
        created: Some(7),
    })
}

fn cited(url: &str) -> Event<'static> {
    Event::Cited(Citation {
        url: url.to_owned(),
        title: "T".to_owned(),
        start: 0,
        end: 2,
    })
}

/// An answer with everything in it.
fn everything() -> Vec<Event<'static>> {
    vec![
        begin(),
        Event::Thought("Hm.".into()),
        Event::Text("N\"é".into()),
        cited("a"),
        cited("b"),
        Event::Alive,
        call("c1", "f", None, false),
        Event::Arguments("{\"a\"".into()),
        Event::Arguments(":1}".into()),
        Event::Called,
        call("c2", "g", None, false),
        Event::Arguments("{}".into()),
        Event::Called,
        ended(End::Calls),
    ]
}

/// The usage that [`ended`] tells.
fn usage() -> Value {
    json!({ "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5,
        "prompt_tokens_details": { "cached_tokens": 1, "cache_write_tokens": 0 }, "completion_tokens_details": { "reasoning_tokens": 1 } })
}

#[test]
fn events_are_told_as_chunks() {
    let chunks = data(&stream(asked(true, false), everything()));
    let (done, chunks) = chunks.split_last().unwrap();
    assert_eq!(done, "[DONE]");
    let (last, chunks) = chunks.split_last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &usage()));
    let deltas: Vec<&Value> = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"])
        .collect();
    let annotation = |index: u64, url: &str| {
        json!({ "annotations": [{ "type": "url_citation", "index": index,
        "url_citation": { "url": url, "title": "T", "start_index": 0, "end_index": 2 } }] })
    };
    let called = |index: u64, id: &str, name: &str| json!({ "tool_calls": [{ "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": "" } }] });
    let more = |index: u64, text: &str| json!({ "tool_calls": [{ "index": index, "function": { "arguments": text } }] });
    assert_eq!(
        deltas,
        [
            &json!({ "role": "assistant", "reasoning_content": "Hm." }),
            &json!({ "content": "N\"é" }),
            &annotation(0, "a"),
            &annotation(1, "b"),
            &called(0, "c1", "f"),
            &more(0, "{\"a\""),
            &more(0, ":1}"),
            &called(1, "c2", "g"),
            &more(1, "{}"),
            &json!({}),
        ]
    );
    for (place, chunk) in chunks.iter().enumerate() {
        let mut chunk = chunk.clone();
        let mut choice = chunk["choices"][0].take();
        choice.as_object_mut().unwrap().remove("delta");
        let reason = if place + 1 == chunks.len() {
            json!("tool_calls")
        } else {
            Value::Null
        };
        assert_eq!(
            choice,
            json!({ "index": 0, "logprobs": null, "finish_reason": reason })
        );
        assert_eq!(
            chunk,
            json!({ "id": "msg_1", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": [null], "usage": null })
        );
    }
    let expected = [("c1", "f", "{\"a\":1}"), ("c2", "g", "{}")];
    assert_eq!(
        accumulated(chunks),
        expected.map(|(id, name, text)| (id.to_owned(), name.to_owned(), text.to_owned()))
    );
}

#[test]
fn a_text_behind_a_call_stands_apart() {
    let text = |text: &str| Event::Text(text.to_owned().into());
    let events = vec![
        begin(),
        call("c1", "f", None, false),
        Event::Called,
        text("Né"),
        cited("a"),
        call("c2", "g", None, false),
        Event::Called,
        call("c3", "g", None, false),
        Event::Called,
        text("b"),
        text("c\n"),
        cited("b"),
        call("c4", "g", None, false),
        Event::Called,
        text("d"),
        ended(End::Calls),
    ];
    let places = |annotations: &[Value]| -> Vec<Value> {
        let place = |annotation: &Value| annotation["url_citation"]["start_index"].clone();
        annotations.iter().map(place).collect()
    };
    let whole = write_answer(&asked(false, false), events.clone()).unwrap();
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["content"], "Né\n\nbc\nd");
    let annotations = message["annotations"].as_array().unwrap();
    assert_eq!(places(annotations), [0, 2]);
    let chunks = data(&stream(asked(false, false), events));
    let deltas = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]);
    let content: String = deltas
        .clone()
        .filter_map(|delta| delta["content"].as_str())
        .collect();
    assert_eq!(content, "Né\n\nbc\nd");
    let annotations: Vec<Value> = deltas
        .filter_map(|delta| delta["annotations"].get(0).cloned())
        .collect();
    assert_eq!(places(&annotations), [0, 2]);
}

#[test]
fn events_are_told_as_a_completion() {
    let annotation = |url: &str| json!({ "type": "url_citation", "url_citation": { "url": url, "title": "T", "start_index": 0, "end_index": 2 } });
    let called = |id: &str, name: &str, text: &str| json!({ "id": id, "type": "function", "function": { "name": name, "arguments": text } });
    let message = json!({
        "role": "assistant", "content": "N\"é", "refusal": null, "annotations": [annotation("a"), annotation("b")],
        "reasoning_content": "Hm.", "tool_calls": [called("c1", "f", "{\"a\":1}"), called("c2", "g", "{}")],
    });
    let choice =
        json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": "tool_calls" });
    assert_eq!(
        write_answer(&asked(false, false), everything()),
        Some(
            json!({ "id": "msg_1", "object": "chat.completion", "created": 7, "model": "m", "choices": [choice], "usage": usage() })
        )
    );
}

#[test]
fn usage_is_told_to_those_who_ask() {
    let sent = |with_usage: bool| {
        data(&stream(
            asked(with_usage, false),
            vec![begin(), Event::Text("a".into()), ended(End::Whole)],
        ))
    };
    assert_eq!(sent(false).len(), 3);
    assert!(sent(false).iter().all(|chunk| chunk.get("usage").is_none()));
    assert_eq!(sent(true).len(), 4);
    let unknown = vec![
        begin(),
        Event::Text("a".into()),
        Event::End {
            end: End::Whole,
            usage: None,
        },
    ];
    assert_eq!(data(&stream(asked(true, false), unknown)).len(), 3);
}

#[test]
fn a_client_of_the_older_functions_hears_of_one_call() {
    let chunks = data(&stream(asked(false, true), everything()));
    let calls: Vec<&Value> = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"]["function_call"])
        .filter(|call| !call.is_null())
        .collect();
    let (first, more) = (
        json!({ "name": "f", "arguments": "" }),
        |text: &str| json!({ "arguments": text }),
    );
    assert_eq!(calls, [&first, &more("{\"a\""), &more(":1}")]);
    assert_eq!(
        chunks[chunks.len() - 2]["choices"][0]["finish_reason"],
        "function_call"
    );
    let completion = write_answer(&asked(false, true), everything()).unwrap();
    let message = &completion["choices"][0]["message"];
    assert_eq!(
        message["function_call"],
        json!({ "name": "f", "arguments": "{\"a\":1}" })
    );
    assert!(message.get("tool_calls").is_none());
}

#[test]
fn a_custom_tool_is_called_with_its_text() {
    let events = || {
        vec![
            begin(),
            call("c1", "p", None, true),
            Event::Arguments("a\n".into()),
            Event::Called,
            ended(End::Calls),
        ]
    };
    let chunks = data(&stream(asked(false, false), events()));
    let call = |chunk: usize| &chunks[chunk]["choices"][0]["delta"]["tool_calls"][0];
    assert_eq!(
        call(0),
        &json!({ "index": 0, "id": "c1", "type": "custom", "custom": { "name": "p", "input": "" } })
    );
    assert_eq!(
        call(1),
        &json!({ "index": 0, "custom": { "input": "a\n" } })
    );
    let completion = write_answer(&asked(false, false), events()).unwrap();
    assert_eq!(
        completion["choices"][0]["message"]["tool_calls"],
        json!([{ "id": "c1", "type": "custom", "custom": { "name": "p", "input": "a\n" } }])
    );
}

#[test]
fn an_answer_ends_for_a_reason_that_the_client_knows() {
    for (end, reason) in [
        (End::Whole, "stop"),
        (End::Stop("x".to_owned()), "stop"),
        (End::Limit, "length"),
        (End::Filtered, "content_filter"),
        (End::Calls, "tool_calls"),
    ] {
        let events = || vec![begin(), Event::Refusal("No.".into()), ended(end.clone())];
        let chunks = data(&stream(asked(false, false), events()));
        assert_eq!(
            chunks[0]["choices"][0]["delta"],
            json!({ "role": "assistant", "refusal": "No." })
        );
        assert_eq!(chunks[1]["choices"][0]["finish_reason"], reason);
        let completion = write_answer(&asked(false, false), events()).unwrap();
        assert_eq!(completion["choices"][0]["finish_reason"], reason);
        assert_eq!(
            completion["choices"][0]["message"],
            json!({ "role": "assistant", "content": "", "refusal": "No." })
        );
    }
}

#[test]
fn an_answer_that_says_nothing_is_told_as_one() {
    let chunks = data(&stream(
        asked(false, false),
        vec![begin(), ended(End::Whole)],
    ));
    assert_eq!(
        chunks[0]["choices"][0]["delta"],
        json!({ "role": "assistant", "content": "" })
    );
    assert_eq!(chunks.len(), 3);
}

#[test]
fn a_failure_is_told_and_nothing_else() {
    let error = json!({ "message": "m", "code": "server_error" });
    let events = || {
        vec![
            begin(),
            Event::Text("a".into()),
            Event::Failed(error.clone()),
        ]
    };
    let chunks = data(&stream(asked(true, false), events()));
    assert_eq!(chunks[1..], [json!({ "error": error })]);
    assert_eq!(write_answer(&asked(true, false), events()), None);
    assert_eq!(
        write_answer(
            &asked(true, false),
            vec![begin(), Event::Text("cut".into())]
        ),
        None
    );
    assert_eq!(
        stream(asked(true, false), vec![Event::Alive]),
        b": keepalive\n\n"
    );
}

#[test]
fn what_the_upstream_does_not_say_is_made_up() {
    let sent = vec![Event::Begin(Begin::default()), ended(End::Whole)];
    let completion = write_answer(&asked(false, false), sent).unwrap();
    assert!(completion["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert_eq!(completion["model"], "asked");
    assert!(completion["created"].as_u64().unwrap() > 1_700_000_000);
}
