//! Going on with a streamed answer that broke off, at another upstream.
//!
//! ```text
//! Transcript   what the client has received so far, and whether it can be continued
//! body         the request for the rest: by prefill, or by an instruction
//! Seam         where in the reply the new text begins
//! Splicer      the reply's events, rewritten as the rest of the first stream
//! ```

mod ask;
mod chat;
mod eligible;
mod limits;
mod response;
mod rest;
mod seam;
mod splice;
mod transcript;

pub use ask::body;
pub use eligible::obstacle;
pub use rest::NoSeam;
pub use splice::Splicer;
pub use transcript::Transcript;

#[cfg(test)]
mod tests;
