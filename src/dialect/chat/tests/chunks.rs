//! Chunks of providers, read.

use serde_json::{Value, json};

use super::{chunk, end, events, pieces, reading};
use crate::dialect::chat::{Reader, read_answer};
use crate::dialect::conversation::{Begin, Citation, End, Event, Piece, ReadEvents, Usage};

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

/// What these deltas add to an answer, in chunks with odd values wherever else one may be.
fn added(delta: &Value) -> Vec<Piece<'static>> {
    let chunk = json!({ "id": 5, "created": "7", "choices": [{ "delta": delta, "finish_reason": false }], "usage": [] });
    let mut read = pieces(&[chunk]);
    assert!(matches!(read.remove(0), Piece::Begin(_)));
    read
}

#[test]
fn a_text_is_read_however_it_is_written() {
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
            json!({ "content": [{ "type": "text", "text": "a" }, { "type": "reference", "reference_ids": [1] }] }),
            vec![Piece::Text("a".into())],
        ),
        (
            json!({ "content": ["a", "b"] }),
            vec![Piece::Text("[\"a\",\"b\"]".into())],
        ),
        (
            json!({ "content": 7, "tool_calls": "none", "refusal": false }),
            vec![Piece::Text("7".into())],
        ),
        (
            json!({ "content": "a", "tool_calls": [null, 1], "annotations": {}, "function_call": [] }),
            vec![Piece::Text("a".into())],
        ),
    ] {
        assert_eq!(added(&delta), expected, "{delta}");
    }
}

#[test]
fn thoughts_are_read_however_they_are_written() {
    for (delta, expected) in [
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
        assert_eq!(added(&delta), expected, "{delta}");
    }
}

#[test]
fn oddities_make_nothing_unreadable() {
    for broken in ["{\"choices\":[", "null", "[]", "7", ""] {
        assert_eq!(pieces(&[json!(broken)]), [Piece::Unreadable], "{broken}");
    }
    let whole =
        json!({ "choices": [{ "message": { "content": "all" }, "finish_reason": "stop" }] });
    assert_eq!(
        pieces(std::slice::from_ref(&whole))[1],
        Piece::Text("all".into())
    );
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
        assert_eq!(
            pieces(std::slice::from_ref(&chunk)).last(),
            Some(&failed()),
            "{chunk}"
        );
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
        reader.read(Some(b"error"), data, &mut read);
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
    let sent = events(pieces(&[
        chunk(json!({ "content": "a" })),
        end("length"),
        last,
        json!("[DONE]"),
    ]));
    let usage = Usage {
        input: 43,
        output: 10,
        reasoning: 11,
        ..Usage::default()
    };
    assert_eq!(
        sent.last(),
        Some(&Event::End {
            end: End::Limit,
            usage: Some(usage)
        })
    );
}

#[test]
fn an_answer_that_tells_its_usage_is_whole_without_a_reason() {
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 22, "completion_tokens": 5, "total_tokens": 27 } });
    let sent = |chunks: &[Value]| events(pieces(chunks)).pop();
    let text = chunk(json!({ "content": "4", "tool_calls": null }));
    assert!(matches!(
        sent(&[text.clone(), usage.clone(), json!("[DONE]")]),
        Some(Event::End {
            end: End::Whole,
            ..
        })
    ));
    assert_eq!(sent(&[text.clone(), usage]), Some(Event::Text("4".into())));
    assert_eq!(
        sent(&[text, json!("[DONE]")]),
        Some(Event::Text("4".into()))
    );
}

#[test]
fn vllm_and_sglang_say_which_text_ended_the_answer() {
    let stop = |text: &str| End::Stop(text.to_owned());
    for (field, value, expected) in [
        ("stop_reason", json!("END"), stop("END")),
        ("matched_stop", json!("END"), stop("END")),
        ("stop_reason", json!(151_643), End::Whole),
        ("stop_reason", json!(null), End::Whole),
        ("stop_reason", json!("end_turn"), End::Whole),
        ("stop_reason", json!(""), End::Whole),
        ("matched_stop", json!("<|im_end|>"), End::Whole),
    ] {
        for reason in ["stop", "length"] {
            let mut choice = json!({ "message": { "content": "x" }, "finish_reason": reason });
            choice[field] = value.clone();
            let whole = json!({ "id": "c", "choices": [choice] });
            let expected = match reason {
                "stop" => Piece::End(expected.clone()),
                _ => Piece::End(End::Limit),
            };
            assert!(
                pieces(std::slice::from_ref(&whole)).contains(&expected),
                "{whole}"
            );
            let text = whole.to_string();
            let answer = read_answer(text.as_bytes(), &reading()).unwrap();
            assert!(answer.contains(&expected), "{whole}");
        }
    }
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
