//! The forms in which a conversation is said: one line for each API.

use std::fmt;

use serde_json::Value;

use super::conversation::{Api, Asked, Conversation, Event, Piece, Reading, Target, Unsaid, Written};
use super::{chat, messages, responses};

/// An API: how a conversation is read from it and written in it.
pub struct Form {
    /// The path of its requests.
    pub path: &'static str,
    /// Headers that it requires.
    pub headers: &'static [(&'static str, &'static str)],
    /// Reads a client's request.
    pub read_request: fn(Value) -> Result<Conversation, Unsaid>,
    /// Writes a request for an upstream.
    pub write_request: fn(Conversation, &Target<'_>) -> Result<Written, Unsaid>,
    /// Reads an upstream's whole answer; `None`: it is none.
    pub read_answer: fn(&[u8], &Reading) -> Option<Vec<Piece<'static>>>,
    /// Writes a whole answer for a client; `None`: it has failed.
    pub write_answer: fn(&Asked, Vec<Event<'_>>) -> Option<Value>,
    /// Reads the events of an upstream's stream.
    pub reader: fn(&Reading) -> Box<dyn ReadEvents>,
    /// Writes the events of a client's stream.
    pub writer: fn(Asked) -> Box<dyn WriteEvents>,
    /// An error object of any API, in this one's shape.
    pub error: fn(&Value) -> Value,
}

/// Reads the events of a stream.
pub trait ReadEvents: Send + Sync + fmt::Debug {
    /// Reads one event by its name and its data; what it adds to the answer goes to `pieces`.
    fn read<'a>(&mut self, name: Option<&[u8]>, data: &'a [u8], pieces: &mut Vec<Piece<'a>>);
}

/// Writes the events of a stream.
pub trait WriteEvents: Send + Sync + fmt::Debug {
    /// Writes what a client is told.
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>);
}

impl Api {
    /// Its form.
    pub fn form(self) -> &'static Form {
        match self {
            Self::Chat => &chat::FORM,
            Self::Messages => &messages::FORM,
            Self::Responses => &responses::FORM,
        }
    }
}
