//! Anthropic's Messages: `POST /v1/messages`.

mod at_once;
mod batches;
mod caching;
mod error;
mod events;
mod look;
mod media;
mod message;
mod overflow;
mod own_tools;
mod read_answer;
mod read_blocks;
mod read_request;
mod read_tools;
mod think;
mod tree;
mod wire;
mod write_answer;
mod write_request;
mod write_stream;
mod write_tools;
mod write_turns;

pub use at_once::as_events;
pub use batches::{is_batches, results_here};
pub use error::{body_in_words, error, error_for, error_kind, in_words, to_openai};
pub use events::usage;
pub use look::look;
pub use read_answer::{Reader, read_answer};
pub use read_blocks::available;
pub use read_request::read_request;
pub use think::budget_within;
pub use tree::read_tree;
pub use write_answer::write_answer;
pub use write_request::write_request;
pub use write_stream::Writer;

/// The version of the API that is written.
pub const VERSION: &str = "2023-06-01";

#[cfg(test)]
mod tests;
