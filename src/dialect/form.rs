//! The forms in which a conversation is said: one line for each API.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::conversation::{
    Api, Asked, Conversation, Event, Piece, Place, ReadEvents, Reading, Target, Unsaid,
    WriteEvents, Written,
};
use super::{chat, messages, responses};
use crate::wire::json::mended;

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
    pub read_answer: for<'a> fn(&'a [u8], &Reading) -> Option<Vec<Piece<'a>>>,
    /// Writes a whole answer for a client, as JSON; `None`: it has failed.
    pub write_answer: fn(&Asked, Vec<Event<'_>>) -> Option<String>,
    /// Reads the events of an upstream's stream.
    pub reader: fn(&Reading) -> Box<dyn ReadEvents>,
    /// Writes the events of a client's stream.
    pub writer: fn(Asked) -> Box<dyn WriteEvents>,
    /// Notes what an event changes about the place of its client.
    pub look: fn(&mut Place, &Value),
    /// Writes the rest of a stream whose client is at this place.
    pub resume: fn(Asked, &Place) -> Box<dyn WriteEvents>,
}

/// The data of an event, as it is read: half a character makes no event unreadable, be it half of its bytes or half of an
/// escape.
pub fn readable(data: &[u8]) -> Cow<'_, str> {
    match (mended(data), std::str::from_utf8(data)) {
        (None, Ok(data)) => Cow::Borrowed(data),
        (better, _) => {
            let data = better.as_deref().unwrap_or(data);
            Cow::Owned(String::from_utf8_lossy(data).into_owned())
        }
    }
}

impl Api {
    /// An error object of another API, in the shape of this one. `status`: that of the reply; `None`: the error came
    /// within a 200.
    pub fn error_from(self, other: Self, status: Option<u16>, error: &Value) -> Value {
        match (self, other) {
            (Self::Messages, _) => match status {
                Some(status) => messages::error_for(status, error),
                None => messages::error(error),
            },
            (Self::Chat | Self::Responses, Self::Messages) => messages::to_openai(error),
            (Self::Chat | Self::Responses, _) => error.clone(),
        }
    }

    /// A whole error body in this API.
    pub fn error_body(self, error: Value) -> Value {
        match self {
            Self::Chat | Self::Responses => json!({ "error": error }),
            Self::Messages => json!({ "type": "error", "error": error, "request_id": null }),
        }
    }
}

/// Takes the functions of each API from its folder.
macro_rules! forms {
    ($($api:ident: $folder:ident, $path:literal, $headers:expr;)*) => {
        impl Api {
            /// Its form.
            pub fn form(self) -> &'static Form {
                match self {$(
                    Self::$api => &Form {
                        path: $path,
                        headers: &$headers,
                        read_request: $folder::read_request,
                        write_request: $folder::write_request,
                        read_answer: $folder::read_answer,
                        write_answer: |asked, events| {
                            serde_json::to_string(&$folder::write_answer(asked, events)?).ok()
                        },
                        reader: |reading| Box::new($folder::Reader::new(reading)),
                        writer: |asked| Box::new($folder::Writer::new(asked)),
                        look: $folder::look,
                        resume: |asked, place| Box::new($folder::Writer::resume(asked, place)),
                    },
                )*}
            }
        }
    };
}

// The catalogue: an API, its folder, the path of its requests, and headers that it requires.
forms! {
    Chat: chat, "/chat/completions", [];
    Messages: messages, "/messages", [("anthropic-version", messages::VERSION)];
    Responses: responses, "/responses", [];
}

#[cfg(test)]
mod tests;
