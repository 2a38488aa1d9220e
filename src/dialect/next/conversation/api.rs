//! The APIs in which a conversation can be said.

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
