//! `OpenAI`'s Responses API, read and written.
//!
//! ```text
//! request ─▶ read_request  ─▶ Conversation ─▶ write_request ─▶ request
//! answer  ◀─ write_answer  ◀─ Event   Piece ◀─ read_answer  ◀─ answer
//! ```
//!
//! What is stored at one provider (earlier responses, conversations, files) and its hosted tools exist nowhere else: a request
//! that needs them cannot be read.

mod at_once;
mod calls;
mod event;
mod input;
mod items;
mod look;
mod messages;
mod numbered;
mod open_item;
mod read_answer;
mod read_request;
mod read_tools;
mod response;
mod thoughts;
mod write_answer;
mod write_input;
mod write_request;
mod write_tools;

pub use at_once::as_events;
pub use event::usage;
pub use look::look;
pub use read_answer::{Reader, read_answer};
pub use read_request::read_request;
pub use write_answer::{Writer, write_answer};
pub use write_request::write_request;

#[cfg(test)]
mod tests;
