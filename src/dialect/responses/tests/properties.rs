//! What is written is read again.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use super::{asked, sent};
use crate::dialect::conversation::arbitrary::{
    answer, assert_same, conversation, folded, kept, split,
};
use crate::dialect::conversation::samples::{assembled, pieces_of, reading, streamed};
use crate::dialect::conversation::*;
use crate::dialect::responses::{Reader, Writer, read_answer, read_request, write_answer};
use crate::wire::sse;

/// Requests of this API say whether a tool is strict, and have no smaller limits.
fn in_this_api(mut conversation: Conversation) -> Conversation {
    for tool in &mut conversation.tools.list {
        if let ToolKind::Function { strict, .. } = &mut tool.kind {
            *strict = Some(false);
        }
    }
    conversation.max_output = conversation.max_output.map(|most| most.max(16));
    conversation
}

fn asked_for_everything() -> Asked {
    asked(serde_json::json!({
        "reasoning": { "summary": "auto" }, "include": ["reasoning.encrypted_content"],
    }))
}

/// What is left of events that were read again: ids and times are those of the answer's writer.
fn read_again(pieces: impl IntoIterator<Item = Piece<'static>>) -> Vec<Event<'static>> {
    without_ids(folded(assembled(reading().names, pieces)))
}

fn without_ids(mut events: Vec<Event<'static>>) -> Vec<Event<'static>> {
    for event in &mut events {
        if let Event::Begin(begin) = event {
            begin.id.clear();
        }
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_request_that_was_written_is_read_again(conversation in conversation(Api::Responses)) {
        let conversation = in_this_api(conversation);
        let (body, dropped) = sent(conversation.clone(), "gpt-4o");
        let read = read_request(body).unwrap();
        assert_same(&read, &conversation);
        prop_assert!(dropped.is_empty(), "{dropped:?}");
    }

    #[test]
    fn an_answer_that_was_written_is_read_again(answer in answer(), at in any::<Index>()) {
        let asked = asked_for_everything();
        let expected = without_ids(folded(answer.clone()));
        let stream = streamed(Writer::new(asked.clone()), split(answer.clone(), at));
        prop_assert_eq!(&read_again(pieces_of(Reader::new(&reading()), &stream)), &expected);
        let whole = write_answer(&asked, answer).unwrap().to_string();
        let pieces = kept(read_answer(whole.as_bytes(), &reading()).unwrap());
        prop_assert_eq!(&read_again(pieces), &expected);
    }

    #[test]
    fn what_comes_again_is_not_said_again(answer in answer(), left_out in proptest::collection::vec(any::<bool>(), 64)) {
        let asked = asked_for_everything();
        let expected = without_ids(folded(answer.clone()));
        let stream = streamed(Writer::new(asked), answer);
        let mut left_out = left_out.into_iter();
        let mut rest = Vec::new();
        for event in sse::events(&stream) {
            let kind: Value = serde_json::from_slice(&event.data.unwrap()).unwrap();
            // What is done is repeated by others, but a whole item only by the response.
            let may_go = kind["type"].as_str().unwrap().ends_with(".done");
            if !may_go || left_out.next() != Some(true) {
                rest.extend_from_slice(event.raw);
            }
        }
        prop_assert_eq!(&read_again(pieces_of(Reader::new(&reading()), &rest)), &expected);
    }

    #[test]
    fn no_event_makes_the_reader_panic(kind in "[a-z_.]{0,20}", data in "[\\[\\]{}a-z\":,0-9]{0,40}") {
        let mut pieces = Vec::new();
        let mut reader = Reader::new(&reading());
        reader.read(Some(kind.as_bytes()), &data, &mut pieces);
        let named = format!("{{\"type\":\"response.{kind}\",\"item\":{{\"type\":\"function_call\"}},\"delta\":\"x\"}}");
        let mut more = Vec::new();
        reader.read(None, &named, &mut more);
    }
}
