//! What is read of an answer.

use serde_json::{Value, json};

use super::super::{Reader, read_answer};
use crate::dialect::conversation::arbitrary::kept;
use crate::dialect::conversation::{
    Api, Begin, Citation, End, Piece, Reading, Signature, Usage, samples,
};

/// What is known of the request.
pub(super) fn reading(has_answer_tool: bool) -> Reading {
    Reading {
        has_answer_tool,
        ..samples::reading()
    }
}

/// The pieces of events of these data, without their end.
pub(super) fn streamed(has_answer_tool: bool, events: &[Value]) -> Vec<Piece<'static>> {
    samples::read(Reader::new(&reading(has_answer_tool)), events)
}

fn whole(has_answer_tool: bool, body: &Value) -> Vec<Piece<'static>> {
    kept(read_answer(body.to_string().as_bytes(), &reading(has_answer_tool)).unwrap())
}

fn start(index: u64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, kind: &str, field: &str, text: &str) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": {"type": kind, field: text}})
}

fn stop(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn call(id: &str, name: &str, input: Value) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": input})
}

fn called(index: usize, arguments: Option<&'static str>) -> Piece<'static> {
    Piece::Called {
        index,
        arguments: arguments.map(Into::into),
    }
}

fn more(index: usize, text: &'static str) -> Piece<'static> {
    Piece::Arguments {
        index,
        text: text.into(),
    }
}

fn begun(index: usize, id: &'static str, name: &'static str) -> Piece<'static> {
    Piece::Call {
        index,
        id: id.into(),
        name: name.into(),
        is_custom: false,
    }
}

fn signature(data: &str, is_redacted: bool) -> Piece<'static> {
    Piece::Signature(Signature {
        of: Api::Messages,
        data: data.to_owned(),
        is_redacted,
        id: None,
    })
}

fn cited(url: &str, title: &str, start: usize, end: usize) -> Piece<'static> {
    Piece::Cited(Citation {
        url: url.to_owned(),
        title: title.to_owned(),
        start,
        end,
    })
}

#[test]
fn a_stream_is_read_event_by_event() {
    let usage = json!({"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 2});
    let message = json!({"id": "msg_1", "model": "claude", "content": [], "usage": usage});
    let pieces = streamed(
        false,
        &[
            json!({"type": "message_start", "message": message}),
            start(0, json!({"type": "thinking", "thinking": ""})),
            delta(0, "thinking_delta", "thinking", "Hm"),
            delta(0, "signature_delta", "signature", "s"),
            stop(0),
            start(1, json!({"type": "redacted_thinking", "data": "d"})),
            stop(1),
            start(2, json!({"type": "text", "text": "He"})),
            delta(2, "text_delta", "text", "llo"),
            delta(2, "text_delta", "text", ""),
            stop(2),
            start(3, call("toolu_1", "f", json!({}))),
            delta(3, "input_json_delta", "partial_json", "{\"a\":"),
            delta(3, "input_json_delta", "partial_json", "1}"),
            stop(3),
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null},
            "usage": {"output_tokens": 7, "output_tokens_details": {"thinking_tokens": 3}}}),
            json!({"type": "message_stop"}),
        ],
    );
    let used = Usage {
        input: 7,
        cached: 2,
        output: 1,
        ..Usage::default()
    };
    let begin = Begin {
        id: "msg_1".to_owned(),
        model: "claude".to_owned(),
        created: None,
    };
    assert_eq!(
        pieces,
        [
            Piece::Begin(begin),
            Piece::Usage(used),
            Piece::Thought("Hm".into()),
            signature("s", false),
            signature("d", true),
            Piece::Text("He".into()),
            Piece::Text("llo".into()),
            begun(0, "toolu_1", "f"),
            more(0, "{\"a\":"),
            more(0, "1}"),
            called(0, Some("{}")),
            Piece::Usage(Usage {
                output: 7,
                reasoning: 3,
                ..used
            }),
            Piece::End(End::Calls),
            Piece::Over,
        ]
    );
}

#[test]
fn blocks_that_are_interleaved_keep_their_numbers() {
    let pieces = streamed(
        false,
        &[
            start(0, call("a", "fa", json!({}))),
            start(1, call("b", "fb", json!({"y": 2}))),
            delta(0, "input_json_delta", "partial_json", "{\"x\":1}"),
            stop(1),
            stop(0),
        ],
    );
    assert_eq!(
        pieces,
        [
            begun(0, "a", "fa"),
            begun(1, "b", "fb"),
            Piece::Arguments {
                index: 0,
                text: "{\"x\":1}".into()
            },
            called(1, Some("{\"y\":2}")),
            called(0, Some("{}")),
        ]
    );
}

