//! The chunks of a chat, read for translation into another API.

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
    /// A comment, or something that is not a chunk: it passes as it is.
    Other(&'a [u8]),
}

/// The pieces of some whole events.
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

/// How a piece of a call relates to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It starts another call.
    Begins,
    /// It continues the last call.
    GoesOn,
    /// It continues a call that is over, and whose end has been sent.
    OutOfOrder,
}

/// The tool calls in a chat's stream: they come one after the other, in pieces.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Index and id of each call so far.
    started: Vec<(u64, String)>,
}

impl Calls {
    /// Where a piece belongs. `is_open`: nothing else has come since the last call started.
    ///
    /// Gemini has been seen to give every call the index 0, others to leave out ids or to repeat them. So another id
    /// is another call, and so is another index.
    pub(super) fn place(&mut self, call: &Value, is_open: bool) -> Place {
        let id = call["id"].as_str().unwrap_or_default();
        let last = self.started.last();
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
        if self.started.iter().any(is_known) {
            return Place::OutOfOrder;
        }
        self.started.push((position, id.to_owned()));
        Place::Begins
    }

    /// An id for the call that started last.
    pub(super) fn id(&self) -> String {
        self.started
            .last()
            .map_or_else(new_call_id, |(_, id)| call_id(id))
    }

    /// How many calls have started.
    pub(super) fn count(&self) -> usize {
        self.started.len()
    }
}

/// `OpenAI` accepts no longer ids of tool calls in a chat.
const LONGEST_ID: usize = 40;

/// The id that a client gets for a call, and sends back to whichever upstream serves its next request: in a form that
/// every API accepts. vLLM gives 46 characters, or `functions.f:0` again in every answer, which Anthropic rejects;
/// some give none.
pub(super) fn call_id(given: &str) -> String {
    if given.is_empty() || fit_call_id(given).is_some() {
        return new_call_id();
    }
    given.to_owned()
}

/// A replacement for an id that some API rejects, always the same for the same id; `None`: the id is fine.
pub(super) fn fit_call_id(id: &str) -> Option<String> {
    let is_fine = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if id.len() <= LONGEST_ID && id.bytes().all(|byte| is_fine(&byte)) {
        return None;
    }
    Some(format!("call_{:016x}", fingerprint(id.as_bytes())))
}

/// An id that no other call has: clients use it to distinguish the calls of a whole conversation.
pub(super) fn new_call_id() -> String {
    format!("call_{:016x}", fastrand::u64(..))
}

/// The error for a stream whose calls come in no recognisable order.
pub(super) fn out_of_order() -> Value {
    serde_json::json!({
        "message": "the upstream went on with a tool call that was over",
        "type": "server_error",
        "code": "invalid_stream",
    })
}

/// The error for a stream whose finish reason says that it has failed.
pub(super) fn failed() -> Value {
    serde_json::json!({
        "message": "the upstream says that its answer has failed",
        "type": "server_error",
        "code": "server_error",
    })
}

/// Whether a delta has reasoning in it, under any of the usual names.
pub(super) fn has_thoughts(delta: &Value) -> bool {
    let names = ["reasoning_content", "reasoning", "thinking"];
    names
        .iter()
        .any(|name| delta[*name].as_str().is_some_and(|text| !text.is_empty()))
}

/// The text of a content, which some providers send in parts.
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
            // Text has come in between.
            (json!({"index": 1}), false, OutOfOrder),
            (json!({"index": 2}), false, Begins),
        ] {
            assert_eq!(calls.place(&piece, is_open), place, "{piece}");
        }
        assert!(calls.id().starts_with("call_"));
        assert_ne!(calls.id(), calls.id());
    }
}
