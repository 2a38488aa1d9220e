//! The APIs in which a conversation can be said.

use serde_json::{Value, json};

use crate::dialect::messages;
use crate::request::Endpoint;

/// An API for conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// `OpenAI`'s `POST /chat/completions`, which most providers copy.
    Chat,
    /// Anthropic's `POST /messages`
    Messages,
    /// `OpenAI`'s `POST /responses`
    Responses,
}

impl Api {
    /// The API of an endpoint; `None`: it is not for conversations.
    pub fn of(endpoint: Endpoint) -> Option<Self> {
        match endpoint {
            Endpoint::ChatCompletions => Some(Self::Chat),
            Endpoint::Messages => Some(Self::Messages),
            Endpoint::Responses => Some(Self::Responses),
            Endpoint::Completions
            | Endpoint::Embeddings
            | Endpoint::CountTokens
            | Endpoint::Realtime
            | Endpoint::Other => None,
        }
    }

    /// Its endpoint.
    pub fn endpoint(self) -> Endpoint {
        match self {
            Self::Chat => Endpoint::ChatCompletions,
            Self::Messages => Endpoint::Messages,
            Self::Responses => Endpoint::Responses,
        }
    }
}

impl Api {
    /// An error object of another API, in the shape of this one.
    pub fn error_from(self, other: Self, error: &Value) -> Value {
        match (self, other) {
            (Self::Messages, _) => messages::error(error),
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