#[test]
fn the_web_is_searched_unseen_and_cited() {
    let page = |url: &str, title: Value| json!({"type": "web_search_result_location", "url": url, "title": title});
    let cites = |index: u64, page: Value| json!({"type": "content_block_delta", "index": index, "delta": {"type": "citations_delta", "citation": page}});
    let pieces = streamed(
        false,
        &[
            start(
                0,
                json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
            ),
            delta(0, "input_json_delta", "partial_json", "{\"query\":\"x\"}"),
            stop(0),
            start(
                1,
                json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": []}),
            ),
            stop(1),
            start(2, json!({"type": "text", "text": ""})),
            delta(2, "text_delta", "text", "Né à "),
            stop(2),
            start(3, json!({"type": "text", "text": "", "citations": []})),
            cites(3, page("a", json!("A"))),
            delta(3, "text_delta", "text", "Paris"),
            cites(3, page("b", Value::Null)),
            cites(3, json!({"type": "char_location", "document_index": 0})),
            stop(3),
        ],
    );
    let shown: Vec<_> = pieces
        .into_iter()
        .filter(|piece| *piece != Piece::Unseen)
        .collect();
    assert_eq!(
        shown,
        [
            Piece::Text("Né à ".into()),
            Piece::Text("Paris".into()),
            cited("a", "A", 5, 10),
            cited("b", "", 5, 10),
        ]
    );
}

#[test]
fn a_whole_answer_is_read_like_a_stream() {
    let body = json!({"id": "msg_1", "model": "claude", "type": "message", "stop_reason": "end_turn", "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        {"type": "text", "text": "Né à "},
        {"type": "text", "text": "Paris.", "citations": [{"type": "search_result_location", "source": "https://a", "title": "A"}, {"type": "search_result_location", "source": "facts", "title": "B"}]},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"b": 1, "a": 2}},
        {"type": "tool_use", "id": "u", "name": "g", "input": {}}],
        "usage": {"input_tokens": 1, "output_tokens": 2, "iterations": [
            {"input_tokens": 3, "output_tokens": 4},
            {"input_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 1, "output_tokens": 6}]}});
    let begin = Begin {
        id: "msg_1".to_owned(),
        model: "claude".to_owned(),
        created: None,
    };
    assert_eq!(
        whole(false, &body),
        [
            Piece::Begin(begin),
            Piece::Thought("Hm.".into()),
            signature("s", false),
            Piece::Unseen,
            Piece::Text("Né à ".into()),
            Piece::Text("Paris.".into()),
            cited("https://a", "A", 5, 11),
            begun(0, "t", "f"),
            called(0, Some("{\"b\":1,\"a\":2}")),
            begun(1, "u", "g"),
            called(1, Some("{}")),
            Piece::Usage(Usage {
                input: 16,
                cached: 7,
                written: 1,
                output: 10,
                reasoning: 0
            }),
            Piece::End(End::Whole),
            Piece::Over,
        ]
    );
    for other in [
        "",
        "[]",
        "{}",
        "<html>",
        r#"{"type":"error","error":{}}"#,
        r#"{"choices":[]}"#,
        r#"{"content":null}"#,
    ] {
        assert!(
            read_answer(other.as_bytes(), &reading(false)).is_none(),
            "{other}"
        );
    }
}

#[test]
fn the_input_of_the_answer_tool_is_the_text() {
    let name = "json_tool_call";
    let events = [
        start(0, call("t", name, json!({}))),
        delta(0, "input_json_delta", "partial_json", "{\"a\""),
        delta(0, "input_json_delta", "partial_json", ":1}"),
        stop(0),
    ];
    let texts = ["{\"a\"", ":1}"].map(|text| Piece::Text(text.into()));
    assert_eq!(streamed(true, &events), texts);
    let at_once = [start(1, call("u", name, json!({"b": 2}))), stop(1)];
    let text = Piece::Text("{\"b\":2}".into());
    assert_eq!(streamed(true, &at_once), [text]);
    let body =
        json!({"content": [{"type": "text", "text": "Here:"}, call("t", name, json!({"a": 1}))]});
    let said = |pieces: Vec<Piece<'static>>| {
        let is_text = |piece: &Piece<'static>| matches!(piece, Piece::Text(_));
        pieces.into_iter().filter(is_text).collect::<Vec<_>>()
    };
    assert_eq!(said(whole(true, &body)), [Piece::Text("{\"a\":1}".into())]);
    assert_eq!(said(whole(false, &body)), [Piece::Text("Here:".into())]);
}

#[test]
fn text_beside_the_answer_tool_waits_for_the_answer() {
    let text = |said: &'static str| Piece::Text(said.into());
    let said = |pieces: Vec<Piece<'static>>| {
        let is_seen = |piece: &Piece<'static>| !matches!(piece, Piece::Unseen);
        pieces.into_iter().filter(is_seen).collect::<Vec<_>>()
    };
    let thought = |said: &'static str| Piece::Thought(said.into());
    let end = || json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}});
    let begun = [
        start(0, json!({"type": "text", "text": ""})),
        delta(0, "text_delta", "text", "Here:"),
        stop(0),
    ];
    let answer = [
        start(1, call("t", "json_tool_call", json!({}))),
        delta(1, "input_json_delta", "partial_json", "{}"),
        stop(1),
        delta(2, "text_delta", "text", "That is it."),
    ];
    assert_eq!(said(streamed(true, &begun)), []);
    let answered = [&begun[..], &answer].concat();
    assert_eq!(said(streamed(true, &answered)), [text("{}")]);
    let other = [start(1, call("t", "look", json!({}))), stop(1)];
    let called = said(streamed(true, &[&begun[..], &other].concat()));
    assert_eq!(called[0], thought("Here:"));
    assert!(matches!(called[1], Piece::Call { .. }), "{called:?}");
    let more = [delta(2, "text_delta", "text", "Wait."), end()];
    let behind = said(streamed(true, &[&other[..], &more].concat()));
    let ended = Piece::End(End::Whole);
    assert_eq!(behind[behind.len() - 2..], [thought("Wait."), ended]);
    // A call and the answer at once.
    let both = said(streamed(true, &[&begun[..], &other, &answer].concat()));
    assert_eq!(both[0], thought("Here:"));
    assert_eq!(both.last(), Some(&text("{}")));
    let ended = said(streamed(true, &[&begun[..], &[end()]].concat()));
    assert_eq!(ended, [text("Here:"), Piece::End(End::Whole)]);
}

