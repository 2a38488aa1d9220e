//! Chunks of providers, read.

use serde_json::{Value, json};

use super::{chunk, end, events, pieces, reading};
use crate::dialect::next::chat::Reader;
use crate::dialect::next::conversation::{Begin, Citation, End, Event, Piece, Usage};

/// The names and arguments of the calls that a client is told.
fn calls(chunks: &[Value]) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for event in events(pieces(chunks)) {
        match event {
            Event::Call(head) => calls.push((head.tool.name, String::new())),
            Event::Arguments(text) => calls.last_mut().unwrap().1 += &text,
            Event::Failed(error) => calls.push(("failed".to_owned(), error.to_string())),
            _ => {}
        }
    }
    calls
}

fn part(index: u64, id: &str, name: &str, arguments: &str) -> Value {
    json!({ "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
}

fn of(parts: Value) -> Value {
    chunk(json!({ "tool_calls": parts }))
}

#[test]
fn calls_are_put_together_however_they_come() {
    let more = |index: u64, arguments: &str| json!({ "index": index, "function": { "arguments": arguments } });
    let (x, y) = ("{\"x\":1}", "{\"y\":2}");
    for (why, chunks) in [
        (
            "GLM-5.2 opens all, and sends all arguments at the end",
            vec![
                of(json!([part(0, "A", "fa", ""), part(1, "B", "fb", "")])),
                of(json!([more(0, x), more(1, y)])),
            ],
        ),
        (
            "pieces are interleaved",
            vec![
                of(json!([part(0, "A", "fa", "{")])),
                of(json!([part(1, "B", "fb", "{\"y\"")])),
                of(json!([more(0, "\"x\":1}")])),
                of(json!([more(1, ":2}")])),
            ],
        ),
        (
            "the id comes in the second piece",
            vec![
                of(json!([{ "index": 0, "function": { "name": "fa", "arguments": "" } }])),
                of(json!([{ "index": 0, "id": "A", "function": { "arguments": x } }])),
                of(json!([part(1, "B", "fb", y)])),
            ],
        ),
        (
            "the name comes late, or is empty first",
            vec![
                of(json!([part(0, "A", "", "")])),
                of(json!([{ "index": 0, "function": { "name": "fa", "arguments": x } }])),
                of(json!([{ "index": 1, "id": "B", "function": { "name": null } }])),
                of(json!([{ "index": 1, "function": { "name": "fb", "arguments": y } }])),
            ],
        ),
        (
            "Gemini gives every call the index 0",
            vec![
                of(json!([part(0, "A", "fa", x)])),
                of(json!([part(0, "B", "fb", y)])),
            ],
        ),
        (
            "and has been seen to give no ids",
            vec![of(json!([part(0, "", "fa", x), part(0, "", "fb", y)]))],
        ),
        (
            "no index at all",
            vec![
                of(json!([{ "id": "A", "function": { "name": "fa", "arguments": "{\"x\"" } }])),
                of(json!([{ "function": { "arguments": ":1}" } }])),
                of(json!([{ "id": "B", "function": { "name": "fb", "arguments": y } }])),
            ],
        ),
        (
            "neither ids nor indexes",
            vec![of(
                json!([{ "function": { "name": "fa", "arguments": { "x": 1 } } }, { "function": { "name": "fb", "arguments": { "y": 2 } } }]),
            )],
        ),
        (
            "the id and the name in every piece",
            vec![
                of(json!([part(0, "A", "fa", "{\"x\"")])),
                of(json!([part(0, "A", "fa", ":1}")])),
                of(json!([part(1, "B", "fb", y)])),
                of(json!([part(1, "B", "fb", "")])),
            ],
        ),
        (
            "another id in every piece",
            vec![
                of(json!([part(0, "A1", "fa", "")])),
                of(json!([{ "index": 0, "id": "A2", "function": { "arguments": "{\"x\"" } }])),
                of(json!([{ "index": 0, "id": "A3", "function": { "arguments": ":1}" } }])),
                of(json!([part(1, "B", "fb", y)])),
            ],
        ),
        (
            "the index as a text",
            vec![
                of(
                    json!([{ "index": "0", "id": "A", "function": { "name": "fa", "arguments": x } }]),
                ),
                of(
                    json!([{ "index": "1", "id": "B", "function": { "name": "fb", "arguments": y } }]),
                ),
            ],
        ),
    ] {
        let mut chunks = chunks;
        chunks.extend([end("tool_calls"), json!("[DONE]")]);
        let expected = [
            ("fa".to_owned(), x.to_owned()),
            ("fb".to_owned(), y.to_owned()),
        ];
        assert_eq!(calls(&chunks), expected, "{why}");
    }
}

#[test]
fn the_same_tool_called_twice_without_ids_is_two_calls() {
    let twice = |list: Value| vec![of(list), end("stop")];
    let x = "{\"x\":1}";
    for parts in [
        json!([part(0, "", "fa", x), part(0, "", "fa", x)]),
        json!([part(0, "A", "fa", x), part(0, "B", "fa", x)]),
        json!([{ "function": { "name": "fa", "arguments": x } }, { "function": { "name": "fa", "arguments": x } }]),
    ] {
        assert_eq!(calls(&twice(parts.clone())).len(), 2, "{parts}");
    }
    let whole = |name: &str| of(json!([{ "function": { "name": name, "arguments": { "x": 1 } } }]));
    assert_eq!(calls(&[whole("fa"), whole("fa"), end("stop")]).len(), 2);
}

#[test]
fn the_older_call_of_a_function_is_a_call() {
    let chunks = [
        chunk(json!({ "function_call": { "name": "fa", "arguments": "" } })),
        chunk(json!({ "function_call": { "arguments": "{\"x\":1}" } })),
        end("function_call"),
    ];
    assert_eq!(calls(&chunks), [("fa".to_owned(), "{\"x\":1}".to_owned())]);
}

#[test]
fn an_answer_is_read_in_order() {
    let chunks = [
        json!({ "id": "", "model": "", "choices": [], "prompt_filter_results": [] }),
        chunk(json!({ "role": "assistant", "content": "" })),
        chunk(json!({ "reasoning_content": "Hm.", "content": "Né" })),
        chunk(json!({ "refusal": "No." })),
        chunk(json!({ "annotations": [
            { "type": "url_citation", "url_citation": { "url": "u", "title": "t", "start_index": 0, "end_index": 2 } },
            { "type": "file", "file": {} },
            { "type": "url_citation", "url": "v", "start_index": 1.0 },
        ] })),
        json!({ "choices": [{ "index": 1, "delta": { "content": "another answer" } }] }),
        end("STOP"),
        json!({ "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": { "cached_tokens": 1 } } }),
        json!(" [DONE] "),
    ];
    let cited = |url: &str, title: &str, start: usize, end: usize| {
        Piece::Cited(Citation {
            url: url.to_owned(),
            title: title.to_owned(),
            start,
            end,
        })
    };
    assert_eq!(
        pieces(&chunks),
        [
            Piece::Alive,
            Piece::Begin(Begin {
                id: "c".to_owned(),
                model: "m".to_owned(),
                created: Some(7)
            }),
            Piece::Thought("Hm.".into()),
            Piece::Text("Né".into()),
            Piece::Refusal("No.".into()),
            cited("u", "t", 0, 2),
            cited("v", "", 1, 0),
            Piece::Alive,
            Piece::End(End::Whole),
            Piece::Usage(Usage {
                input: 3,
                cached: 1,
                output: 2,
                ..Usage::default()
            }),
            Piece::Over,
        ]
    );
}

#[test]
fn oddities_make_nothing_unreadable() {
    for (delta, expected) in [
        (
            json!({ "content": { "name": "E", "age": 3 } }),
            vec![Piece::Text("{\"name\":\"E\",\"age\":3}".into())],
        ),
        (
            json!({ "content": [{ "name": "E" }] }),
            vec![Piece::Text("[{\"name\":\"E\"}]".into())],
        ),
        (
            json!({ "content": [{ "type": "text", "text": "a" }, "b"] }),
            vec![Piece::Text("a".into()), Piece::Text("b".into())],
        ),
        (
            json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": "Hm." }] }, { "type": "text", "text": "a" }] }),
            vec![Piece::Thought("Hm.".into()), Piece::Text("a".into())],
        ),
        (
            json!({ "content": 7, "tool_calls": "none", "refusal": false }),
            vec![Piece::Text("7".into())],
        ),
        (
            json!({ "content": "a", "tool_calls": [null, 1], "annotations": {}, "function_call": [] }),
            vec![Piece::Text("a".into())],
        ),
        (
            json!({ "reasoning": "Hm.", "reasoning_content": "Hm.", "reasoning_details": [{ "text": "Hm." }] }),
            vec![Piece::Thought("Hm.".into())],
        ),
        (
            json!({ "reasoning_details": [{ "type": "reasoning.summary", "summary": "Hm." }] }),
            vec![Piece::Thought("Hm.".into())],
        ),
        (
            json!({ "reasoning_details": [{ "type": "reasoning.encrypted", "data": "e" }] }),
            vec![Piece::Unseen],
        ),
        (
            json!({ "thinking": { "content": "Hm." } }),
            vec![Piece::Thought("Hm.".into())],
        ),
    ] {
        let chunk = json!({ "id": 5, "created": "7", "choices": [{ "delta": delta, "finish_reason": false }], "usage": [] });
        let read = pieces(&[chunk.clone()]);
        assert!(matches!(read[0], Piece::Begin(_)), "{chunk}");
        assert_eq!(read[1..], expected, "{chunk}");
    }
    let half = json!("{\"choices\":[{\"delta\":{\"content\":\"\\ud83d\"}}]}");
    assert_eq!(pieces(&[half])[1], Piece::Text("\u{fffd}".into()));
    for broken in ["{\"choices\":[", "null", "[]", "7", ""] {
        assert_eq!(pieces(&[json!(broken)]), [Piece::Unreadable], "{broken}");
    }
    let whole =
        json!({ "choices": [{ "message": { "content": "all" }, "finish_reason": "stop" }] });
    assert_eq!(pieces(&[whole.clone()])[1], Piece::Text("all".into()));
    assert!(
        !pieces(&[chunk(json!({ "content": "all" })), whole])[2..]
            .contains(&Piece::Text("all".into()))
    );
}

#[test]
fn errors_are_read_wherever_they_are() {
    let error = json!({ "message": "m", "code": 429 });
    let failed = || Piece::Failed(error.clone());
    for chunk in [
        json!({ "error": error }),
        json!({ "id": "c", "error": error, "choices": [{ "delta": { "content": "" }, "finish_reason": "error" }] }),
        json!({ "id": "c", "choices": [{ "delta": {}, "finish_reason": "error", "error": error }] }),
        error.clone(),
    ] {
        assert_eq!(pieces(&[chunk.clone()]).last(), Some(&failed()), "{chunk}");
    }
    assert_eq!(
        pieces(&[json!({ "error": "m" })]),
        [Piece::Failed(json!({ "message": "m" }))]
    );
    for fine in [Value::Null, json!(""), json!({}), json!(false)] {
        let mut chunk = chunk(json!({ "content": "a" }));
        chunk["error"] = fine;
        assert_eq!(pieces(&[chunk]).last(), Some(&Piece::Text("a".into())));
    }
    let mut reader = Reader::new(&reading());
    let mut read = Vec::new();
    for data in [
        "{\"message\":\"m\",\"code\":429}",
        "{\"error\":{\"message\":\"m\",\"code\":429}}",
        "oh no",
    ] {
        reader.read(Some(b"error"), data.as_bytes(), &mut read);
    }
    assert_eq!(
        read,
        [
            failed(),
            failed(),
            Piece::Failed(json!({ "message": "oh no" }))
        ]
    );
}

#[test]
fn the_usage_in_an_error_is_told() {
    let last = json!({ "id": "c", "error": { "code": 400, "message": "Token limit reached" }, "choices": [{ "index": 0, "delta": { "content": "" } }],
        "usage": { "prompt_tokens": 43, "completion_tokens": 10, "completion_tokens_details": { "reasoning_tokens": 11 } } });
    let told = events(pieces(&[
        chunk(json!({ "content": "a" })),
        end("length"),
        last,
        json!("[DONE]"),
    ]));
    let usage = Usage {
        input: 43,
        output: 10,
        reasoning: 10,
        ..Usage::default()
    };
    assert_eq!(
        told.last(),
        Some(&Event::End {
            end: End::Limit,
            usage: Some(usage)
        })
    );
}

#[test]
fn an_answer_that_tells_its_usage_is_whole_without_a_reason() {
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 22, "completion_tokens": 5, "total_tokens": 27 } });
    let told = |chunks: &[Value]| events(pieces(chunks)).pop();
    let text = chunk(json!({ "content": "4", "tool_calls": null }));
    assert!(matches!(
        told(&[text.clone(), usage.clone(), json!("[DONE]")]),
        Some(Event::End {
            end: End::Whole,
            ..
        })
    ));
    assert_eq!(told(&[text.clone(), usage]), Some(Event::Text("4".into())));
    assert_eq!(
        told(&[text, json!("[DONE]")]),
        Some(Event::Text("4".into()))
    );
}

