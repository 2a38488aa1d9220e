//! The OpenAI API and the many that copy it: bytes pass through untouched but for the model's name.

mod adapt;
pub mod continuation;
mod error;
mod history;
mod request;

pub use adapt::{Adapted, adapt_chat, adapt_response};
pub use continuation::{Splicer, Transcript};
pub(super) use error::classify_inner;
pub use error::{classify, classify_handshake, classify_response, shaped};
pub use request::{body, path};
