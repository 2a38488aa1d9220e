//! `OpenAI`'s Responses API, for upstreams that have Chat Completions only.
//!
//! ```text
//! response request ─▶ request ─▶ chat request, and a RequestContext of what the answer repeats
//! response         ◀─ answer, or Translator event by event ◀─ chat completion
//! ```
//!
//! Custom tools and tools in namespaces become functions, and calls of them are translated back. What is stored at
//! one provider (earlier responses, conversations, hosted tools) makes a request untranslatable.

mod annotations;
mod answer;
mod conversation;
mod request;
mod stream;
mod tools;

pub use answer::{RequestContext, answer};
pub use request::{Translated, request, unsupported_feature};
pub use stream::Translator;

#[cfg(test)]
mod tests;
