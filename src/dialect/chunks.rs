//! The chunks of a chat, for those that turn them into something else.

use serde_json::Value;

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
