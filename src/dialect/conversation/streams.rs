//! How the events of a stream are read and written, in any API.

use std::fmt;

use super::answer::{Event, Piece};

/// Reads the events of a stream.
pub trait ReadEvents: Send + Sync + fmt::Debug {
    /// Reads one event by its name and its data; what it adds to the answer goes to `pieces`.
    fn read<'a>(&mut self, name: Option<&[u8]>, data: &'a str, pieces: &mut Vec<Piece<'a>>);

    /// A text has come by an event like the last one, which added a text and nothing else.
    fn said(&mut self, text: &str);
}

/// Writes the events of a stream.
pub trait WriteEvents: Send + Sync + fmt::Debug {
    /// Writes what a client is told.
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>);
}
