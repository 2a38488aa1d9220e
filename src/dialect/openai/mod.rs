//! The OpenAI API and the many that copy it: bytes pass through untouched but for the model's name.

pub mod continuation;
mod error;
mod request;
mod response;
mod stream;

pub use continuation::{Splicer, Transcript};
pub use error::{classify, classify_handshake};
pub use request::{body, path};
pub use response::inspect;
pub use stream::{Signal, StreamReader};
