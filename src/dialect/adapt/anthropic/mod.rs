//! Messages for another model of Claude: what they accept has changed from one generation to the next.

mod message;
mod provider_state;
mod turns;

pub use message::adapt as adapt_message;
pub(super) use provider_state::{strip_provider_state, without_foreign_thoughts};
