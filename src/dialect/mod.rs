//! Speaking an upstream's API: what to send, and what a reply means.
//!
//! *Invariant:* no I/O, no clock, no keys. `openai` is spoken today; a candidate whose provider speaks something
//! else is passed over (`config::Dialect::is_spoken`).

pub mod anthropic;
pub mod openai;
