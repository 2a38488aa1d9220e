//! Anthropic's Messages API, for clients that speak `OpenAI`'s Chat Completions.
//!
//! ```text
//! chat request ─▶ request (messages, tools, model) ─▶ Messages request, and a Glossary of what must be turned back
//! chat answer  ◀─ answer, or Translator event by event ◀─ message
//! ```
//!
//! Anthropic's own clients are understood as they are; `adapt` puts what they ask one model as another one takes it.
//!
//! What a model would do differently without it makes a request untranslatable; hints that change nothing are dropped,
//! and told.

mod adapt;
mod answer;
mod batches;
mod citations;
mod error;
mod foreign;
mod lacks;
mod media;
mod messages;
mod model;
mod request;
mod schema;
mod stream;
mod thinking;
mod tools;

pub use adapt::adapt;
pub use answer::answer;
pub use batches::{is_batches, results_here};
pub use error::error;
pub use foreign::{cleared, is_thought};
pub use lacks::lacks;
pub use model::prefill;
pub use request::{Translated, request};
pub use stream::Translator;
pub use thinking::effort_of_budget;
pub use tools::Glossary;

/// The version of the API whose rules these are.
pub const VERSION: &str = "2023-06-01";

#[cfg(test)]
mod tests;
