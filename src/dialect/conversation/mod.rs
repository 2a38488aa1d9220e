//! The conversation in the middle: what is said in all APIs, in one form.
//!
//! ```text
//! client's request ─▶ read ─▶ Conversation ─▶ write ─▶ upstream's request
//! client's answer  ◀─ write ◀─ Event ◀─ Assembly ◀─ Piece ◀─ read ◀─ upstream's answer
//! ```
//!
//! Each API reads and writes for itself (`chat`, `messages`, `responses`); the rules that all share are here, each in a file of
//! its own. What only one API can say is either a hint, which is left out and named, or makes the request
//! untranslatable.

mod answer;
mod api;
#[cfg(test)]
pub mod arbitrary;
mod arguments;
mod assembly;
mod caching;
mod custom;
mod dropped;
mod ends;
pub mod fields;
mod format;
pub mod history;
mod ids;
pub mod lenient;
mod media;
mod names;
mod place;
mod prefill;
mod request;
#[cfg(test)]
pub mod samples;
pub mod schema;
mod streams;
mod target;
pub mod thoughts;
mod tools;

pub use answer::{Begin, CallHead, Citation, Event, Piece, Usage, filled, now};
pub use api::Api;
pub use arguments::{is_whole, mended};
pub use assembly::{Assembly, TOO_LARGE, UNSOUND, failed};
pub use caching::{cache_mark, ephemeral};
pub use custom::{InputDecoder, as_arguments, described, parameters};
pub use dropped::{Dropped, Field};
pub use ends::End;
pub use format::Format;
pub use ids::{CallIds, FURTHER, Fate, ORPHAN, call_id, form_of, new_call_id, plain_id, short_id};
pub use media::{
    PDF, USUAL_DETAIL, document_text, is_pdf, name_of_kind, plain_kind, read_audio, read_file,
    read_image, text_in,
};
pub use names::Names;
pub use place::{OpenPart, Place};
pub use prefill::{NOTHING, SHOWN, continue_prompt, reminder};
pub use request::{
    BREAK, Caching, Call, CallResult, Content, Conversation, Echo, Effort, Input, Media, Part,
    Role, Sampling, Signature, Streaming, Thinking, Thought, Turn, Unsaid,
};
pub use streams::{ReadEvents, WriteEvents};
pub use target::{Asked, Reading, Target, Written};
pub use tools::{Choice, Search, Tool, ToolKind, ToolName, Tools};
