//! Anthropic's Messages API, for clients that speak `OpenAI`'s Chat Completions.
//!
//! ```text
//! chat request ─▶ request (messages, tools, model) ─▶ Messages request, and a RequestContext of what must be turned back
//! chat answer  ◀─ answer, or Translator event by event ◀─ message
//! ```
//!
//! Anthropic's own clients need no translation; `adapt` changes a request for one Claude model into one for another.
//!
//! A request is untranslatable if the model would behave differently without some feature. Hints that change nothing
//! are dropped and reported.

mod adapt;
mod answer;
mod batches;
mod citations;
mod error;
mod media;
mod messages;
mod provider_state;
mod request;
mod schema;
mod stream;
mod thinking;
mod tools;
mod turns;
mod unsupported;

pub use adapt::adapt;
pub use answer::answer;
pub use batches::{is_batches, results_here};
pub use error::error;
pub use provider_state::{is_thought, strip_provider_state, without_foreign_thoughts};
pub use request::{Translated, request};
pub use stream::Translator;
pub use thinking::effort_of_budget;
pub use tools::RequestContext;
pub use unsupported::unsupported_feature;

/// The version of the API that is translated to.
pub const VERSION: &str = "2023-06-01";

#[cfg(test)]
mod tests;
