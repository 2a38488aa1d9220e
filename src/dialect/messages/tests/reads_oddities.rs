//! What is read of those who copy the API and write it differently.

use serde_json::{Value, json};

use super::super::Reader;
use super::reads_answers::{reading, streamed};
use crate::dialect::conversation::{Begin, Piece, ReadEvents, Usage};

/// The pieces of one event, whatever it is.
fn one(name: Option<&str>, data: &'static str) -> Vec<Piece<'static>> {
    let mut pieces = Vec::new();
    Reader::new(&reading(false)).read(name.map(str::as_bytes), data, &mut pieces);
    pieces
}

#[test]
fn what_a_provider_writes_differently_is_read_nevertheless() {
    for (name, data, expected) in [
        (Some("ping"), "{}", vec![Piece::Alive]),
        (
            Some("content_block_delta"),
            r#"{"delta":{"type":"text_delta","text":"a"}}"#,
            vec![Piece::Text("a".into())],
        ),
        (
            None,
            r#"{"type":"content_block_delta","index":"1","delta":{"type":"text_delta","text":"a"},"usage":[],"error":null}"#,
            vec![Piece::Text("a".into())],
        ),
        (
            None,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":null}}"#,
            Vec::new(),
        ),
        (
            None,
            r#"{"type":"content_block_delta","index":0,"delta":"x"}"#,
            vec![Piece::Unreadable],
        ),
        (
            None,
            r#"{"type":"message_start","message":{"id":7,"model":null,"usage":"x"}}"#,
            vec![Piece::Begin(Begin {
                id: "7".to_owned(),
                ..Begin::default()
            })],
        ),
        (None, "[DONE]", vec![Piece::Over]),
        (None, "{}", vec![Piece::Unreadable]),
        (None, "<html>", vec![Piece::Unreadable]),
        (None, r#"{"type":"brand_new"}"#, vec![Piece::Alive]),
        (
            Some("error"),
            r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
            vec![Piece::Failed(
                json!({"type": "overloaded_error", "message": "m"}),
            )],
        ),
        (
            None,
            r#"{"error":"m"}"#,
            vec![Piece::Failed(json!({"type": "api_error", "message": "m"}))],
        ),
    ] {
        assert_eq!(one(name, data), expected, "{data}");
    }
}

#[test]
fn counts_are_totals_and_zero_says_nothing() {
    let start = json!({"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}});
    let used = |usage: Value| {
        let delta = json!({"type": "message_delta", "delta": {}, "usage": usage});
        streamed(false, &[start.clone(), delta]).pop()
    };
    let expected = |input, output| {
        Some(Piece::Usage(Usage {
            input,
            output,
            ..Usage::default()
        }))
    };
    assert_eq!(
        used(json!({"input_tokens": 0, "output_tokens": 7})),
        expected(5, 7)
    );
    assert_eq!(
        used(json!({"input_tokens": 9, "output_tokens": "8"})),
        expected(9, 8)
    );
    assert_eq!(used(json!({"input_tokens": null})), expected(5, 1));
}