#[test]
fn ends_are_told_with_their_reasons() {
    let refusal = || Piece::Refusal("I cannot help.".into());
    for (stop, expected) in [
        (
            json!({"stop_reason": "end_turn"}),
            vec![Piece::End(End::Whole)],
        ),
        (
            json!({"stop_reason": "max_tokens"}),
            vec![Piece::End(End::Limit)],
        ),
        (
            json!({"stop_reason": "pause_turn"}),
            vec![Piece::End(End::Limit)],
        ),
        (
            json!({"stop_reason": "stop_sequence", "stop_sequence": "END"}),
            vec![Piece::End(End::Stop("END".to_owned()))],
        ),
        (
            json!({"stop_reason": "refusal", "stop_details": {"explanation": "I cannot help."}}),
            vec![refusal(), Piece::End(End::Filtered)],
        ),
        (
            json!({"stop_reason": "refusal", "stop_details": null}),
            vec![Piece::End(End::Filtered)],
        ),
        (json!({"stop_reason": null}), Vec::new()),
    ] {
        let event = json!({"type": "message_delta", "delta": stop, "usage": null});
        assert_eq!(streamed(false, &[event]), expected, "{stop}");
        let mut body = json!({"content": []});
        body.as_object_mut()
            .unwrap()
            .extend(stop.as_object().unwrap().clone());
        let mut pieces = whole(false, &body);
        assert_eq!(pieces.pop(), Some(Piece::Over));
        assert_eq!(pieces[1..], expected, "{stop}");
    }
}

#[test]
fn blocks_that_all_have_the_same_number_are_told_apart() {
    let events = [
        start(0, call("a", "fa", json!({}))),
        stop(0),
        start(0, call("b", "fb", json!({}))),
        delta(0, "input_json_delta", "partial_json", "{}"),
        stop(0),
    ];
    let expected = [
        begun(0, "a", "fa"),
        called(0, Some("{}")),
        begun(1, "b", "fb"),
        more(1, "{}"),
        called(1, Some("{}")),
    ];
    assert_eq!(streamed(false, &events), expected);
}

#[test]
fn the_first_input_of_the_answer_tool_counts() {
    let call = |city: &str| json!({"type": "tool_use", "id": city, "name": "json_tool_call", "input": {"city": city}});
    let body = json!({"type": "message", "content": [call("Rome"), call("Oslo")], "stop_reason": "tool_use"});
    let texts = whole(true, &body)
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.into_owned()),
            _ => None,
        });
    assert_eq!(Vec::from_iter(texts), [r#"{"city":"Rome"}"#]);
}
