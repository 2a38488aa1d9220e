//! `OpenAI`'s Responses API, for upstreams that have Chat Completions only.
//!
//! ```text
//! response request ─▶ request ─▶ chat request, and a RequestContext of what the answer repeats
//! response         ◀─ answer, or Translator event by event ◀─ chat completion
//! ```
//!
//! Tools that take plain text, and those in namespaces, become functions and come back as what they were. What lives at
//! one provider (earlier responses, conversations, hosted tools) cannot be had elsewhere, and makes a request
//! untranslatable.

mod annotations;
mod answer;
mod conversation;
mod request;
mod stream;
mod tools;

pub use answer::{RequestContext, answer};
pub(super) use answer::{message_item, text_part};
pub use request::{Translated, request, unsupported_feature};
pub use stream::Translator;

#[cfg(test)]
mod tests;
