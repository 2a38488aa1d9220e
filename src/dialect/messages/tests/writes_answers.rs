//! What a client is told of an answer.

use serde_json::{Value, json};

use super::super::{Writer, write_answer};
use super::answered;
use crate::dialect::conversation::samples::streamed;
use crate::dialect::conversation::{
    Api, Asked, Begin, CallHead, Citation, Echo, End, Event, Signature, ToolName, Usage, thoughts,
};
use crate::wire::sse;

fn asked(shows_thoughts: bool) -> Asked {
    Asked {
        api: Api::Messages,
        model: "asked".to_owned(),
        with_usage: true,
        shows_thoughts,
        echo: Echo::default(),
    }
}

fn sent(shows_thoughts: bool, events: Vec<Event<'static>>) -> Vec<Value> {
    let out = streamed(Writer::new(asked(shows_thoughts)), events);
    let events = sse::events(&out).map(|event| {
        let data: Value = serde_json::from_slice(&event.data.unwrap()).unwrap();
        // The official SDK ignores events without a name.
        assert_eq!(event.name, data["type"].as_str().map(str::as_bytes));
        data
    });
    events.collect()
}

/// The events in short.
fn kinds(events: &[Value]) -> Vec<String> {
    let detail = |event: &Value| {
        let (delta, block) = (&event["delta"], &event["content_block"]);
        let fields = [
            "text",
            "thinking",
            "partial_json",
            "signature",
            "stop_reason",
        ];
        let said = fields.iter().find_map(|field| delta[field].as_str());
        said.or_else(|| block["type"].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let kind = |event: &Value| {
        event["type"]
            .as_str()
            .unwrap()
            .trim_start_matches("content_")
            .to_owned()
    };
    let index = |event: &Value| {
        event["index"]
            .as_u64()
            .map(|index| format!(" {index}"))
            .unwrap_or_default()
    };
    let short = |event: &Value| {
        format!("{}{} {}", kind(event), index(event), detail(event))
            .trim_end()
            .to_owned()
    };
    events.iter().map(short).collect()
}

fn begin() -> Event<'static> {
    Event::Begin(Begin {
        id: "chatcmpl-0123456789abcdef".to_owned(),
        model: "gpt-4o".to_owned(),
        created: None,
    })
}

fn call(id: &str) -> Event<'static> {
    let tool = ToolName {
        name: "f".to_owned(),
        ..ToolName::default()
    };
    Event::Call(CallHead {
        id: id.to_owned(),
        tool,
    })
}

fn signature(of: Api, is_redacted: bool) -> Signature {
    Signature {
        of,
        data: "s".to_owned(),
        is_redacted,
        id: None,
    }
}

fn end(end: End) -> Event<'static> {
    let usage = Usage {
        input: 15,
        cached: 3,
        written: 2,
        output: 7,
        reasoning: 4,
    };
    Event::End {
        end,
        usage: Some(usage),
    }
}

fn answer() -> Vec<Event<'static>> {
    vec![
        begin(),
        Event::Thought("H".into()),
        Event::Thought("m".into()),
        Event::Signature(signature(Api::Messages, false)),
        Event::Text("\"Hel".into()),
        Event::Alive,
        Event::Text("lo\"".into()),
        Event::Cited(Citation::default()),
        call("a"),
        Event::Arguments("{\"x\":".into()),
        Event::Arguments("1}".into()),
        Event::Called,
        call("b"),
        Event::Arguments("{}".into()),
        Event::Called,
        end(End::Calls),
    ]
}