#[test]
fn tokens_are_counted_in_all_dialects() {
    let used = |usage: Value| match pieces(&[json!({ "choices": [], "usage": usage })]).remove(0) {
        Piece::Usage(usage) => [
            usage.input,
            usage.cached,
            usage.written,
            usage.output,
            usage.reasoning,
        ],
        other => panic!("{other:?}"),
    };
    let counts =
        |total: Value| json!({ "prompt_tokens": 6, "completion_tokens": 5, "total_tokens": total });
    // Gemini counts thoughts in the total only.
    assert_eq!(used(counts(json!(40))), [6, 0, 0, 34, 29]);
    for total in [json!(11), json!(3), json!(null), json!("?")] {
        assert_eq!(used(counts(total)), [6, 0, 0, 5, 0]);
    }
    for (usage, expected) in [
        (
            json!({ "prompt_tokens": 9, "completion_tokens": "5", "prompt_tokens_details": { "cached_tokens": 3, "cache_write_tokens": 2 } }),
            [9, 3, 2, 5, 0],
        ),
        (
            json!({ "prompt_tokens": 9.0, "completion_tokens": 5, "prompt_cache_hit_tokens": 4, "prompt_tokens_details": null }),
            [9, 4, 0, 5, 0],
        ),
        (
            json!({ "input_tokens": 9, "output_tokens": 5, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 1 }),
            [9, 4, 1, 5, 0],
        ),
        (
            json!({ "prompt_tokens": 9, "completion_tokens": 5, "cached_tokens": 2, "completion_tokens_details": { "reasoning_tokens": 4 } }),
            [9, 2, 0, 5, 4],
        ),
    ] {
        assert_eq!(used(usage.clone()), expected, "{usage}");
    }
    let groq = json!({ "choices": [], "x_groq": { "usage": { "prompt_tokens": 6 } } });
    assert!(matches!(pieces(&[groq])[0], Piece::Usage(_)));
    let moonshot = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop", "usage": { "prompt_tokens": 6 } }] });
    assert!(matches!(pieces(&[moonshot])[1], Piece::Usage(_)));
    assert_eq!(
        pieces(&[json!({ "choices": [], "usage": {} })]),
        [Piece::Alive]
    );
}
