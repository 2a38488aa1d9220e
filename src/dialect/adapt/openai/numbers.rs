//! The indexes of tool calls in a chat's stream.

use bytes::Bytes;
use memchr::memmem::find;
use serde_json::Value;

use crate::dialect::conversation::End;
use crate::wire::sse;

/// Numbers the calls of a stream in which only ids distinguish them. Clients go by the index, and would take them for
/// one call (Gemini gives every call the index 0). Clients that go by the reason of the end would not run the calls
/// either: such streams end with `stop`.
#[derive(Debug, Default)]
pub struct Numbers {
    /// By the index of the choice.
    choices: Vec<(u64, Calls)>,
}

/// The index and the id of each call so far.
#[derive(Debug, Default)]
struct Calls(Vec<(u64, String)>);

impl Numbers {
    /// The same events; those whose indexes and reasons are right stay byte for byte.
    pub fn translate(&mut self, events: Bytes) -> Bytes {
        let has = |name: &[u8]| find(&events, name).is_some();
        let ends = !self.choices.is_empty() && has(b"\"finish_reason\"");
        if !ends && !has(b"\"tool_calls\"") {
            return events;
        }
        let mut out = Vec::with_capacity(events.len());
        for event in sse::events(&events) {
            let data = event.data.as_deref().unwrap_or_default();
            match self.mended(data) {
                Some(chunk) => out.extend_from_slice(format!("data: {chunk}\n\n").as_bytes()),
                None => out.extend_from_slice(&events[event.start..event.end]),
            }
        }
        out.into()
    }

    /// `None`: nothing has to change.
    fn mended(&mut self, data: &[u8]) -> Option<Value> {
        let mut chunk: Value = serde_json::from_slice(data).ok()?;
        let mut is_changed = false;
        for choice in chunk["choices"].as_array_mut()? {
            let number = choice["index"].as_u64().unwrap_or(0);
            let pieces = choice.pointer_mut("/delta/tool_calls");
            let mut pieces = pieces.and_then(Value::as_array_mut);
            if let Some(pieces) = &mut pieces
                && !pieces.is_empty()
            {
                let calls = self.of_choice(number);
                for piece in pieces.iter_mut() {
                    let number = Value::from(calls.number(piece));
                    if piece["index"] != number {
                        piece["index"] = number;
                        is_changed = true;
                    }
                }
            }
            let has_calls = self.choices.iter().any(|(of, _)| *of == number);
            let reason = choice["finish_reason"].as_str();
            if has_calls && reason.and_then(End::of) == Some(End::Whole) {
                choice["finish_reason"] = "tool_calls".into();
                is_changed = true;
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

impl Calls {
    /// The number of the call to which a piece belongs. Another id is another call, and so is another index.
    fn number(&mut self, piece: &Value) -> usize {
        let id = piece["id"].as_str().unwrap_or_default();
        let last = self.0.last().map_or(0, |(index, _)| *index);
        let index = piece["index"].as_u64().unwrap_or(last);
        let is_known = |(of, known): &(u64, String)| *of == index && (id.is_empty() || id == known);
        let known = self.0.iter().rposition(is_known);
        known.unwrap_or_else(|| {
            self.0.push((index, id.to_owned()));
            self.0.len() - 1
        })
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

    #[test]
    fn a_stream_with_calls_ends_for_them() {
        let end = |choice: u64, reason: &str| {
            let choices = json!([{"index": choice, "delta": {}, "finish_reason": reason}]);
            format!("data: {}\n\n", json!({ "choices": choices }))
        };
        let mut numbers = Numbers::default();
        let mut sent = |events: String| numbers.translate(Bytes::from(events));
        assert_eq!(sent(end(0, "stop")), end(0, "stop"));
        sent(chunk(0, &json!([{"index": 0, "id": "a"}])));
        assert_eq!(sent(end(0, "stop")), end(0, "tool_calls"));
        assert_eq!(sent(end(0, "length")), end(0, "length"));
        assert_eq!(sent(end(1, "stop")), end(1, "stop"));
    }
}