#[test]
fn a_stream_has_one_block_after_the_other() {
    let events = sent(true, answer());
    assert_eq!(
        kinds(&events),
        [
            "message_start",
            "block_start 0 thinking",
            "block_delta 0 H",
            "block_delta 0 m",
            "block_delta 0 s",
            "block_stop 0",
            "block_start 1 text",
            "block_delta 1 \"Hel",
            "ping",
            "block_delta 1 lo\"",
            "block_stop 1",
            "block_start 2 tool_use",
            "block_delta 2 {\"x\":",
            "block_delta 2 1}",
            "block_stop 2",
            "block_start 3 tool_use",
            "block_delta 3 {}",
            "block_stop 3",
            "message_delta tool_use",
            "message_stop",
        ]
    );
    assert_eq!(
        events[0]["message"],
        json!({"id": "msg_0123456789abcdef", "type": "message", "role": "assistant", "model": "asked", "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 0, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0, "output_tokens": 0}})
    );
    assert_eq!(
        events[11]["content_block"],
        json!({"type": "tool_use", "id": "a", "name": "f", "input": {}})
    );
    assert_eq!(
        events[18]["usage"],
        json!({"input_tokens": 10, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 3, "output_tokens": 7,
            "output_tokens_details": {"thinking_tokens": 4}})
    );
    let hidden = kinds(&sent(false, answer()));
    assert_eq!(hidden[1..3], ["block_start 0 text", "block_delta 0 \"Hel"]);
}

#[test]
fn a_whole_answer_says_the_same() {
    let whole = answered(&asked(true), answer()).unwrap();
    assert_eq!(
        whole,
        json!({"id": "msg_0123456789abcdef", "type": "message", "role": "assistant", "model": "asked",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "s"},
                {"type": "text", "text": "\"Hello\""},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}}],
            "stop_reason": "tool_use", "stop_sequence": null,
            "usage": {"input_tokens": 10, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 3, "output_tokens": 7,
                "output_tokens_details": {"thinking_tokens": 4}}})
    );
    assert!(answered(&asked(true), vec![begin(), Event::Failed(json!({}))]).is_none());
    assert!(answered(&asked(true), vec![begin(), Event::Text("cut".into())]).is_none());
}

#[test]
fn no_more_is_cached_than_the_prompt_has() {
    let usage = Usage {
        input: 7,
        cached: 161,
        output: 1,
        ..Usage::default()
    };
    let end = Event::End {
        end: End::Whole,
        usage: Some(usage),
    };
    let whole = answered(&asked(true), vec![begin(), end]).unwrap();
    assert_eq!(
        whole["usage"],
        json!({"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 7, "output_tokens": 1})
    );
}

#[test]
fn thoughts_of_others_are_sealed_and_unsigned_ones_claim_nothing() {
    let (own, other) = (
        signature(Api::Messages, true),
        signature(Api::Responses, true),
    );
    let chat = signature(Api::Chat, false);
    let events = vec![
        begin(),
        Event::Thought("a".into()),
        Event::Signature(chat.clone()),
        Event::Thought("b".into()),
        Event::Signature(own),
        Event::Signature(other.clone()),
        Event::Signature(chat.clone()),
        Event::Thought("c".into()),
        end(End::Whole),
    ];
    let content = json!([
        {"type": "thinking", "thinking": "a", "signature": thoughts::seal(&chat)},
        {"type": "thinking", "thinking": "b", "signature": ""},
        {"type": "redacted_thinking", "data": "s"},
        {"type": "redacted_thinking", "data": thoughts::seal(&other)},
        {"type": "thinking", "thinking": "", "signature": thoughts::seal(&chat)},
        {"type": "thinking", "thinking": "c", "signature": ""},
    ]);
    assert_eq!(
        answered(&asked(true), events.clone()).unwrap()["content"],
        content
    );
    let kinds = kinds(&sent(true, events.clone()));
    let starts = kinds.iter().filter(|kind| kind.starts_with("block_start"));
    assert_eq!(starts.count(), 6);
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| kind.starts_with("block_stop"))
            .count(),
        6
    );
    assert_eq!(
        answered(&asked(false), events).unwrap()["content"],
        json!([])
    );
}

