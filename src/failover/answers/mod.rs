//! The answer of a request on its way to the client, until its last byte.
//!
//! ```text
//! answer          the result of a run: an answer, or everything that is known about why there is none
//! supervise       a stream; one segment after the other, if it breaks off and continues
//! outgoing        what is ready to go out
//! segment         the part of a stream that one upstream sends
//! continuability  whether a stream could continue elsewhere; resume: asks another upstream to do so
//! interruption    what clients are told of an answer that ends before it is whole
//! opaque          a body of unknown meaning
//! relay           a WebSocket
//! watched         bodies whose end is recorded
//! ```

pub(super) mod answer;
pub(super) mod continuability;
mod interruption;
pub(super) mod opaque;
pub(super) mod outgoing;
pub(super) mod relay;
pub(super) mod resume;
pub(super) mod segment;
pub(super) mod supervise;
pub(super) mod watched;
