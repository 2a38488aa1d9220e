//! The APIs in which a conversation can be said.

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
