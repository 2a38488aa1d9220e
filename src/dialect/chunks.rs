//! The chunks of a chat, for those that turn them into something else.

use std::borrow::Cow;

use serde_json::Value;

use crate::wire::json::fingerprint;
use crate::wire::sse;

/// One event of a chat's stream.
pub(super) enum Piece<'a> {
    /// A chunk.
    Chunk(Value),
    /// An error object.
    Error(Value),
    /// `[DONE]`
    Done,
    /// A comment, or what is no chunk: told as what it is.
    Other(&'a [u8]),
}

/// What some whole events are.
pub(super) fn pieces(events: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    sse::events(events).map(|event| {
        let data = event.data.as_deref();
        if data.map(<[u8]>::trim_ascii) == Some(b"[DONE]") {
            return Piece::Done;
        }
        match data.map(serde_json::from_slice::<Value>) {
            Some(Ok(mut chunk)) if !chunk["error"].is_null() => Piece::Error(chunk["error"].take()),
            Some(Ok(error)) if event.name == Some(b"error") => Piece::Error(error),
            Some(Ok(chunk)) => Piece::Chunk(chunk),
            _ => Piece::Other(&events[event.start..event.end]),
        }
    })
}

/// What a piece of a call is to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Another call begins.
    Begins,
    /// The last one goes on.
    GoesOn,
    /// It belongs to one that is over, and has been told as it was.
    OutOfOrder,
}

/// The calls of tools in a chat's stream: they come one after the other, in pieces.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Position and id of each one so far.
    begun: Vec<(u64, String)>,
}

impl Calls {
    /// Where a piece belongs. `is_open`: nothing else has come since the last call began.
    ///
    /// Gemini has been seen to give every call the position 0, others to leave out ids or to repeat them: another id is
    /// another call, and so is another position.
    pub(super) fn place(&mut self, call: &Value, is_open: bool) -> Place {
        let id = call["id"].as_str().unwrap_or_default();
        let last = self.begun.last();
        let position = call["index"].as_u64();
        let position = position.unwrap_or_else(|| last.map_or(0, |(position, _)| *position));
        let is_last = last.is_some_and(|(of_last, id_of_last)| {
            *of_last == position && (id.is_empty() || id == id_of_last)
        });
        if is_last && is_open {
            return Place::GoesOn;
        }
        let is_known = |(of_other, id_of_other): &(u64, String)| {
            *of_other == position && (id.is_empty() || id == id_of_other)
        };
        if self.begun.iter().any(is_known) {
            return Place::OutOfOrder;
        }
        self.begun.push((position, id.to_owned()));
        Place::Begins
    }

    /// An id for the call that has begun last.
    pub(super) fn id(&self) -> String {
        self.begun
            .last()
            .map_or_else(new_call_id, |(_, id)| call_id(id))
    }

    /// How many have begun.
    pub(super) fn count(&self) -> usize {
        self.begun.len()
    }
}

/// `OpenAI` takes no longer ids of calls in a chat.
const LONGEST_ID: usize = 40;

/// The id that a client is given for a call, which comes back to whoever serves its next request: in a form that every API
/// takes. vLLM gives 46 characters, or `functions.f:0` once more in every answer, which Anthropic refuses; some give none.
pub(super) fn call_id(given: &str) -> String {
    if given.is_empty() || fit_call_id(given).is_some() {
        return new_call_id();
    }
    given.to_owned()
}

/// Another id in place of one that some API refuses, the same for the same; `None`: it is fine.
pub(super) fn fit_call_id(id: &str) -> Option<String> {
    let is_fine = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if id.len() <= LONGEST_ID && id.bytes().all(|byte| is_fine(&byte)) {
        return None;
    }
    Some(format!("call_{:016x}", fingerprint(id.as_bytes())))
}

/// An id that no other call has: clients tell calls of all answers of a conversation apart by it.
pub(super) fn new_call_id() -> String {
    format!("call_{:016x}", fastrand::u64(..))
}

/// The error for a stream whose calls come in no order that could be told.
pub(super) fn out_of_order() -> Value {
    serde_json::json!({
        "message": "the upstream went on with a tool call that was over",
        "type": "server_error",
        "code": "invalid_stream",
    })
}

/// The error for a stream that says by its finish reason that it has failed.
pub(super) fn failed() -> Value {
    serde_json::json!({
        "message": "the upstream says that its answer has failed",
        "type": "server_error",
        "code": "server_error",
    })
}

/// Whether a delta has thoughts in it, under any of the names that are in use.
pub(super) fn has_thoughts(delta: &Value) -> bool {
    let names = ["reasoning_content", "reasoning", "thinking"];
    names
        .iter()
        .any(|name| delta[*name].as_str().is_some_and(|text| !text.is_empty()))
}

/// The text of a content, which some give in parts.
pub(super) fn text_of(content: &Value) -> Cow<'_, str> {
    match content {
        Value::String(text) => Cow::Borrowed(text),
        Value::Array(parts) => {
            let texts = parts.iter().filter(|part| part["type"] == "text");
            texts.filter_map(|part| part["text"].as_str()).collect()
        }
        _ => Cow::Borrowed(""),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Calls, Place, call_id, fit_call_id};

    #[test]
    fn ids_are_such_that_everybody_takes_them() {
        assert_eq!(call_id("toolu_01-x"), "toolu_01-x");
        let long = "chatcmpl-tool-0123456789abcdef0123456789abcdef";
        for odd in [long, "functions.get_weather:0"] {
            let id = call_id(odd);
            assert!(id.len() == 21 && fit_call_id(&id).is_none(), "{id}");
            assert_ne!(id, call_id(odd));
            assert_eq!(fit_call_id(odd), fit_call_id(odd));
        }
        assert_ne!(call_id(""), call_id(""));
    }

    #[test]
    fn calls_are_told_apart_by_position_and_by_id() {
        use Place::{Begins, GoesOn, OutOfOrder};
        let mut calls = Calls::default();
        for (piece, is_open, place) in [
            (json!({"index": 0, "id": "a"}), false, Begins),
            (json!({"index": 0}), true, GoesOn),
            (json!({"index": 0, "id": "a"}), true, GoesOn),
            // Gemini.
            (json!({"index": 0, "id": "b"}), true, Begins),
            (json!({"index": 1, "id": "c"}), true, Begins),
            (json!({}), true, GoesOn),
            (json!({"index": 0, "id": "a"}), true, OutOfOrder),
            (json!({"index": 0}), true, OutOfOrder),
            // A text has come between.
            (json!({"index": 1}), false, OutOfOrder),
            (json!({"index": 2}), false, Begins),
        ] {
            assert_eq!(calls.place(&piece, is_open), place, "{piece}");
        }
        assert!(calls.id().starts_with("call_"));
        assert_ne!(calls.id(), calls.id());
    }
}
