//! Anthropic's Messages API, for its clients, from upstreams that have Chat Completions only.
//!
//! ```text
//! messages request ─▶ request ─▶ chat request
//! message          ◀─ answer, or Translator event by event ◀─ chat completion
//! ```
//!
//! Thoughts are not handed on: their signatures are good at their maker only.

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
