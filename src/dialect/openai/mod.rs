//! The OpenAI API and the many that copy it: bytes pass through untouched but for the model's name.

pub mod continuation;
mod error;
mod request;

pub use continuation::{Splicer, Transcript};
pub use error::classify;
pub(super) use error::classify_inner;
pub use request::body;
