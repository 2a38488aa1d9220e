//! What is written is read again as what it was.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::{asked, data, events, pieces, stream, upstream};
use crate::catalogue::Quirks;
use crate::dialect::chat::{read_answer, read_request, write_answer, write_request};
use crate::dialect::conversation::arbitrary::{
    answer, assert_same, conversation, folded, kept, split,
};
use crate::dialect::conversation::{Api, Content, Event, Part, Target, Turn};

/// The turns with the texts of each user's turn joined: every upstream takes one text.
fn joined(turns: Vec<Turn>) -> Vec<Turn> {
    let join = |parts: Vec<Part>| {
        let mut out: Vec<Part> = Vec::new();
        for part in parts {
            match (out.last_mut().map(|last| &mut last.content), part.content) {
                (Some(Content::Text(text)), Content::Text(more)) => *text += &format!("\n\n{more}"),
                (_, content) => out.push(Part::new(content)),
            }
        }
        out
    };
    let turns = turns.into_iter();
    turns
        .map(|Turn { role, parts }| Turn {
            role,
            parts: join(parts),
        })
        .collect()
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_written(given in conversation(Api::Chat)) {
        let upstream = upstream(Quirks::UNKNOWN);
        let target = Target { model: &given.model, upstream: &upstream };
        let written = write_request(given.clone(), &target).unwrap();
        let read = read_request(serde_json::from_slice(&written.body).unwrap()).unwrap();
        let mut expected = given;
        expected.turns = joined(expected.turns);
        assert_same(&read, &expected);
        prop_assert!(read.dropped.into_names().is_empty());
    }

    #[test]
    fn a_stream_is_read_as_it_was_written(given in answer(), at in any::<Index>()) {
        let sent = stream(asked(true, false), split(given.clone(), at));
        let read = events(pieces(&data(&sent)));
        prop_assert_eq!(folded(read), folded(given));
    }

    #[test]
    fn a_completion_is_read_as_it_was_written(given in answer(), at in any::<Index>()) {
        let completion = write_answer(&asked(false, false), given.clone()).unwrap();
        let split = write_answer(&asked(false, false), split(given.clone(), at)).unwrap();
        prop_assert_eq!(&completion, &split);
        let completion = completion.to_string();
        let read = kept(read_answer(completion.as_bytes(), &super::reading()).unwrap());
        prop_assert_eq!(folded(events(read)), folded(given));
    }

    /// The pieces of several calls in any order in which each call's own stay in theirs.
    #[test]
    fn calls_are_told_apart_by_index(given in answer(), order in prop::collection::vec(any::<Index>(), 64)) {
        let mut calls: Vec<Vec<Value>> = Vec::new();
        for event in &given {
            match event {
                Event::Call(head) => calls.push(vec![json!({ "index": calls.len(), "id": head.id, "function": { "name": head.tool.name, "arguments": "" } })]),
                Event::Arguments(text) => {
                    let index = calls.len() - 1;
                    let pieces = text.chars().collect::<Vec<_>>();
                    for piece in pieces.chunks(5) {
                        let text: String = piece.iter().collect();
                        calls[index].push(json!({ "index": index, "function": { "arguments": text } }));
                    }
                }
                _ => {}
            }
        }
        let count = calls.len();
        let mut chunks = Vec::new();
        let mut order = order.iter().cycle();
        // The calls begin in their order.
        let mut begun = 0;
        while calls.iter().any(|call| !call.is_empty()) {
            let at = order.next().unwrap().index(count);
            if calls[at].is_empty() || at > begun {
                let next = calls.iter().position(|call| !call.is_empty()).unwrap();
                begun = begun.max(next + 1);
                chunks.push(super::chunk(json!({ "tool_calls": [calls[next].remove(0)] })));
            } else {
                begun = begun.max(at + 1);
                chunks.push(super::chunk(json!({ "tool_calls": [calls[at].remove(0)] })));
            }
        }
        chunks.push(super::end("length"));
        let sent = events(pieces(&chunks));
        let is_of_call = |event: &Event<'_>| matches!(event, Event::Call(_) | Event::Arguments(_) | Event::Called);
        let expected: Vec<_> = folded(given).into_iter().filter(is_of_call).collect();
        let sent: Vec<_> = folded(sent).into_iter().filter(is_of_call).collect();
        prop_assert_eq!(sent, expected);
    }
}
