//! The indexes of tool calls in a chat's stream.

use bytes::Bytes;
use memchr::memmem::find;
use serde_json::Value;

use crate::dialect::chunks::{Calls, Place};
use crate::wire::sse;

/// Numbers the calls of a stream in which only ids distinguish them. Clients go by the index, and would take them for
/// one call (Gemini gives every call the index 0).
#[derive(Debug, Default)]
pub struct Numbers {
    /// By the index of the choice.
    choices: Vec<(u64, Calls)>,
}

impl Numbers {
    /// The same events; those whose indexes are right stay byte for byte.
    pub fn translate(&mut self, events: Bytes) -> Bytes {
        if find(&events, b"\"tool_calls\"").is_none() {
            return events;
        }
        let mut out = Vec::with_capacity(events.len());
        for event in sse::events(&events) {
            let data = event.data.as_deref().unwrap_or_default();
            match self.renumbered(data) {
                Some(chunk) => out.extend_from_slice(format!("data: {chunk}\n\n").as_bytes()),
                None => out.extend_from_slice(&events[event.start..event.end]),
            }
        }
        out.into()
    }

    /// `None`: the indexes are right, or there are none.
    fn renumbered(&mut self, data: &[u8]) -> Option<Value> {
        let mut chunk: Value = serde_json::from_slice(data).ok()?;
        let mut is_changed = false;
        for choice in chunk["choices"].as_array_mut()? {
            let calls = self.of_choice(choice["index"].as_u64().unwrap_or(0));
            let pieces = choice["delta"]["tool_calls"].as_array_mut();
            for piece in pieces.into_iter().flatten() {
                if calls.place(piece, true) == Place::OutOfOrder {
                    continue;
                }
                let number = Value::from(calls.count().saturating_sub(1));
                if piece["index"] != number {
                    piece["index"] = number;
                    is_changed = true;
                }
            }
        }
        is_changed.then_some(chunk)
    }

    fn of_choice(&mut self, number: u64) -> &mut Calls {
        let known = self.choices.iter().position(|(of, _)| *of == number);
        let at = known.unwrap_or_else(|| {
            self.choices.push((number, Calls::default()));
            self.choices.len() - 1
        });
        &mut self.choices[at].1
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::Numbers;
    use crate::wire::sse;

    fn chunk(choice: u64, calls: &Value) -> String {
        let choices =
            json!([{"index": choice, "delta": {"tool_calls": calls}, "finish_reason": null}]);
        format!("data: {}\n\n", json!({"id": "c", "choices": choices}))
    }

    fn numbers(stream: &str) -> Vec<Value> {
        let out = Numbers::default().translate(Bytes::from(stream.to_owned()));
        let chunks = sse::events(&out).map(|event| {
            let chunk: Value = serde_json::from_slice(&event.data.unwrap()).unwrap();
            let calls = chunk["choices"][0]["delta"]["tool_calls"].clone();
            let calls = calls.as_array().unwrap().iter();
            calls.map(|call| call["index"].clone()).collect::<Value>()
        });
        chunks.collect()
    }

    #[test]
    fn every_call_has_a_number_of_its_own() {
        let (a, b) = (
            json!({"index": 0, "id": "a"}),
            json!({"index": 0, "id": "b"}),
        );
        let stream = [
            chunk(0, &json!([a, b])),
            chunk(1, &json!([a])),
            chunk(1, &json!([b])),
            chunk(1, &json!([{"index": 0}])),
        ];
        assert_eq!(
            numbers(&stream.concat()),
            [json!([0, 1]), json!([0]), json!([1]), json!([1])]
        );
    }

    #[test]
    fn what_is_numbered_passes_as_it_is() {
        let stream = [
            ": a comment\n\n".to_owned(),
            chunk(0, &json!([{"index": 0, "id": "a"}])).replace("\"id\":\"c\"", "\"id\" : \"c\""),
            chunk(0, &json!([{"index": 0}])),
            chunk(0, &json!([{"index": 1, "id": "b"}])),
            "data: {\"tool_calls\"\n\ndata: [DONE]\n\n".to_owned(),
        ]
        .concat();
        let passed = Numbers::default().translate(Bytes::from(stream.clone()));
        assert_eq!(passed, stream);
    }
}