#[test]
fn every_end_has_its_reason() {
    for (ended, refuses, reason, sequence) in [
        (End::Whole, false, "end_turn", None),
        (End::Whole, true, "refusal", None),
        (End::Calls, false, "tool_use", None),
        (End::Limit, true, "max_tokens", None),
        (End::Filtered, false, "refusal", None),
        (
            End::Stop("END".to_owned()),
            false,
            "stop_sequence",
            Some("END"),
        ),
        (End::Stop(String::new()), false, "end_turn", None),
    ] {
        let refusal = refuses.then(|| Event::Refusal("I can't.".into()));
        let events: Vec<_> = [begin()]
            .into_iter()
            .chain(refusal)
            .chain([end(ended)])
            .collect();
        let whole = answered(&asked(true), events.clone()).unwrap();
        assert_eq!(
            (
                whole["stop_reason"].as_str(),
                whole["stop_sequence"].as_str()
            ),
            (Some(reason), sequence)
        );
        assert_eq!(
            whole["content"].as_array().unwrap().len(),
            usize::from(refuses)
        );
        let events = sent(true, events);
        let delta = &events[events.len() - 2]["delta"];
        assert_eq!(
            (
                delta["stop_reason"].as_str(),
                delta["stop_sequence"].as_str()
            ),
            (Some(reason), sequence)
        );
    }
}

#[test]
fn a_call_that_was_cut_has_no_input() {
    let events = vec![
        begin(),
        call("a"),
        Event::Arguments("{\"x\":".into()),
        Event::Called,
        end(End::Limit),
    ];
    let whole = answered(&asked(true), events).unwrap();
    assert_eq!(
        (&whole["content"][0]["input"], &whole["stop_reason"]),
        (&json!({}), &json!("max_tokens"))
    );
}

#[test]
fn what_failed_ends_with_an_error_of_this_api() {
    let error = json!({"message": "m", "type": "server_error", "code": "server_is_overloaded"});
    let events = sent(
        true,
        vec![begin(), Event::Text("a".into()), Event::Failed(error)],
    );
    let last = events.last().unwrap();
    assert_eq!(
        last,
        &json!({"type": "error", "error": {"type": "overloaded_error", "message": "m"}})
    );
}

#[test]
fn ids_are_anthropics_and_unique_and_the_model_is_the_one_asked_for() {
    let written = |id: &str| {
        let begin = Begin {
            id: id.to_owned(),
            model: "gpt-4o".to_owned(),
            created: None,
        };
        let whole = answered(&asked(true), vec![Event::Begin(begin), end(End::Whole)]).unwrap();
        assert_eq!(whole["model"], "asked");
        whole["id"].as_str().unwrap().to_owned()
    };
    for id in [
        "resp_0123456789abcdef",
        "msg_0123456789abcdef",
        "0123456789abcdef",
    ] {
        assert_eq!(written(id), "msg_0123456789abcdef");
    }
    assert!(written("chatcmpl-123").starts_with("msg_123_"));
    for short in ["chatcmpl-123", ""] {
        assert_ne!(written(short), written(short));
    }
    let whole = answered(&asked(true), vec![end(End::Whole)]).unwrap();
    assert!(whole["id"].as_str().unwrap().len() > 10);
}

#[test]
fn the_input_of_a_call_is_told_as_the_model_wrote_it() {
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let numbers = r#"{"n":25000000000000000000,"price":1.10,"e":1e400}"#;
    for (written, expected) in [(&*deep, &*deep), (numbers, numbers), ("{\"cut", "{}")] {
        let call = [call("a"), Event::Arguments(written.into()), Event::Called];
        let events = [begin()].into_iter().chain(call).chain([end(End::Calls)]);
        let whole = write_answer(&asked(true), events.collect()).unwrap();
        let whole = serde_json::to_string(&whole).unwrap();
        assert!(
            whole.contains(&format!("\"input\":{expected}}}")),
            "{whole}"
        );
    }
}
