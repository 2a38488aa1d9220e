//! The same API, for another upstream or another model: only what must change does, and every other byte stays.
//!
//! ```text
//! openai      chats and responses, by the quirks of the provider, and by the model
//! anthropic   Messages, by the generation of the model
//! ```
//!
//! What one provider has left in a conversation is kept from others ([`without_foreign_thoughts`]), or taken out when one
//! refuses it ([`strip_provider_state`]).

mod anthropic;
mod calls;
pub(super) mod fields;
mod openai;
mod provider_state;
mod schemas;

pub use anthropic::adapt_message;
pub use openai::{Adapted, Numbers, adapt_chat, adapt_response};
pub use provider_state::{strip_provider_state, without_foreign_thoughts};
