//! Events of an answer, as tests of all APIs tell them and read them.

use serde_json::Value;

use super::answer::{CallHead, Event, Piece, Usage};
use super::assembly::Assembly;
use super::ends::End;
use super::names::Names;
use super::streams::{ReadEvents, WriteEvents};
use super::target::Reading;
use super::tools::ToolName;
use crate::wire::sse;

/// What the reader of an answer knows of a request without tools.
pub fn reading() -> Reading {
    Reading::of(Names::of(&[], 64, &[]))
}

/// The stream in which these events are told.
pub fn streamed(mut writer: impl WriteEvents, events: Vec<Event<'_>>) -> Vec<u8> {
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    out
}

/// What is read of a stream.
pub fn pieces_of(mut reader: impl ReadEvents, stream: &[u8]) -> Vec<Piece<'static>> {
    let mut all = Vec::new();
    for event in sse::events(stream) {
        let data = event.data.unwrap();
        let mut pieces = Vec::new();
        reader.read(event.name, str::from_utf8(&data).unwrap(), &mut pieces);
        all.extend(pieces.into_iter().map(Piece::into_owned));
    }
    all
}

/// What is read of these events: each is the JSON of its data, or a text as it is.
pub fn read(mut reader: impl ReadEvents, events: &[Value]) -> Vec<Piece<'static>> {
    let mut all = Vec::new();
    for event in events {
        let data = event
            .as_str()
            .map_or_else(|| event.to_string(), str::to_owned);
        let mut pieces = Vec::new();
        reader.read(None, &data, &mut pieces);
        all.extend(pieces.into_iter().map(Piece::into_owned));
    }
    all
}

/// What a client whose tools have these names is told by these pieces.
pub fn assembled<'a>(names: Names, pieces: impl IntoIterator<Item = Piece<'a>>) -> Vec<Event<'a>> {
    let mut assembly = Assembly::new(names);
    let mut events = Vec::new();
    for piece in pieces {
        assembly.take(piece, &mut events);
    }
    assembly.finish(&mut events);
    events
}

/// A call begins.
pub fn call(id: &str, name: &str, namespace: Option<&str>, is_custom: bool) -> Event<'static> {
    let tool = ToolName {
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        is_custom,
    };
    let id = id.to_owned();
    Event::Call(CallHead { id, tool })
}

/// The answer ends, and costs a little.
pub fn ended(end: End) -> Event<'static> {
    let usage = Usage {
        input: 3,
        cached: 1,
        written: 0,
        output: 2,
        reasoning: 1,
    };
    Event::End {
        end,
        usage: Some(usage),
    }
}
