//! Chat Completions: `OpenAI`'s `POST /chat/completions`, which most providers copy.

mod at_once;
mod calls;
mod chunk;
mod effort;
mod look;
mod one_text;
mod prefill;
mod read_answer;
mod read_content;
mod read_messages;
mod read_parts;
mod read_request;
mod read_tools;
mod request_body;
mod sources;
#[cfg(test)]
mod tests;
mod usage;
mod write_answer;
mod write_messages;
mod write_parts;
mod write_request;
mod write_stream;
mod write_tools;

pub use at_once::{as_events, completion_as_events};
pub use look::look;
pub use read_answer::{Reader, read_answer};
pub use read_request::read_request;
pub use usage::usage;
pub(super) use usage::{Counts, counted};
pub use write_answer::{call, write_answer};
pub use write_request::write_request;
pub use write_stream::Writer;
