//! What is written is read as what it was.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::super::{Reader, Writer, read_answer, read_request};
use super::{answered, written};
use crate::dialect::conversation::arbitrary::{self, answer, assert_same, folded, kept, split};
use crate::dialect::conversation::samples::{assembled, pieces_of, reading, streamed};
use crate::dialect::conversation::{Api, Asked, Echo, Event, Piece};
use crate::wire::sse;

fn asked() -> Asked {
    Asked {
        api: Api::Messages,
        // Else the answer would name this one.
        model: String::new(),
        with_usage: true,
        shows_thoughts: true,
        echo: Echo::default(),
    }
}

fn stream(events: Vec<Event<'_>>) -> Vec<u8> {
    streamed(Writer::new(asked()), events)
}

fn sent(pieces: impl IntoIterator<Item = Piece<'static>>) -> Vec<Event<'static>> {
    folded(assembled(reading().names, pieces))
}

/// The events that are read from a stream.
fn read(stream: &[u8]) -> Vec<Event<'static>> {
    sent(pieces_of(Reader::new(&reading()), stream))
}

/// Ids are made anew, and nobody says when.
fn comparable(mut events: Vec<Event<'static>>) -> Vec<Event<'static>> {
    if let Some(Event::Begin(begin)) = events.first_mut() {
        begin.id = "msg_answer_000000001".to_owned();
        begin.created = None;
    }
    events
}

/// The message that Anthropic's SDKs put together from a stream.
fn accumulated(stream: &[u8]) -> Value {
    let mut message = Value::Null;
    let mut inputs: Vec<String> = Vec::new();
    for event in sse::events(stream) {
        let mut event: Value = serde_json::from_slice(&event.data.unwrap()).unwrap();
        let index = event["index"].as_u64().unwrap_or(0) as usize;
        match event["type"].as_str().unwrap() {
            "message_start" => message = event["message"].take(),
            "content_block_start" => {
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!(content.len(), index);
                content.push(event["content_block"].take());
                inputs.push(String::new());
            }
            "content_block_delta" => {
                let (block, delta) = (&mut message["content"][index], &event["delta"]);
                let fields = ["text", "thinking", "signature"].into_iter();
                let mut fields = fields.filter(|field| delta[field].is_string());
                match fields.next() {
                    Some(field) => {
                        let known = block[field].as_str().unwrap().to_owned();
                        block[field] = (known + delta[field].as_str().unwrap()).into();
                    }
                    None => inputs[index] += delta["partial_json"].as_str().unwrap(),
                }
            }
            "content_block_stop" => {
                if message["content"][index]["type"] == "tool_use" {
                    let input = serde_json::from_str(&inputs[index]);
                    message["content"][index]["input"] = input.unwrap();
                }
            }
            "message_delta" => {
                for field in ["stop_reason", "stop_sequence"] {
                    message[field] = event["delta"][field].take();
                }
                message["usage"] = event["usage"].take();
            }
            other => assert_eq!(other, "message_stop"),
        }
    }
    message
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_request_says_the_same(conversation in arbitrary::conversation(Api::Messages)) {
        // It takes all that is asked for.
        let (body, _) = written(conversation.clone(), "claude-sonnet-4-5").unwrap();
        let mut read = read_request(body).unwrap();
        if conversation.tools.list.is_empty() {
            // Past calls may have needed a declaration.
            read.tools.clone_from(&conversation.tools);
        }
        assert_same(&read, &conversation);
    }

    #[test]
    fn a_stream_says_the_same(answer in answer(), at in any::<Index>()) {
        let read = read(&stream(split(answer.clone(), at)));
        prop_assert_eq!(comparable(read), comparable(answer));
    }

    #[test]
    fn a_whole_answer_says_the_same(answer in answer()) {
        let body = answered(&asked(), answer.clone()).unwrap().to_string();
        let pieces = kept(read_answer(body.as_bytes(), &reading()).unwrap());
        prop_assert_eq!(comparable(sent(pieces)), comparable(answer));
    }

    #[test]
    fn a_stream_adds_up_to_the_whole_answer(answer in answer(), at in any::<Index>()) {
        let whole = answered(&asked(), answer.clone()).unwrap();
        prop_assert_eq!(accumulated(&stream(split(answer, at))), whole);
    }

    /// Blocks that are told by turns are the same blocks.
    #[test]
    fn interleaved_blocks_are_put_together_by_their_index(
        calls in proptest::collection::vec((arbitrary::name(), arbitrary::arguments()), 1..4),
        order in proptest::collection::vec(any::<Index>(), 32),
    ) {
        let mut lanes: Vec<Vec<Value>> = calls.iter().enumerate().map(|(index, (name, input))| {
            let cut = input.floor_char_boundary(input.len() / 2);
            let block = json!({"type": "tool_use", "id": format!("c{index}"), "name": name, "input": {}});
            let delta = |part: &str| json!({"type": "input_json_delta", "partial_json": part});
            vec![
                json!({"type": "content_block_start", "index": index, "content_block": block}),
                json!({"type": "content_block_delta", "index": index, "delta": delta(&input[..cut])}),
                json!({"type": "content_block_delta", "index": index, "delta": delta(&input[cut..])}),
                json!({"type": "content_block_stop", "index": index}),
            ]
        }).collect();
        // Blocks begin in their order.
        let mut events: Vec<Value> = lanes.iter_mut().map(|lane| lane.remove(0)).collect();
        for at in order {
            let place = at.index(lanes.len());
            if !lanes[place].is_empty() {
                events.push(lanes[place].remove(0));
            }
        }
        events.extend(lanes.into_iter().flatten());
        events.push(json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}));
        events.push(json!({"type": "message_stop"}));
        let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let read = read(stream.as_bytes());
        let mut sent = read.iter();
        for (name, input) in &calls {
            let is_call = |event: &&Event<'_>| matches!(event, Event::Call(_));
            let Some(Event::Call(head)) = sent.find(is_call) else { panic!("{read:?}") };
            prop_assert_eq!(&head.tool.name, name);
            prop_assert_eq!(sent.next(), Some(&Event::Arguments(input.clone().into())));
            prop_assert_eq!(sent.next(), Some(&Event::Called));
        }
    }
}
