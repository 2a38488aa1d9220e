//! Anthropic's Messages API, for its clients, from upstreams that have Chat Completions only.
//!
//! ```text
//! messages request ─▶ request ─▶ chat request
//! message          ◀─ answer, or Translator event by event ◀─ chat completion
//! ```
//!
//! Reasoning is not translated: its signature is valid only at the provider that has made it.

mod answer;
mod conversation;
mod effort;
mod request;
mod stream;
mod tools;

pub use answer::{answer, error, error_kind};
pub use request::{Translated, request, unsupported_feature};
pub use stream::Translator;

#[cfg(test)]
mod tests;
