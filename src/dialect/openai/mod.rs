//! The OpenAI API and the many that copy it: bytes pass through unchanged, except for the model's name.

mod adapt;
mod calls;
mod entries;
mod error;
mod history;
mod items;
mod marks;
mod numbers;
mod request;
mod thoughts;
mod turns;

pub use adapt::{Adapted, adapt_chat, adapt_response};
pub(super) use error::classify_inner;
pub(super) use error::says_too_long;
pub use error::{
    ErrorReply, classify, classify_handshake, classify_response, classify_status, error_of_event,
    shaped,
};
pub use marks::without_marks;
pub use numbers::Numbers;
pub use request::{body, path};
pub use thoughts::{without_sealed_thoughts, without_thoughts};
