//! Going on with a streamed answer that broke off, at another upstream.
//!
//! ```text
//! obstacle     why the answer to a request could not be continued
//! Scribe       reads the events that the client gets, into a
//! Transcript   what the client has received so far, and where in the stream it is
//! body         the request for the rest: by prefill, or by an instruction
//! Seam         where in the reply the new text begins
//! Splicer      the reply's events, written as the rest of the first stream
//! ```
//!
//! Text goes on within a text, or where it has ended. A call of which the client has nothing is made by the reply. Within a call
//! that has begun, or right behind it, nobody can go on: nobody knows what else the model would have called. Text behind calls
//! goes on without further ones. Thoughts are told by the first upstream alone.

mod ask;
mod called;
mod completion;
mod eligible;
mod limits;
mod rest;
mod seam;
mod speech;
mod splice;
mod transcript;

pub use ask::body;
pub use eligible::obstacle;
pub use splice::Splicer;
pub use transcript::{Scribe, Transcript};

#[cfg(test)]
mod tests;
